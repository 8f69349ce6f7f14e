//! The questions a proxy asks of a snapshot. Nothing here can fail, wait or roll dice of its own: the caller passes them.

pub mod call;
pub mod verdict;
pub mod trail;
mod sidecar;
mod gateway;
mod http;
mod location;
mod split;

use std::time::Duration;

use crate::decide::call::Arrival;
use crate::decide::call::Connection;
use crate::decide::call::Request;
use crate::decide::verdict::ConnectionDecision;
use crate::decide::verdict::Reading;
use crate::decide::verdict::RequestDecision;
use crate::snapshot::Snapshot;
use crate::snapshot::workload::Mode;

/// A source of chance: returns a number below its argument. Passed in, so that decisions can be repeated.
pub type Dice<'d> = &'d mut dyn FnMut(u64) -> u64;

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

#[cfg(test)]
mod tests;
