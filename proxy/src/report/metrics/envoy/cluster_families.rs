//! The counters of clusters as families.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::ejections::Ejections;
use crate::report::metrics::envoy::cluster::{ClusterCounters, Count, UpstreamCounters};
use crate::report::metrics::escape;
use crate::report::metrics::family::{Family, Value};
use crate::report::metrics::own::labels;

/// The labels of a cluster.
const CLUSTER: &[&str] = &["cluster_name"];

/// Families of one number for each cluster.
macro_rules! numbers {
    ($($count:ident $kind:ident $name:literal,)*) => {
        /// The families of one number for each cluster, and which one.
        pub static NUMBERS: &[(Definition, Count)] = &[$((
            Definition {
                name: concat!("envoy_cluster_", $name),
                kind: Kind::$kind,
                help: "",
                labels: CLUSTER,
                stat: concat!("cluster.$;.", $name),
            },
            Count::$count,
        ),)*];
    };
}

numbers! {
    Connections Counter "upstream_cx_total",
    ActiveConnections Gauge "upstream_cx_active",
    ConnectFailures Counter "upstream_cx_connect_fail",
    ConnectTimeouts Counter "upstream_cx_connect_timeout",
    BytesReceived Counter "upstream_cx_rx_bytes_total",
    BytesSent Counter "upstream_cx_tx_bytes_total",
    ClosedByProxy Counter "upstream_cx_destroy_local",
    ClosedByEndpoint Counter "upstream_cx_destroy_remote",
    ConnectionOverflows Counter "upstream_cx_overflow",
    Requests Counter "upstream_rq_total",
    ActiveRequests Gauge "upstream_rq_active",
    PendingRequests Gauge "upstream_rq_pending_active",
    Completed Counter "upstream_rq_completed",
    Retries Counter "upstream_rq_retry",
    RetrySuccesses Counter "upstream_rq_retry_success",
    RetryOverflows Counter "upstream_rq_retry_overflow",
    Timeouts Counter "upstream_rq_timeout",
    PendingOverflows Counter "upstream_rq_pending_overflow",
    ResetByProxy Counter "upstream_rq_tx_reset",
    ResetByEndpoint Counter "upstream_rq_rx_reset",
}

/// `envoy_cluster_upstream_rq`, by code and by class.
pub static CODES: Definition = Definition {
    name: "envoy_cluster_upstream_rq",
    kind: Kind::Counter,
    help: "",
    labels: &["cluster_name", "response_code", "response_code_class"],
    stat: "cluster.$;.upstream_rq_$",
};

/// `envoy_cluster_upstream_rq_time`
pub static REQUEST_TIME: Definition = Definition {
    name: "envoy_cluster_upstream_rq_time",
    kind: Kind::Histogram,
    help: "",
    labels: CLUSTER,
    stat: "cluster.$;.upstream_rq_time",
};

/// `envoy_cluster_upstream_cx_connect_ms`
pub static CONNECT_TIME: Definition = Definition {
    name: "envoy_cluster_upstream_cx_connect_ms",
    kind: Kind::Histogram,
    help: "",
    labels: CLUSTER,
    stat: "cluster.$;.upstream_cx_connect_ms",
};

/// `envoy_cluster_membership_total`
pub static MEMBERSHIP: Definition = Definition {
    name: "envoy_cluster_membership_total",
    kind: Kind::Gauge,
    help: "",
    labels: CLUSTER,
    stat: "cluster.$;.membership_total",
};

/// `envoy_cluster_membership_healthy`
pub static MEMBERSHIP_HEALTHY: Definition = Definition {
    name: "envoy_cluster_membership_healthy",
    kind: Kind::Gauge,
    help: "",
    labels: CLUSTER,
    stat: "cluster.$;.membership_healthy",
};

/// `envoy_tcp_downstream_cx_total`
pub static STREAMS: Definition = Definition {
    name: "envoy_tcp_downstream_cx_total",
    kind: Kind::Counter,
    help: "",
    labels: &["tcp_prefix"],
    stat: "tcp.$.downstream_cx_total",
};

/// All families of clusters.
pub fn definitions() -> impl Iterator<Item = &'static Definition> {
    let numbers = NUMBERS.iter().map(|(definition, _)| definition);
    numbers.chain([
        &CODES,
        &REQUEST_TIME,
        &CONNECT_TIME,
        &MEMBERSHIP,
        &MEMBERSHIP_HEALTHY,
        &STREAMS,
    ])
}

/// The families of clusters while workers are added to them.
#[derive(Debug)]
pub struct ClusterFamilies {
    numbers: Vec<Family>,
    codes: Family,
    request_time: Family,
    connect_time: Family,
    streams: Family,
    /// The endpoints of each cluster: workers know the same ones.
    endpoints: BTreeMap<Arc<str>, u64>,
    /// HTTP connections to all endpoints.
    pub http_connections: u64,
}

impl Default for ClusterFamilies {
    /// No worker yet.
    fn default() -> Self {
        let numbers = NUMBERS.iter();
        Self {
            numbers: numbers
                .map(|(definition, _)| Family::new(definition))
                .collect(),
            codes: Family::new(&CODES),
            request_time: Family::new(&REQUEST_TIME),
            connect_time: Family::new(&CONNECT_TIME),
            streams: Family::new(&STREAMS),
            endpoints: BTreeMap::new(),
            http_connections: 0,
        }
    }
}

impl ClusterFamilies {
    /// Adds the clusters that a worker called.
    pub fn worker(&mut self, counters: &UpstreamCounters) {
        for (name, counters) in counters.all() {
            self.cluster(&name, &counters);
        }
    }

    fn cluster(&mut self, name: &Arc<str>, counters: &ClusterCounters) {
        let text = labels(&MEMBERSHIP, &[name]);
        for (family, (_, count)) in self.numbers.iter_mut().zip(NUMBERS) {
            family.add(&text, Value::Integer(counters.get(*count)));
        }
        for (code, count) in counters.codes() {
            let class = format!("{}xx", code / 100);
            let code = code.to_string();
            for (label, value) in [("response_code", code), ("response_code_class", class)] {
                let mut text = text.to_string();
                escape::label(&mut text, label, &value);
                self.codes.add(&text.into(), Value::Integer(count));
            }
        }
        for (family, histogram) in [
            (&mut self.request_time, &counters.request_time),
            (&mut self.connect_time, &counters.connect_time),
        ] {
            let value = histogram.value();
            if value.count() > 0 {
                family.add(&text, Value::Histogram(value));
            }
        }
        let streams = counters.get(Count::Streams);
        if streams > 0 {
            self.streams(name, streams);
        }
        self.http_connections += counters.get(Count::ActiveHttpConnections);
        let known = self.endpoints.entry(Arc::clone(name)).or_default();
        *known = (*known).max(counters.endpoints());
    }

    /// Adds byte streams that went somewhere.
    pub fn streams(&mut self, to: &str, count: u64) {
        let text = labels(&STREAMS, &[to]);
        self.streams.add(&text, Value::Integer(count));
    }

    /// The families, with the endpoints that are ejected.
    pub fn finish(self, ejections: &[(Arc<str>, Ejections)]) -> Vec<Family> {
        let ejected = |name: &Arc<str>| {
            let of = ejections.iter().find(|(cluster, _)| cluster == name);
            of.map_or(0, |(_, ejections)| ejections.now)
        };
        let mut membership = [Family::new(&MEMBERSHIP), Family::new(&MEMBERSHIP_HEALTHY)];
        for (name, all) in &self.endpoints {
            let text = labels(&MEMBERSHIP, &[name]);
            let healthy = all.saturating_sub(ejected(name));
            for (family, count) in membership.iter_mut().zip([*all, healthy]) {
                family.add(&text, Value::Integer(count));
            }
        }
        let mut families = self.numbers;
        families.extend([
            self.codes,
            self.request_time,
            self.connect_time,
            self.streams,
        ]);
        families.extend(membership);
        families
    }
}
