//! The questions a proxy asks of a snapshot. Nothing here can fail, wait or roll dice of its own: the caller passes them.

pub mod call;
pub mod verdict;

use crate::decide::call::Arrival;
use crate::decide::call::Connection;
use crate::decide::call::Request;
use crate::decide::verdict::ConnectionDecision;
use crate::decide::verdict::Reading;
use crate::decide::verdict::RequestDecision;
use crate::decide::verdict::RequestVerdict;
use crate::decide::verdict::Trail;
use crate::decide::verdict::Verdict;
use crate::snapshot::Snapshot;

/// A source of chance: returns a number below its argument. Passed in, so that decisions can be repeated.
pub type Dice<'d> = &'d mut dyn FnMut(u64) -> u64;

/// How the first bytes of an arrival are to be read.
pub fn reading(_snapshot: &Snapshot, _arrival: &Arrival) -> Reading {
    Reading::Sniff {
        silence_max: std::time::Duration::from_millis(200),
    }
}

/// What happens to a connection, now that its first bytes are known.
pub fn connection<'s>(
    _snapshot: &'s Snapshot,
    call: &Connection<'_>,
    _dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    let verdict = match call.layer {
        crate::decide::call::Layer::Http(_) => Verdict::Http,
        _ => Verdict::Pass,
    };
    ConnectionDecision {
        verdict,
        cluster: None,
        trail: Trail::default(),
    }
}

/// What happens to one HTTP request.
pub fn request<'s>(
    _snapshot: &'s Snapshot,
    _call: &Request<'_>,
    _dice: Dice<'_>,
) -> RequestDecision<'s> {
    RequestDecision {
        verdict: RequestVerdict::Pass,
        virtual_host: None,
        route: Some("allow_any"),
        trail: Trail::default(),
    }
}
