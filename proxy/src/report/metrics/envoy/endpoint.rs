//! What one worker counts of the endpoints of a cluster, for the admin page of clusters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use egret_config::address::EndpointAddress;
use egret_config::fast_map::FastMap;

use crate::lock::lock;
use crate::report::metrics::histogram::{add, subtract};

/// How many endpoints of a cluster are counted by themselves: the addresses of names may change for ever.
const ENDPOINTS_MAX: usize = 1024;

/// What is counted of an endpoint, in the order in which Envoy shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointCount {
    /// Connections there are.
    ActiveConnections,
    /// Those that did not come about.
    ConnectFailures,
    /// Connections that were begun.
    Connections,
    /// Requests under way.
    ActiveRequests,
    /// Requests that had no answer, or one of 500 and more.
    Errors,
    /// Requests that were answered otherwise.
    Successes,
    /// Requests whose route's time limit passed.
    Timeouts,
    /// Requests sent, each attempt once.
    Requests,
}

impl EndpointCount {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ActiveConnections,
        Self::ConnectFailures,
        Self::Connections,
        Self::ActiveRequests,
        Self::Errors,
        Self::Successes,
        Self::Timeouts,
        Self::Requests,
    ];

    /// Envoy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ActiveConnections => "cx_active",
            Self::ConnectFailures => "cx_connect_fail",
            Self::Connections => "cx_total",
            Self::ActiveRequests => "rq_active",
            Self::Errors => "rq_error",
            Self::Successes => "rq_success",
            Self::Timeouts => "rq_timeout",
            Self::Requests => "rq_total",
        }
    }

    /// Whether it also goes down.
    pub fn is_gauge(self) -> bool {
        matches!(self, Self::ActiveConnections | Self::ActiveRequests)
    }
}

/// The counts of one endpoint, in the order of [`EndpointCount::ALL`].
pub type EndpointCounts = [u64; EndpointCount::ALL.len()];

/// The counters of one endpoint on one worker.
#[derive(Debug, Default)]
pub struct EndpointCounters([AtomicU64; EndpointCount::ALL.len()]);

/// The counters of the endpoints of a cluster on one worker.
#[derive(Debug, Default)]
pub struct EndpointTable(Mutex<FastMap<EndpointAddress, Arc<EndpointCounters>>>);

impl EndpointCounters {
    /// Counts one more.
    pub fn count(&self, what: EndpointCount) {
        add(&self.0[what as usize], 1);
    }

    /// Counts one less.
    pub fn less(&self, what: EndpointCount) {
        subtract(&self.0[what as usize], 1);
    }
}

impl EndpointTable {
    /// The counters of an endpoint; `None` where there are too many.
    pub fn of(&self, address: &EndpointAddress) -> Option<Arc<EndpointCounters>> {
        let mut table = lock(&self.0);
        if let Some(known) = table.get(address) {
            return Some(Arc::clone(known));
        }
        if table.len() >= ENDPOINTS_MAX {
            return None;
        }
        let new = Arc::<EndpointCounters>::default();
        table.insert(address.clone(), Arc::clone(&new));
        Some(new)
    }

    /// Adds what is counted to sums by endpoint.
    #[allow(clippy::iter_over_hash_type, reason = "each is added to its own sum")]
    pub fn add_to(&self, sums: &mut BTreeMap<EndpointAddress, EndpointCounts>) {
        for (address, counters) in &*lock(&self.0) {
            let sum = sums.entry(address.clone()).or_default();
            for (sum, count) in sum.iter_mut().zip(&counters.0) {
                *sum += count.load(Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_counted_by_themselves_up_to_a_limit() {
        let table = EndpointTable::default();
        let address = |port: u16| EndpointAddress::Ip(([10, 0, 0, 1], port).into());
        for port in 0..ENDPOINTS_MAX as u16 {
            let endpoint = table.of(&address(port)).expect("room");
            endpoint.count(EndpointCount::Requests);
        }
        assert!(table.of(&address(u16::MAX)).is_none());
        let known = table.of(&address(7)).expect("it is known");
        known.count(EndpointCount::Requests);
        known.count(EndpointCount::ActiveRequests);
        known.less(EndpointCount::ActiveRequests);
        let mut sums = BTreeMap::new();
        table.add_to(&mut sums);
        table.add_to(&mut sums);
        assert_eq!(sums.len(), ENDPOINTS_MAX);
        assert_eq!(sums[&address(7)], [0, 0, 0, 0, 0, 0, 0, 4]);
        assert_eq!(sums[&address(8)], [0, 0, 0, 0, 0, 0, 0, 2]);
    }
}
