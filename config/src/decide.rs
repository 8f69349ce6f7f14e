//! Decisions of a proxy by a snapshot. Nothing here fails, waits or rolls dice of its own: the caller passes them.

pub mod call;
pub mod destination;
pub mod verdict;
pub mod trail;
pub mod operation;
pub mod flag;
pub mod bad_request;
pub mod local_reply;
pub mod normalize;
pub mod outcome;
mod sidecar;
mod gateway;
mod http;
mod stream;
mod location;
mod dice;

use std::time::Duration;

use ::http::{HeaderMap, Uri, header};

use crate::decide::call::{Arrival, Connection, Request};
use crate::decide::normalize::downstream::Downstream;
use crate::decide::trail::Trail;
use crate::decide::verdict::{
    ConnectionDecision, Reading, Refusal, RequestDecision, RequestVerdict,
};
use crate::snapshot::Snapshot;
use crate::snapshot::workload::Mode;

pub use crate::decide::dice::Dice;

/// How the first bytes of an arrival are to be read.
pub fn reading(snapshot: &Snapshot, arrival: &Arrival) -> Reading {
    let opaque = match snapshot.workload.mode {
        Mode::Sidecar => sidecar::is_opaque(snapshot, arrival),
        Mode::Gateway => gateway::is_opaque(snapshot, arrival),
    };
    if opaque {
        return Reading::Opaque;
    }
    Reading::Sniff {
        silence_max: silence_max(snapshot),
    }
}

/// How long a silent client is waited for where its bytes decide.
pub fn silence_max(snapshot: &Snapshot) -> Duration {
    let limit = snapshot.mesh.detection_timeout;
    limit
        .filter(|limit| !limit.is_zero())
        .unwrap_or(SILENCE_MAX)
}

/// How long a silent client is waited for when MeshConfig `protocolDetectionTimeout` is unset or 0: never for ever.
const SILENCE_MAX: Duration = Duration::from_millis(200);

/// What happens to a connection, now that its first bytes are known.
///
/// On a gateway port that speaks plaintext HTTP only, whatever the bytes are: the HTTP codec answers what is no HTTP.
pub fn connection<'s>(
    snapshot: &'s Snapshot,
    call: &Connection<'_>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    match snapshot.workload.mode {
        Mode::Sidecar => sidecar::connection(snapshot, call, dice),
        Mode::Gateway => gateway::connection(snapshot, call, dice),
    }
}

/// What happens to one HTTP request.
pub fn request<'s>(
    snapshot: &'s Snapshot,
    call: &Request<'_>,
    dice: Dice<'_>,
) -> RequestDecision<'s> {
    match snapshot.workload.mode {
        Mode::Sidecar => sidecar::request(snapshot, call, dice),
        Mode::Gateway => gateway::request(snapshot, call, dice),
    }
}

/// What happens to a CONNECT for this target: it is refused, by the outbound policy or since no route allows it. An
/// application that has an HTTP proxy sends it there; where that proxy is not registered, the policy refuses it.
pub fn connect<'s>(
    snapshot: &'s Snapshot,
    downstream: &Downstream<'_>,
    uri: &Uri,
    headers: &HeaderMap,
) -> RequestDecision<'s> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = uri.authority().map(|authority| authority.as_str());
    let question = Request {
        arrival: downstream.arrival,
        terminated: downstream.terminated,
        method: "CONNECT",
        scheme: downstream.scheme(),
        authority: authority.or(host).unwrap_or_default(),
        path: "/",
        headers,
    };
    let decision = request(snapshot, &question, &mut |_| 0);
    if let RequestVerdict::Refuse(Refusal::Blackhole) = decision.verdict {
        return decision;
    }
    let trail = Trail {
        listener: decision.trail.listener,
        ..Trail::default()
    };
    RequestDecision::refused(Refusal::NoRoute, None, trail)
}

#[cfg(test)]
mod tests;
