//! What is under way at a cluster: each counts itself from its beginning until it is dropped.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, Version};

use crate::report::metrics::envoy::cluster::{ClusterCounters, Count, nanos};
use crate::report::metrics::envoy::endpoint::{EndpointCount, EndpointCounters};

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
    /// What it counts as where it is given up. `None` over HTTP/1, where only connections are reset.
    reset: Option<Count>,
    complete: bool,
    endpoint: Option<Arc<EndpointCounters>>,
    /// The endpoint answered with a status below 500.
    is_well: bool,
}

/// A request that waits for a connection while this lives.
#[derive(Debug)]
pub struct PendingRequest(Arc<ClusterCounters>);

impl CountedConnection {
    /// Connecting begins.
    pub fn begin(counters: &Arc<ClusterCounters>) -> Self {
        counters.count(Count::Connections);
        counters.count(Count::ActiveConnections);
        Self {
            counters: Arc::clone(counters),
            is_http: Cell::new(false),
            is_closed: Cell::new(false),
            endpoint: OnceCell::new(),
        }
    }

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
    /// A request is sent over this version of HTTP, to an endpoint that is counted by itself or to another one.
    pub fn begin(
        counters: &Arc<ClusterCounters>,
        endpoint: Option<Arc<EndpointCounters>>,
        protocol: Version,
    ) -> Self {
        counters.count(Count::Requests);
        counters.count(Count::ActiveRequests);
        if let Some(endpoint) = &endpoint {
            endpoint.count(EndpointCount::Requests);
            endpoint.count(EndpointCount::ActiveRequests);
        }
        Self {
            counters: Arc::clone(counters),
            reset: (protocol == Version::HTTP_2).then_some(Count::ResetByProxy),
            complete: false,
            endpoint,
            is_well: false,
        }
    }

    /// The head of its response came.
    pub fn answered(&mut self, status: StatusCode) {
        self.is_well = !status.is_server_error();
    }

    /// Its response is complete.
    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// The endpoint reset its stream.
    pub fn reset_by_endpoint(&mut self) {
        self.reset = self.reset.and(Some(Count::ResetByEndpoint));
    }

    /// Its connection is over, or its endpoint did not take it: that is no reset.
    pub fn lost(&mut self) {
        self.reset = None;
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
        if let (false, Some(reset)) = (self.complete, self.reset) {
            self.counters.count(reset);
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

impl PendingRequest {
    /// A request begins to wait for a connection.
    pub fn begin(counters: &Arc<ClusterCounters>) -> Self {
        counters.count(Count::PendingRequests);
        Self(Arc::clone(counters))
    }
}

impl Drop for PendingRequest {
    fn drop(&mut self) {
        self.0.less(Count::PendingRequests);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use egret_config::address::EndpointAddress;

    use super::*;
    use crate::report::metrics::envoy::cluster::UpstreamCounters;

    fn counters() -> Arc<ClusterCounters> {
        UpstreamCounters::default().cluster(&"a".into())
    }

    #[test]
    fn a_connection_is_active_until_it_is_closed_and_by_whom_is_known() {
        let counters = counters();
        let (one, other) = (
            CountedConnection::begin(&counters),
            CountedConnection::begin(&counters),
        );
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
        let [mut complete, mut reset, given_up, mut lost] =
            [0; 4].map(|_| RequestInFlight::begin(&counters, None, Version::HTTP_2));
        complete.complete();
        reset.reset_by_endpoint();
        lost.lost();
        assert_eq!(counters.get(Count::ActiveRequests), 4);
        drop((complete, reset, given_up, lost));
        assert_eq!(counters.get(Count::ActiveRequests), 0);
        assert_eq!(counters.get(Count::ResetByEndpoint), 1);
        assert_eq!(counters.get(Count::ResetByProxy), 1);
        assert_eq!(counters.get(Count::Requests), 4);
    }

    #[test]
    fn http1_has_no_resets_of_requests() {
        let counters = counters();
        let [mut reset, given_up] =
            [0; 2].map(|_| RequestInFlight::begin(&counters, None, Version::HTTP_11));
        reset.reset_by_endpoint();
        drop((reset, given_up));
        assert_eq!(counters.get(Count::ResetByEndpoint), 0);
        assert_eq!(counters.get(Count::ResetByProxy), 0);
        assert_eq!(counters.get(Count::Requests), 2);
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
        let connection = CountedConnection::begin(&counters);
        connection.set_endpoint(endpoint());
        let [mut well, mut badly, lost] =
            [0; 3].map(|_| RequestInFlight::begin(&counters, Some(endpoint()), Version::HTTP_11));
        assert_eq!(counts(), [1, 0, 1, 3, 0, 0, 0, 3]);
        well.answered(StatusCode::NOT_FOUND);
        well.complete();
        badly.answered(StatusCode::BAD_GATEWAY);
        badly.complete();
        lost.timed_out();
        drop((well, badly, lost, connection));
        assert_eq!(counts(), [0, 0, 1, 0, 2, 1, 1, 3]);
    }
}
