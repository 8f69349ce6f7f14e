//! A call that arrives at a gateway.

use crate::decide::Dice;
use crate::decide::call::Arrival;
use crate::decide::call::ClientHello;
use crate::decide::call::Connection;
use crate::decide::call::Layer;
use crate::decide::call::Request;
use crate::decide::call::Terminated;
use crate::decide::http;
use crate::decide::sidecar::decided;
use crate::decide::sidecar::forward;
use crate::decide::sidecar::refused;
use crate::decide::sidecar::wire;
use crate::decide::trail::Trail;
use crate::decide::verdict::ConnectionDecision;
use crate::decide::verdict::Refusal;
use crate::decide::verdict::RequestDecision;
use crate::decide::verdict::Verdict;
use crate::snapshot::BoundPort;
use crate::snapshot::Snapshot;
use crate::snapshot::gateways::GatewayListener;
use crate::snapshot::gateways::TlsAct;

/// Whether the first bytes of an arrival make no difference.
pub(crate) fn is_opaque(snapshot: &Snapshot, arrival: &Arrival) -> bool {
    listener(snapshot, arrival).is_some_and(|listener| {
        listener.tcp.is_some() && listener.http.is_none() && listener.tls.is_empty()
    })
}

/// What happens to a connection.
pub(crate) fn connection<'s>(
    snapshot: &'s Snapshot,
    call: &Connection<'_>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    let mut trail = Trail::default();
    let Some(listener) = listener(snapshot, &call.arrival) else {
        return decided(Verdict::Refuse(Refusal::NoChain), trail);
    };
    trail.listener = Some(&listener.key);
    if let Some(terminated) = call.terminated {
        return inside(listener, terminated, trail, dice);
    }
    if let Layer::Tls(hello) = call.layer
        && let Some(chain) = listener.tls.find(call.arrival.to.ip(), wire(call.layer))
    {
        trail.chain = Some(&chain.origin);
        return tls(snapshot, &chain.act, hello, trail, dice);
    }
    let http = listener.http.is_some();
    match (&listener.tcp, call.layer) {
        (_, Layer::Http(_)) if http => decided(Verdict::Http, trail),
        (Some((route, origin)), _) => {
            trail.chain = Some(origin);
            forward(route, trail, dice)
        }
        (None, _) if http && listener.tls.is_empty() => decided(Verdict::Http, trail),
        (None, Layer::Opaque | Layer::Silent) if http => decided(Verdict::Http, trail),
        (None, layer) => match listener.tls.find(call.arrival.to.ip(), wire(layer)) {
            // Rules for every server name do not ask whether there is one.
            Some(chain) if let TlsAct::Pass(route) = &chain.act => {
                trail.chain = Some(&chain.origin);
                forward(route, trail, dice)
            }
            _ => decided(Verdict::Refuse(Refusal::NoChain), trail),
        },
    }
}

/// What happens to a request.
pub(crate) fn request<'s>(
    snapshot: &'s Snapshot,
    call: &Request<'_>,
    dice: Dice<'_>,
) -> RequestDecision<'s> {
    let mut trail = Trail::default();
    let listener = listener(snapshot, &call.arrival);
    trail.listener = listener.map(|listener| &*listener.key);
    let table = match call.terminated {
        Some(terminated) => snapshot.terminated.get(&terminated.table),
        None => listener.and_then(|listener| listener.http.as_ref()),
    };
    let Some(table) = table else {
        return refused(Refusal::NoRoute, None, trail);
    };
    trail.table = Some(&table.name);
    match http::virtual_host(table, call.authority) {
        Some(host) => http::decide(snapshot, host, call, trail, dice),
        None => refused(Refusal::NoRoute, None, trail),
    }
}

/// What happens to a TLS connection that a chain took.
fn tls<'s>(
    snapshot: &'s Snapshot,
    act: &'s TlsAct,
    hello: &ClientHello,
    mut trail: Trail<'s>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    let (tls, server, table) = match act {
        TlsAct::Pass(route) => return forward(route, trail, dice),
        TlsAct::Http { tls, server, table } => (tls, server, table.name.clone()),
        TlsAct::Stream { tls, server, .. } => (tls, server, "".into()),
        TlsAct::NamedBySni(hosts) => {
            let istio = hello.alpn.iter().any(|one| one.starts_with(b"istio"));
            let named = hello.sni.as_deref().filter(|_| istio).and_then(cluster_of);
            let cluster = named
                .and_then(|name| snapshot.clusters.get(&*name))
                .filter(|cluster| hosts.contains(&cluster.host));
            return match cluster {
                Some(cluster) => {
                    trail.cluster = Some(&cluster.name);
                    decided(Verdict::Forward(cluster), trail)
                }
                None => decided(Verdict::Refuse(Refusal::NoChain), trail),
            };
        }
    };
    let terminated = Terminated {
        server: server.clone(),
        table,
        sni: hello.sni.clone(),
    };
    decided(Verdict::Terminate { tls, terminated }, trail)
}

/// What is inside of a TLS that this gateway ended: HTTP when the chain has a table, else bytes for its route.
fn inside<'s>(
    listener: &'s GatewayListener,
    terminated: &Terminated,
    mut trail: Trail<'s>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    if !terminated.table.is_empty() {
        return decided(Verdict::Http, trail);
    }
    let same = |server: &crate::model::gateway::Server| {
        server.port_name == terminated.server.port_name && server.hosts == terminated.server.hosts
    };
    let found = listener.tls.iter().find_map(|chain| match &chain.act {
        TlsAct::Stream { server, route, .. } if same(server) => Some((chain, route)),
        _ => None,
    });
    match found {
        Some((chain, route)) => {
            trail.chain = Some(&chain.origin);
            forward(route, trail, dice)
        }
        None => decided(Verdict::Refuse(Refusal::NoChain), trail),
    }
}

/// `outbound|port|subset|host` for `outbound_.port_.subset_.host`.
fn cluster_of(sni: &str) -> Option<String> {
    let mut parts = sni.splitn(4, "_.");
    let (direction, port, subset, host) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (direction == "outbound").then(|| format!("outbound|{port}|{subset}|{host}"))
}

/// The listener of an arrival: of its address, else of all.
fn listener<'s>(snapshot: &'s Snapshot, arrival: &Arrival) -> Option<&'s GatewayListener> {
    let port = arrival.to.port();
    let of = |bind| snapshot.gateways.get(&BoundPort { bind, port });
    of(Some(arrival.to.ip().to_canonical())).or_else(|| of(None))
}
