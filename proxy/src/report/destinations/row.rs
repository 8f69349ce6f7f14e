//! What one worker counts of one destination.

use std::net::IpAddr;
use std::sync::Arc;

use egret_config::address::EndpointAddress;
use egret_config::decide::flag::{Flag, Flags};
use egret_config::decide::outcome::OutcomeKind;
use tokio::time::Instant;

use crate::report::destinations::key::DestinationKey;
use crate::report::destinations::latency::Latencies;
use crate::report::facts::Facts;

/// What one worker counts of one destination.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Which destination.
    pub(super) key: Arc<DestinationKey>,
    /// Why calls were decided as they were, in the short form of the trail.
    pub(super) reason: Arc<str>,
    /// The version of the configuration that the reason is of.
    pub(super) reason_version: u64,
    /// The cluster of the last call that had one.
    pub(super) cluster: Option<Arc<str>>,
    /// The object that this cluster comes from.
    pub(super) object: Option<Arc<str>>,
    /// The address that was used last.
    pub(super) address: Option<RowAddress>,
    /// Calls that ended.
    pub(super) ended: u64,
    /// Calls under way.
    pub(super) active: u64,
    /// Calls that failed though they were allowed.
    pub(super) failed: u64,
    /// Bytes from the client.
    pub(super) received: u64,
    /// Bytes to the client.
    pub(super) sent: u64,
    /// How long requests took.
    pub(super) latencies: Latencies,
    /// When the first call began.
    pub(super) first: Instant,
    /// When the last call began or ended.
    pub(super) last: Instant,
}

/// An address that was used for calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowAddress {
    /// An address of IP.
    Ip(IpAddr),
    /// The path of a Unix socket.
    Unix(Arc<str>),
}

impl Row {
    /// A destination without a call.
    pub(super) fn new(key: Arc<DestinationKey>, first: Instant) -> Self {
        Self {
            address: key.address.map(RowAddress::Ip),
            key,
            reason: "".into(),
            reason_version: 0,
            cluster: None,
            object: None,
            ended: 0,
            active: 0,
            failed: 0,
            received: 0,
            sent: 0,
            latencies: Latencies::default(),
            first,
            last: first,
        }
    }

    /// Counts a call that began.
    pub(super) fn begin(&mut self, began: Instant) {
        self.active += 1;
        self.last = self.last.max(began);
    }

    /// Counts a call that ended now, but for its bytes and its cluster.
    pub(super) fn end(&mut self, facts: &Facts, now: Instant) {
        self.ended += 1;
        self.last = now;
        if is_failure(facts, self.key.verdict) {
            self.failed += 1;
        }
        if facts.is_request() {
            self.latencies
                .record(now.saturating_duration_since(facts.began));
        }
        match facts.attempts.last().map(|attempt| &attempt.endpoint) {
            Some(EndpointAddress::Ip(address)) => {
                self.address = Some(RowAddress::Ip(address.ip()));
            }
            Some(EndpointAddress::Unix(path)) => {
                self.address = Some(RowAddress::Unix(Arc::clone(path)));
            }
            None => {
                let local = facts.downstream.local_address;
                if let Some(local) = local {
                    self.address = Some(RowAddress::Ip(local.ip()));
                }
            }
        }
    }
}

/// Whether a call failed though it was allowed. A delay that the configuration asks for is no failure.
fn is_failure(facts: &Facts, verdict: OutcomeKind) -> bool {
    let has_failed = |flags: &Flags| flags.iter().any(|flag| flag != Flag::DI);
    let is_refused = matches!(
        verdict,
        OutcomeKind::Blackhole
            | OutcomeKind::NotFound
            | OutcomeKind::NoListener
            | OutcomeKind::NoChain
            | OutcomeKind::BadRequest
    );
    !is_refused && has_failed(&facts.flags)
}
