//! What one worker counts of one cluster: connections, requests, bytes.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use crate::lock::lock;
use crate::report::metrics::envoy::endpoint::{EndpointCount, EndpointCounters, EndpointTable};
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

/// A connection to an endpoint: counted from the moment at which connecting begins until this is dropped.
#[derive(Debug)]
pub struct CountedConnection {
    counters: Arc<ClusterCounters>,
    /// It carries HTTP, and its bytes are counted here.
    is_http: Cell<bool>,
    /// The endpoint closed it.
    is_closed: Cell<bool>,
    /// The counters of the endpoint, once it is connected.
    endpoint: OnceCell<Arc<EndpointCounters>>,
}

/// A request on its way: counted from the moment at which it is sent until this is dropped. It was given up unless it was
/// said how it ended.
#[derive(Debug)]
pub struct RequestInFlight {
    counters: Arc<ClusterCounters>,
    end: Option<Count>,
    complete: bool,
    endpoint: Option<Arc<EndpointCounters>>,
    /// The endpoint answered with a status below 500.
    is_well: bool,
}

/// A request that waits for a connection while this lives.
#[derive(Debug)]
pub struct PendingRequest(Arc<ClusterCounters>);

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

    fn less(&self, what: Count) {
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

    /// A request begins to wait for a connection.
    pub fn pending(self: &Arc<Self>) -> PendingRequest {
        self.count(Count::PendingRequests);
        PendingRequest(Arc::clone(self))
    }

    /// A request is sent, to an endpoint that is counted by itself or to another one.
    pub fn request(self: &Arc<Self>, endpoint: Option<Arc<EndpointCounters>>) -> RequestInFlight {
        self.count(Count::Requests);
        self.count(Count::ActiveRequests);
        if let Some(endpoint) = &endpoint {
            endpoint.count(EndpointCount::Requests);
            endpoint.count(EndpointCount::ActiveRequests);
        }
        RequestInFlight {
            counters: Arc::clone(self),
            end: None,
            complete: false,
            endpoint,
            is_well: false,
        }
    }

    /// Connecting begins.
    pub fn connection(self: &Arc<Self>) -> CountedConnection {
        self.count(Count::Connections);
        self.count(Count::ActiveConnections);
        CountedConnection {
            counters: Arc::clone(self),
            is_http: Cell::new(false),
            is_closed: Cell::new(false),
            endpoint: OnceCell::new(),
        }
    }
}

impl CountedConnection {
    /// Connected to this endpoint.
    pub fn set_endpoint(&self, endpoint: Arc<EndpointCounters>) {
        endpoint.count(EndpointCount::Connections);
        endpoint.count(EndpointCount::ActiveConnections);
        if let Err(endpoint) = self.endpoint.set(endpoint) {
            endpoint.less(EndpointCount::ActiveConnections);
        }
    }

    /// Connected, after this time.
    pub fn connected(&self, took: Duration) {
        self.counters.connect_time.record(nanos(took));
    }

    /// There will be no connection. `timed_out` says that it took too long.
    pub fn failed(&self, timed_out: bool) {
        self.counters.count(Count::ConnectFailures);
        match timed_out {
            true => self.counters.count(Count::ConnectTimeouts),
            false => self.is_closed.set(true),
        }
    }

    /// It carries HTTP: its bytes are those that are read and written.
    pub fn set_http(&self) {
        if !self.is_http.replace(true) {
            self.counters.count(Count::ActiveHttpConnections);
        }
    }

    /// Bytes were read; none is the end.
    pub fn read(&self, bytes: usize) {
        if bytes == 0 {
            self.is_closed.set(true);
        } else if self.is_http.get() {
            self.counters.add(Count::BytesReceived, bytes as u64);
        }
    }

    /// Bytes were written.
    pub fn wrote(&self, bytes: usize) {
        if self.is_http.get() {
            self.counters.add(Count::BytesSent, bytes as u64);
        }
    }

    /// The endpoint closed or reset it.
    pub fn set_closed(&self) {
        self.is_closed.set(true);
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.counters.less(Count::ActiveConnections);
        if let Some(endpoint) = self.endpoint.get() {
            endpoint.less(EndpointCount::ActiveConnections);
        }
        if self.is_http.get() {
            self.counters.less(Count::ActiveHttpConnections);
        }
        self.counters.count(match self.is_closed.get() {
            true => Count::ClosedByEndpoint,
            false => Count::ClosedByProxy,
        });
    }
}

impl RequestInFlight {
    /// The head of its response came.
    pub fn answered(&mut self, status: StatusCode) {
        self.is_well = !status.is_server_error();
    }

    /// Its response is complete.
    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// The endpoint gave it up.
    pub fn reset_by_endpoint(&mut self) {
        self.end = Some(Count::ResetByEndpoint);
    }

    /// The route's time limit passed.
    pub fn timed_out(&self) {
        self.counters.count(Count::Timeouts);
        if let Some(endpoint) = &self.endpoint {
            endpoint.count(EndpointCount::Timeouts);
        }
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.counters.less(Count::ActiveRequests);
        if !self.complete {
            self.counters.count(self.end.unwrap_or(Count::ResetByProxy));
        }
        if let Some(endpoint) = &self.endpoint {
            endpoint.less(EndpointCount::ActiveRequests);
            endpoint.count(match self.complete && self.is_well {
                true => EndpointCount::Successes,
                false => EndpointCount::Errors,
            });
        }
    }
}

impl Drop for PendingRequest {
    fn drop(&mut self) {
        self.0.less(Count::PendingRequests);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use egret_config::address::EndpointAddress;

    use super::*;

    fn counters() -> Arc<ClusterCounters> {
        UpstreamCounters::default().cluster(&"a".into())
    }

    #[test]
    fn a_connection_is_active_until_it_is_closed_and_by_whom_is_known() {
        let counters = counters();
        let (one, other) = (counters.connection(), counters.connection());
        one.set_http();
        one.read(7);
        one.wrote(5);
        other.read(9);
        one.read(0);
        let active = |what| counters.get(what);
        assert_eq!(active(Count::ActiveConnections), 2);
        assert_eq!(active(Count::ActiveHttpConnections), 1);
        drop((one, other));
        assert_eq!(active(Count::ActiveConnections), 0);
        assert_eq!(active(Count::ActiveHttpConnections), 0);
        assert_eq!(active(Count::ClosedByEndpoint), 1);
        assert_eq!(active(Count::ClosedByProxy), 1);
        assert_eq!(
            (active(Count::BytesReceived), active(Count::BytesSent)),
            (7, 5)
        );
    }

    #[test]
    fn a_request_is_complete_given_up_or_reset() {
        let counters = counters();
        let [mut complete, mut reset, given_up] = [0; 3].map(|_| counters.request(None));
        complete.complete();
        reset.reset_by_endpoint();
        assert_eq!(counters.get(Count::ActiveRequests), 3);
        drop((complete, reset, given_up));
        assert_eq!(counters.get(Count::ActiveRequests), 0);
        assert_eq!(counters.get(Count::ResetByEndpoint), 1);
        assert_eq!(counters.get(Count::ResetByProxy), 1);
        assert_eq!(counters.get(Count::Requests), 3);
    }

    #[test]
    fn an_endpoint_has_connections_and_requests_of_its_own() {
        let counters = counters();
        let address = EndpointAddress::Ip(([10, 0, 0, 1], 80).into());
        let endpoint = || counters.by_endpoint.of(&address).expect("room");
        let counts = || {
            let mut sums = BTreeMap::new();
            counters.by_endpoint.add_to(&mut sums);
            sums[&address]
        };
        let connection = counters.connection();
        connection.set_endpoint(endpoint());
        let [mut well, mut badly, lost] = [0; 3].map(|_| counters.request(Some(endpoint())));
        assert_eq!(counts(), [1, 0, 1, 3, 0, 0, 0, 3]);
        well.answered(StatusCode::NOT_FOUND);
        well.complete();
        badly.answered(StatusCode::BAD_GATEWAY);
        badly.complete();
        lost.timed_out();
        drop((well, badly, lost, connection));
        assert_eq!(counts(), [0, 0, 1, 0, 2, 1, 1, 3]);
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
