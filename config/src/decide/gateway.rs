//! A call that arrives at a gateway.

use crate::decide::call::{Arrival, ClientHello, Connection, Inside, Layer, Request, Terminated};
use crate::decide::dice::Dice;
use crate::decide::http;
use crate::decide::stream::{forward, stream_hint};
use crate::decide::trail::Trail;
use crate::decide::verdict::{ConnectionDecision, Refusal, RequestDecision, Verdict};
use crate::snapshot::gateways::{GatewayListener, TlsAction};
use crate::snapshot::{BoundPort, Snapshot};

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
        return ConnectionDecision::new(Verdict::Refuse(Refusal::NoChain), trail);
    };
    trail.listener = Some(&listener.key);
    if let Some(terminated) = call.terminated {
        return inside(listener, terminated, trail, dice);
    }
    if let Layer::Tls(hello) = call.layer
        && let Some(chain) = listener
            .tls
            .find(call.arrival.original_dst.ip(), stream_hint(call.layer))
    {
        trail.chain = Some(&chain.origin);
        return tls(snapshot, &chain.action, hello, trail, dice);
    }
    let http = listener.http.is_some();
    match (&listener.tcp, call.layer) {
        (_, Layer::Http(_)) if http => ConnectionDecision::new(Verdict::Http, trail),
        (Some((route, origin)), _) => {
            trail.chain = Some(origin);
            forward(route, trail, dice)
        }
        (None, _) if http && listener.tls.is_empty() => {
            ConnectionDecision::new(Verdict::Http, trail)
        }
        (None, Layer::Opaque | Layer::Silent) if http => {
            ConnectionDecision::new(Verdict::Http, trail)
        }
        (None, layer) => match listener
            .tls
            .find(call.arrival.original_dst.ip(), stream_hint(layer))
        {
            // Rules for every server name match connections without one, too.
            Some(chain) if let TlsAction::Passthrough(route) = &chain.action => {
                trail.chain = Some(&chain.origin);
                forward(route, trail, dice)
            }
            _ => ConnectionDecision::new(Verdict::Refuse(Refusal::NoChain), trail),
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
        Some(Terminated {
            inside: Inside::Http(table),
            ..
        }) => snapshot.terminated.get(table),
        Some(Terminated {
            inside: Inside::Bytes,
            ..
        }) => None,
        None => listener.and_then(|listener| listener.http.as_ref()),
    };
    let Some(table) = table else {
        return RequestDecision::refused(Refusal::NoRoute, None, trail);
    };
    trail.table = Some(&table.name);
    match http::virtual_host(table, call.authority) {
        Some(host) => http::decide(snapshot, host, call, trail, dice),
        None => RequestDecision::refused(Refusal::NoRoute, None, trail),
    }
}

/// What happens to a TLS connection that a chain matches.
fn tls<'s>(
    snapshot: &'s Snapshot,
    action: &'s TlsAction,
    hello: &ClientHello,
    mut trail: Trail<'s>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    let (tls, server, inside) = match action {
        TlsAction::Passthrough(route) => return forward(route, trail, dice),
        TlsAction::Http { tls, server, table } => (tls, server, Inside::Http(table.name.clone())),
        TlsAction::Stream { tls, server, .. } => (tls, server, Inside::Bytes),
        TlsAction::NamedBySni(hosts) => {
            let istio = hello.alpn.iter().any(|one| one.starts_with(b"istio"));
            let named = hello.sni.as_deref().filter(|_| istio).and_then(cluster_of);
            let cluster = named
                .and_then(|name| snapshot.clusters.get(&*name))
                .filter(|cluster| hosts.contains(&cluster.host));
            return match cluster {
                Some(cluster) => {
                    trail.cluster = Some(&cluster.name);
                    ConnectionDecision::new(Verdict::Forward(cluster), trail)
                }
                None => ConnectionDecision::new(Verdict::Refuse(Refusal::NoChain), trail),
            };
        }
    };
    let terminated = Terminated {
        server: server.clone(),
        inside,
        sni: hello.sni.clone(),
    };
    ConnectionDecision::new(Verdict::Terminate { tls, terminated }, trail)
}

/// The content of a TLS connection that this gateway terminated: HTTP when the chain has a table, else bytes for its route.
fn inside<'s>(
    listener: &'s GatewayListener,
    terminated: &Terminated,
    mut trail: Trail<'s>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    match terminated.inside {
        Inside::Http(_) => return ConnectionDecision::new(Verdict::Http, trail),
        Inside::Bytes => {}
    }
    let same = |server: &crate::model::gateway::Server| {
        server.port_name == terminated.server.port_name && server.hosts == terminated.server.hosts
    };
    let chain_and_route = listener.tls.iter().find_map(|chain| match &chain.action {
        TlsAction::Stream { server, route, .. } if same(server) => Some((chain, route)),
        _ => None,
    });
    match chain_and_route {
        Some((chain, route)) => {
            trail.chain = Some(&chain.origin);
            forward(route, trail, dice)
        }
        None => ConnectionDecision::new(Verdict::Refuse(Refusal::NoChain), trail),
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
    let (ip, port) = (arrival.original_dst.ip(), arrival.original_dst.port());
    let of = |bind| snapshot.gateways.get(&BoundPort { bind, port });
    of(Some(ip.to_canonical())).or_else(|| of(None))
}
