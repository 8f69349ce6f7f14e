//! A call that leaves a workload.

use std::net::SocketAddr;

use crate::decide::Dice;
use crate::decide::call::Arrival;
use crate::decide::call::Connection;
use crate::decide::call::Layer;
use crate::decide::call::Request;
use crate::decide::http;
use crate::decide::split::split;
use crate::decide::trail::Shares;
use crate::decide::trail::Trail;
use crate::decide::verdict::ConnectionDecision;
use crate::decide::verdict::Forward;
use crate::decide::verdict::Refusal;
use crate::decide::verdict::RequestDecision;
use crate::decide::verdict::RequestVerdict;
use crate::decide::verdict::Verdict;
use crate::model::mesh::OutboundPolicy;
use crate::snapshot::Snapshot;
use crate::snapshot::chains::Chain;
use crate::snapshot::chains::StreamRoute;
use crate::snapshot::chains::Wire;
use crate::snapshot::cluster::BLACK_HOLE_CLUSTER;
use crate::snapshot::cluster::PASSTHROUGH_CLUSTER;
use crate::snapshot::outbound::Listener;

/// Whether the first bytes of an arrival make no difference.
pub(crate) fn is_opaque(snapshot: &Snapshot, arrival: &Arrival) -> bool {
    let (to, port) = destination(arrival);
    if snapshot.workload.is_own(to) {
        return true;
    }
    let outbound = &snapshot.outbound;
    let unknown_is_opaque = outbound.unknown.policy == OutboundPolicy::AllowAny;
    let Some(listener) = outbound.listener(to.ip(), port) else {
        return unknown_is_opaque;
    };
    let takes_all = listener.streams.find(to.ip(), Wire::Plain).is_some();
    listener.http.is_none()
        && !listener.streams.depend_on_bytes(to.ip())
        && (takes_all || unknown_is_opaque)
}

/// What happens to a connection.
pub(crate) fn connection<'s>(
    snapshot: &'s Snapshot,
    call: &Connection<'_>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    let (to, port) = destination(&call.arrival);
    let mut trail = Trail::default();
    if snapshot.workload.is_own(to) {
        trail.cluster = Some(BLACK_HOLE_CLUSTER);
        return decided(Verdict::Refuse(Refusal::OwnListener), trail);
    }
    let Some(listener) = snapshot.outbound.listener(to.ip(), port) else {
        return unknown(snapshot, call.layer, trail);
    };
    trail.listener = Some(&listener.key);
    match stream_chain(listener, to, call.layer) {
        Taken::Http => decided(Verdict::Http, trail),
        Taken::Chain(chain) => {
            trail.chain = Some(&chain.origin);
            forward(&chain.act, trail, dice)
        }
        Taken::Nothing => unknown(snapshot, call.layer, trail),
    }
}

/// What happens to a request.
pub(crate) fn request<'s>(
    snapshot: &'s Snapshot,
    call: &Request<'_>,
    dice: Dice<'_>,
) -> RequestDecision<'s> {
    let (to, port) = destination(&call.arrival);
    let mut trail = Trail::default();
    if snapshot.workload.is_own(to) {
        return refused(Refusal::OwnListener, None, trail);
    }
    let listener = snapshot.outbound.listener(to.ip(), port);
    trail.listener = listener.map(|listener| &*listener.key);
    let Some(table) = listener.and_then(|listener| listener.http.as_ref()) else {
        return unknown_request(snapshot, trail);
    };
    trail.table = Some(&table.name);
    match http::virtual_host(table, call.authority) {
        Some(host) => http::decide(snapshot, host, call, trail, dice),
        None => unknown_request(snapshot, trail),
    }
}

/// What takes a connection of a listener.
enum Taken<'s> {
    Http,
    Chain(&'s Chain<StreamRoute>),
    Nothing,
}

/// The most specific address range whose chain fits; then HTTP; then chains for every address.
fn stream_chain<'s>(listener: &'s Listener, to: SocketAddr, layer: &Layer) -> Taken<'s> {
    let wire = wire(layer);
    if listener.http_only {
        return Taken::Http;
    }
    if let Some(chain) = listener.streams.find_in_range(to.ip(), wire) {
        return Taken::Chain(chain);
    }
    if listener.http.is_some() && matches!(layer, Layer::Http(_)) {
        return Taken::Http;
    }
    match listener.streams.find_anywhere(wire) {
        Some(chain) => Taken::Chain(chain),
        None => Taken::Nothing,
    }
}

/// What a chain is chosen by.
pub(crate) fn wire(layer: &Layer) -> Wire<'_> {
    match layer {
        Layer::Tls(hello) => Wire::Tls(hello.sni.as_deref()),
        Layer::Http(_) | Layer::Opaque | Layer::Silent => Wire::Plain,
    }
}

/// A byte stream to a target of a route.
pub(crate) fn forward<'s>(
    route: &'s StreamRoute,
    mut trail: Trail<'s>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    trail.shares = Shares::of_streams(&route.targets);
    match split(&route.targets, |(_, weight)| *weight, dice) {
        Some((Ok(cluster), _)) => {
            trail.cluster = Some(&cluster.name);
            decided(Verdict::Forward(cluster), trail)
        }
        Some((Err(missing), _)) => {
            trail.cluster = Some(missing);
            decided(Verdict::Refuse(Refusal::NoCluster(missing.clone())), trail)
        }
        None => decided(Verdict::Refuse(Refusal::NoChain), trail),
    }
}

/// The policy for a connection that nothing is registered for.
fn unknown<'s>(
    snapshot: &'s Snapshot,
    layer: &Layer,
    mut trail: Trail<'s>,
) -> ConnectionDecision<'s> {
    let unknown = &snapshot.outbound.unknown;
    let http = matches!(layer, Layer::Http(_));
    trail.policy = Some(unknown);
    match unknown.policy {
        OutboundPolicy::RegistryOnly if http => decided(Verdict::Http, trail),
        OutboundPolicy::AllowAnyDynamicDns if http => decided(Verdict::Http, trail),
        OutboundPolicy::RegistryOnly => {
            trail.cluster = Some(BLACK_HOLE_CLUSTER);
            decided(Verdict::Refuse(Refusal::Blackhole), trail)
        }
        OutboundPolicy::AllowAny | OutboundPolicy::AllowAnyDynamicDns => match &unknown.proxy {
            Some(Ok(cluster)) => {
                trail.cluster = Some(&cluster.name);
                decided(Verdict::Forward(cluster), trail)
            }
            Some(Err(missing)) => {
                trail.cluster = Some(missing);
                decided(Verdict::Refuse(Refusal::NoCluster(missing.clone())), trail)
            }
            None => {
                trail.cluster = Some(PASSTHROUGH_CLUSTER);
                decided(Verdict::Pass, trail)
            }
        },
    }
}

/// The policy for a request that nothing is registered for.
fn unknown_request<'s>(snapshot: &'s Snapshot, mut trail: Trail<'s>) -> RequestDecision<'s> {
    let unknown = &snapshot.outbound.unknown;
    trail.policy = Some(unknown);
    let target = match unknown.policy {
        OutboundPolicy::RegistryOnly => {
            return refused(Refusal::Blackhole, Some("block_all"), trail);
        }
        OutboundPolicy::AllowAny => unknown.proxy.as_ref(),
        OutboundPolicy::AllowAnyDynamicDns => None,
    };
    let cluster = match (target, &unknown.dynamic) {
        (Some(Err(missing)), _) => {
            trail.cluster = Some(missing);
            return refused(
                Refusal::NoCluster(missing.clone()),
                Some("allow_any"),
                trail,
            );
        }
        (Some(Ok(cluster)), _) | (None, Some(cluster)) => cluster,
        (None, None) => {
            trail.cluster = Some(PASSTHROUGH_CLUSTER);
            return RequestDecision {
                verdict: RequestVerdict::Pass,
                virtual_host: Some("allow_any"),
                route: Some("allow_any"),
                rule: None,
                trail,
            };
        }
    };
    trail.cluster = Some(&cluster.name);
    RequestDecision {
        verdict: RequestVerdict::Forward(Forward {
            cluster,
            path: None,
            authority: None,
            timeout: None,
            retries: None,
            mirrors: &[],
            headers: [None, None],
        }),
        virtual_host: Some("allow_any"),
        route: Some("allow_any"),
        rule: None,
        trail,
    }
}

/// A connection's decision; the cluster is the trail's.
pub(crate) fn decided<'s>(verdict: Verdict<'s>, trail: Trail<'s>) -> ConnectionDecision<'s> {
    ConnectionDecision {
        verdict,
        cluster: trail.cluster,
        trail,
    }
}

/// A refused request.
pub(crate) fn refused<'s>(
    refusal: Refusal,
    route: Option<&'s str>,
    trail: Trail<'s>,
) -> RequestDecision<'s> {
    RequestDecision {
        verdict: RequestVerdict::Refuse(refusal),
        virtual_host: trail.virtual_host.or(route),
        route,
        rule: None,
        trail,
    }
}

/// Where a caller wanted to go; an IPv4 address inside of an IPv6 one is taken out.
fn destination(arrival: &Arrival) -> (SocketAddr, u16) {
    let port = arrival.to.port();
    let to = SocketAddr::new(arrival.to.ip().to_canonical(), port);
    (to, port)
}
