//! The counters of the clusters that one worker calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::lock;
use crate::report::metrics::envoy::endpoint::EndpointTable;
use crate::report::metrics::envoy::pool::PoolCounters;
use crate::report::metrics::histogram::{BOUNDS_DEFAULT, Buckets, Histogram, add, subtract};

/// Nanoseconds of a millisecond.
const NANOS: f64 = 1e6;

/// Status codes of one class.
const CLASS: usize = 100;

/// What is counted of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Connections that were begun.
    Connections,
    /// Those that did not come about.
    ConnectFailures,
    /// Those that took too long.
    ConnectTimeouts,
    /// Bytes from endpoints.
    BytesReceived,
    /// Bytes to endpoints.
    BytesSent,
    /// Connections that egret closed.
    ClosedByProxy,
    /// Connections that the endpoint closed.
    ClosedByEndpoint,
    /// `maxConnections` was in the way.
    ConnectionOverflows,
    /// Requests sent, each attempt once.
    Requests,
    /// Requests answered, by an endpoint or in its stead.
    Completed,
    /// Further attempts.
    Retries,
    /// Requests of which a further attempt was answered well.
    RetrySuccesses,
    /// `maxRetries` or the retry budget was in the way.
    RetryOverflows,
    /// Requests whose route's time limit passed.
    Timeouts,
    /// `http1MaxPendingRequests` was in the way.
    PendingOverflows,
    /// `http2MaxRequests` was in the way.
    RequestOverflows,
    /// Requests that egret gave up.
    ResetByProxy,
    /// Requests that the endpoint gave up.
    ResetByEndpoint,
    /// Byte streams that were decided to go there.
    Streams,
    /// Connections there are.
    ActiveConnections,
    /// Those of them that carry HTTP.
    ActiveHttpConnections,
    /// Requests under way.
    ActiveRequests,
    /// Requests that wait for a connection.
    PendingRequests,
}

/// How many there are.
const COUNTS: usize = Count::PendingRequests as usize + 1;

/// The counters of one cluster on one worker.
#[derive(Debug)]
pub struct ClusterCounters {
    counts: [AtomicU64; COUNTS],
    /// Answered requests by status code, classes from 1xx on; a class has its memory once a code of it came.
    codes: [OnceLock<Box<[AtomicU64]>>; 5],
    /// From sending a request to the end of its response, in nanoseconds.
    pub request_time: Histogram,
    /// How long connecting took, in nanoseconds.
    pub connect_time: Histogram,
    /// Endpoints that this worker knows.
    endpoints: AtomicU64,
    /// The counters of each.
    pub by_endpoint: EndpointTable,
}

/// The counters of the clusters that one worker called. They outlive configurations.
#[derive(Debug)]
pub struct UpstreamCounters {
    by_cluster: Mutex<BTreeMap<Arc<str>, Arc<ClusterCounters>>>,
    /// Of the pools of all clusters.
    pub pool: Arc<PoolCounters>,
    buckets: UpstreamBuckets,
}

/// The bounds of the histograms of clusters.
#[derive(Clone, Debug)]
pub struct UpstreamBuckets {
    /// Of `envoy_cluster_upstream_rq_time`, in nanoseconds.
    pub request_time: Arc<Buckets>,
    /// Of `envoy_cluster_upstream_cx_connect_ms`, in nanoseconds.
    pub connect_time: Arc<Buckets>,
}

impl UpstreamCounters {
    /// No cluster called yet; the histograms have these buckets.
    pub fn new(buckets: &UpstreamBuckets) -> Self {
        Self {
            by_cluster: Mutex::default(),
            pool: Arc::default(),
            buckets: buckets.clone(),
        }
    }

    /// The counters of a cluster.
    pub fn cluster(&self, name: &Arc<str>) -> Arc<ClusterCounters> {
        let mut all = lock(&self.by_cluster);
        let counters = all
            .entry(Arc::clone(name))
            .or_insert_with(|| Arc::new(ClusterCounters::new(&self.buckets)));
        Arc::clone(counters)
    }

    /// All clusters that were called, by name.
    pub fn all(&self) -> Vec<(Arc<str>, Arc<ClusterCounters>)> {
        let all = lock(&self.by_cluster);
        let each = all.iter();
        each.map(|(name, counters)| (Arc::clone(name), Arc::clone(counters)))
            .collect()
    }
}

impl Default for UpstreamCounters {
    fn default() -> Self {
        let buckets = Buckets::new(&BOUNDS_DEFAULT, NANOS);
        Self::new(&UpstreamBuckets {
            request_time: Arc::clone(&buckets),
            connect_time: buckets,
        })
    }
}

impl ClusterCounters {
    fn new(buckets: &UpstreamBuckets) -> Self {
        Self {
            counts: Default::default(),
            codes: Default::default(),
            request_time: Histogram::new(&buckets.request_time),
            connect_time: Histogram::new(&buckets.connect_time),
            endpoints: AtomicU64::new(0),
            by_endpoint: EndpointTable::default(),
        }
    }

    /// Counts one more.
    pub fn count(&self, what: Count) {
        self.add(what, 1);
    }

    /// Counts so many more.
    pub fn add(&self, what: Count, more: u64) {
        add(&self.counts[what as usize], more);
    }

    /// Counts one less of what there is.
    pub(super) fn less(&self, what: Count) {
        subtract(&self.counts[what as usize], 1);
    }

    /// How many there were, or are.
    pub fn get(&self, what: Count) -> u64 {
        self.counts[what as usize].load(Ordering::Relaxed)
    }

    /// Sets how many endpoints there are.
    pub fn set_endpoints(&self, count: usize) {
        self.endpoints.store(count as u64, Ordering::Relaxed);
    }

    /// How many endpoints there are.
    pub fn endpoints(&self) -> u64 {
        self.endpoints.load(Ordering::Relaxed)
    }

    /// A request was answered with this status; `sent` is when its last attempt began, if an endpoint answered that.
    pub fn completed(&self, code: u16, sent: Option<Instant>) {
        let (class, place) = (usize::from(code) / CLASS, usize::from(code) % CLASS);
        let Some(codes) = class.checked_sub(1).and_then(|class| self.codes.get(class)) else {
            return;
        };
        self.count(Count::Completed);
        let codes = codes.get_or_init(|| (0..CLASS).map(|_| AtomicU64::new(0)).collect());
        if let Some(count) = codes.get(place) {
            add(count, 1);
        }
        if let Some(sent) = sent {
            self.request_time.record(nanos(sent.elapsed()));
        }
    }

    /// Answered requests by status code; codes that never came are left out.
    pub fn codes(&self) -> Vec<(u16, u64)> {
        let mut found = Vec::new();
        for (class, codes) in (1_u16..).zip(&self.codes) {
            for (place, count) in (0_u16..).zip(codes.get().map_or(&[][..], |codes| codes)) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    found.push((class * CLASS as u16 + place, count));
                }
            }
        }
        found
    }
}

/// A time in the unit of the histograms.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters() -> Arc<ClusterCounters> {
        UpstreamCounters::default().cluster(&"a".into())
    }

    #[test]
    fn codes_are_counted_and_what_is_no_code_is_not() {
        let counters = counters();
        for code in [200, 204, 200, 599, 100, 0, 99, 600] {
            counters.completed(code, None);
        }
        assert_eq!(counters.codes(), [(100, 1), (200, 2), (204, 1), (599, 1)]);
        assert_eq!(counters.get(Count::Completed), 5);
    }
}
