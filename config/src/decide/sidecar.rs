//! A call that leaves a workload.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::address::OriginalDestination;
use crate::decide::call::{Arrival, Connection, Layer, Request};
use crate::decide::destination::DialRefusal;
use crate::decide::dice::Dice;
use crate::decide::stream::{forward, stream_hint, to_target};
use crate::decide::trail::Trail;
use crate::decide::verdict::{
    ALLOW_ANY, BLOCK_ALL, ConnectionDecision, Forward, Refusal, RequestDecision, RequestVerdict,
    RouteName, Verdict,
};
use crate::decide::{destination, http};
use crate::model::outbound_policy::OutboundPolicy;
use crate::snapshot::Snapshot;
use crate::snapshot::chains::{Chain, StreamHint, StreamRoute};
use crate::snapshot::cluster::{BLACK_HOLE_CLUSTER, Cluster, PASSTHROUGH_CLUSTER};
use crate::snapshot::outbound::Listener;
use crate::snapshot::target::Target;

/// Whether the first bytes of an arrival make no difference.
pub(crate) fn is_opaque(snapshot: &Snapshot, arrival: &Arrival) -> bool {
    let (to, port) = original_dst(arrival);
    if snapshot.workload.is_own(to) {
        return true;
    }
    let outbound = &snapshot.outbound;
    let policy = outbound.unknown.policy;
    let Some(listener) = outbound.listener(to.ip(), port) else {
        return policy == OutboundPolicy::AllowAny;
    };
    let takes_all = listener.streams.find(to.ip(), StreamHint::Plain).is_some();
    listener.http.is_none()
        && !listener.streams.depend_on_bytes(to.ip())
        && (takes_all || policy != OutboundPolicy::RegistryOnly)
}

/// What happens to a connection.
pub(crate) fn connection<'s>(
    snapshot: &'s Snapshot,
    call: &Connection<'_>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    let mut decision = route_connection(snapshot, call, dice);
    let (to, _) = original_dst(&call.arrival);
    let refused = match &decision.verdict {
        Verdict::Passthrough => destination::original(snapshot, to),
        Verdict::Forward(cluster) => destination::original_of(snapshot, cluster, to),
        Verdict::Http | Verdict::Terminate { .. } | Verdict::Refuse(_) => None,
    };
    if refused.is_some() {
        decision.trail.refused = refused;
        decision.verdict = Verdict::Refuse(Refusal::OwnListener);
        decision.cluster = Some(BLACK_HOLE_CLUSTER);
    }
    decision
}

fn route_connection<'s>(
    snapshot: &'s Snapshot,
    call: &Connection<'_>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    let (to, port) = original_dst(&call.arrival);
    let mut trail = Trail::default();
    if snapshot.workload.is_own(to) {
        trail.cluster = Some(BLACK_HOLE_CLUSTER);
        trail.refused = Some(DialRefusal::own_listener(to.0));
        return ConnectionDecision::new(Verdict::Refuse(Refusal::OwnListener), trail);
    }
    let http = matches!(call.layer, Layer::Http(_));
    let Some(listener) = snapshot.outbound.listener(to.ip(), port) else {
        let policy = snapshot.outbound.unknown.policy;
        return unknown(snapshot, http && policy != OutboundPolicy::AllowAny, trail);
    };
    trail.listener = Some(&listener.key);
    match stream_chain(listener, to, call.layer) {
        ConnectionMatch::Http => ConnectionDecision::new(Verdict::Http, trail),
        ConnectionMatch::Chain(chain) => {
            trail.chain = Some(&chain.origin);
            forward(&chain.action, trail, dice)
        }
        // Where byte streams have listeners, Istio reads no HTTP to resolve its host; egret reads it to refuse it.
        ConnectionMatch::Nothing => {
            let policy = snapshot.outbound.unknown.policy;
            unknown(
                snapshot,
                http && policy == OutboundPolicy::RegistryOnly,
                trail,
            )
        }
    }
}

/// What happens to a request.
pub(crate) fn request<'s>(
    snapshot: &'s Snapshot,
    call: &Request<'_>,
    dice: Dice<'_>,
) -> RequestDecision<'s> {
    let mut decision = route_request(snapshot, call, dice);
    let (to, _) = original_dst(&call.arrival);
    let refused = match &decision.verdict {
        RequestVerdict::Passthrough => destination::original(snapshot, to),
        RequestVerdict::Forward(forward) => destination::original_of(snapshot, forward.cluster, to),
        RequestVerdict::Answer(_) | RequestVerdict::Refuse(_) => None,
    };
    if refused.is_some() {
        decision.trail.refused = refused;
        decision.verdict = RequestVerdict::Refuse(Refusal::OwnListener);
    }
    decision
}

fn route_request<'s>(
    snapshot: &'s Snapshot,
    call: &Request<'_>,
    dice: Dice<'_>,
) -> RequestDecision<'s> {
    let (to, port) = original_dst(&call.arrival);
    let mut trail = Trail::default();
    if snapshot.workload.is_own(to) {
        trail.refused = Some(DialRefusal::own_listener(to.0));
        return RequestDecision::refused(Refusal::OwnListener, None, trail);
    }
    let listener = snapshot.outbound.listener(to.ip(), port);
    trail.listener = listener.map(|listener| &*listener.key);
    let dynamic = snapshot.outbound.unknown.dynamic.as_ref();
    let Some(listener) = listener else {
        return unknown_request(snapshot, dynamic, trail);
    };
    let Some(table) = &listener.http else {
        return unknown_request(snapshot, None, trail);
    };
    trail.table = Some(&table.name);
    match http::virtual_host(table, call.authority) {
        Some(host) => http::decide(snapshot, host, call, trail, dice),
        None => unknown_request(snapshot, dynamic, trail),
    }
}

/// What takes a connection of a listener.
enum ConnectionMatch<'s> {
    Http,
    Chain(&'s Chain<StreamRoute>),
    Nothing,
}

/// The most specific address range whose chain fits; then HTTP; then chains for every address.
fn stream_chain<'s>(
    listener: &'s Listener,
    to: OriginalDestination,
    layer: &Layer,
) -> ConnectionMatch<'s> {
    let stream_hint = stream_hint(layer);
    if listener.http_only {
        return ConnectionMatch::Http;
    }
    if let Some(chain) = listener.streams.find_in_range(to.ip(), stream_hint) {
        return ConnectionMatch::Chain(chain);
    }
    if listener.http.is_some() && matches!(layer, Layer::Http(_)) {
        return ConnectionMatch::Http;
    }
    match listener.streams.find_anywhere(stream_hint) {
        Some(chain) => ConnectionMatch::Chain(chain),
        None => ConnectionMatch::Nothing,
    }
}

/// The policy for a connection that nothing is registered for. `reads_http` is true when it carries HTTP whose requests
/// are decided one by one.
fn unknown<'s>(
    snapshot: &'s Snapshot,
    reads_http: bool,
    mut trail: Trail<'s>,
) -> ConnectionDecision<'s> {
    let unknown = &snapshot.outbound.unknown;
    trail.policy = Some(unknown);
    match unknown.policy {
        _ if reads_http => ConnectionDecision::new(Verdict::Http, trail),
        OutboundPolicy::RegistryOnly => {
            trail.cluster = Some(BLACK_HOLE_CLUSTER);
            ConnectionDecision::new(Verdict::Refuse(Refusal::Blackhole), trail)
        }
        OutboundPolicy::AllowAny | OutboundPolicy::AllowAnyDynamicDns => match &unknown.proxy {
            Some(proxy) => to_target(proxy, trail),
            None => {
                trail.cluster = Some(PASSTHROUGH_CLUSTER);
                ConnectionDecision::new(Verdict::Passthrough, trail)
            }
        },
    }
}

/// The policy for a request that nothing is registered for. `dynamic` resolves its host, where the port is read so.
fn unknown_request<'s>(
    snapshot: &'s Snapshot,
    dynamic: Option<&'s Arc<Cluster>>,
    mut trail: Trail<'s>,
) -> RequestDecision<'s> {
    let unknown = &snapshot.outbound.unknown;
    trail.policy = Some(unknown);
    let proxy = match unknown.policy {
        OutboundPolicy::RegistryOnly => {
            return RequestDecision::refused(Refusal::Blackhole, Some(BLOCK_ALL), trail);
        }
        OutboundPolicy::AllowAny => unknown.proxy.as_ref(),
        OutboundPolicy::AllowAnyDynamicDns => None,
    };
    let cluster = match (proxy, dynamic) {
        (Some(Target::Missing(missing)), _) => {
            trail.cluster = Some(missing);
            let refusal = Refusal::NoCluster(missing.clone());
            return RequestDecision::refused(refusal, Some(ALLOW_ANY), trail);
        }
        (Some(Target::Cluster(cluster)), _) | (None, Some(cluster)) => Some(cluster),
        (None, None) => None,
    };
    trail.cluster = Some(cluster.map_or(PASSTHROUGH_CLUSTER, |cluster| &*cluster.name));
    RequestDecision {
        verdict: match cluster {
            Some(cluster) => RequestVerdict::Forward(Forward {
                cluster,
                path: None,
                authority: None,
                timeout: None,
                retries: None,
                mirrors: &[],
                headers: [None, None],
            }),
            None => RequestVerdict::Passthrough,
        },
        virtual_host: Some(ALLOW_ANY),
        route: Some(RouteName::BuiltIn(ALLOW_ANY)),
        filters: None,
        operation: None,
        trail,
    }
}

/// The original destination, and its port; an IPv4-mapped IPv6 address becomes the IPv4 address.
fn original_dst(arrival: &Arrival) -> (OriginalDestination, u16) {
    let (ip, port) = (arrival.original_dst.ip(), arrival.original_dst.port());
    let to = SocketAddr::new(ip.to_canonical(), port);
    (OriginalDestination(to), port)
}
