//! The destinations of all workers together.

use std::sync::Arc;
use std::time::SystemTime;

use egret_config::decide::outcome::OutcomeKind;

use crate::report::destinations::key::DestinationKey;
use crate::report::destinations::latency::Latencies;
use crate::report::destinations::row::{Row, RowAddress};
use crate::report::now::Now;

/// All destinations at one moment.
#[derive(Debug)]
pub struct Listing {
    /// When the process began to count.
    pub since: SystemTime,
    /// When this was read.
    pub now: SystemTime,
    /// Those that were called, in the order in which they were called first.
    pub destinations: Vec<Destination>,
    /// Calls of destinations that there was no room for.
    pub dropped: u64,
}

/// One destination.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Which.
    pub key: Arc<DestinationKey>,
    /// Why calls were decided as they were, in the short form of the trail.
    pub reason: Arc<str>,
    /// The cluster of the last call that had one.
    pub cluster: Option<Arc<str>>,
    /// The object that this cluster comes from, as `Kind namespace/name`.
    pub object: Option<Arc<str>>,
    /// The address that was used last.
    pub address: Option<RowAddress>,
    /// Calls, those under way among them.
    pub calls: u64,
    /// Calls under way.
    pub active: u64,
    /// Calls that failed though they were allowed.
    pub failed: u64,
    /// Bytes from the client.
    pub received: u64,
    /// Bytes to the client.
    pub sent: u64,
    /// How long requests took.
    pub latencies: Latencies,
    /// When the first call began.
    pub first: SystemTime,
    /// When the last call began or ended.
    pub last: SystemTime,
}

impl Destination {
    /// One worker's row.
    pub(super) fn new(row: Row, now: Now) -> Self {
        Self {
            calls: row.ended + row.active,
            active: row.active,
            failed: row.failed,
            received: row.received,
            sent: row.sent,
            first: now.time_of(row.first),
            last: now.time_of(row.last),
            latencies: row.latencies,
            reason: row.reason,
            cluster: row.cluster,
            object: row.object,
            address: row.address,
            key: row.key,
        }
    }

    /// Adds another worker's row. What calls set anew is of the later one.
    pub(super) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.active += other.active;
        self.failed += other.failed;
        self.received += other.received;
        self.sent += other.sent;
        self.latencies.add(&other.latencies);
        self.first = self.first.min(other.first);
        if other.last >= self.last && other.calls > 0 {
            self.last = other.last;
            self.reason = other.reason;
            self.address = other.address;
            self.cluster = other.cluster.or(self.cluster.take());
            self.object = other.object.or(self.object.take());
        }
    }

    /// What was decided about its calls.
    pub fn verdict(&self) -> OutcomeKind {
        self.key.verdict
    }
}
