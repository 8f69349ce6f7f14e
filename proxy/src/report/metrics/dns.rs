//! DNS queries, those that egret sends and those that it captures. Few enough that all threads share the counters.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::lock::lock;
use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::family::{Family, Value, labels};
use crate::report::metrics::histogram::{Buckets, Histogram};

/// The bounds of the durations, in seconds.
const BOUNDS: [f64; 11] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0,
];

/// Nanoseconds of a second.
const NANOS: f64 = 1e9;

/// `egret_dns_queries_total`
pub static QUERIES: Definition = Definition {
    name: "egret_dns_queries_total",
    kind: Kind::Counter,
    help: "DNS queries that egret sent for hosts of the configuration, by what came back.",
    labels: &["result"],
    stat: "",
};

/// `egret_dns_query_duration_seconds`
pub static DURATION: Definition = Definition {
    name: "egret_dns_query_duration_seconds",
    kind: Kind::Histogram,
    help: "From a DNS query to its response, or to the end of waiting for it.",
    labels: &[],
    stat: "",
};

/// `egret_dns_captured_queries_total`
pub static CAPTURED: Definition = Definition {
    name: "egret_dns_captured_queries_total",
    kind: Kind::Counter,
    help: "DNS queries of the application that were captured, by what it was answered.",
    labels: &["result"],
    stat: "",
};

/// What came of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryResult {
    /// An answer, maybe an empty one.
    Ok,
    /// There is no such name.
    NxDomain,
    /// The name server failed, or refuses.
    ServFail,
    /// Nobody answered in time.
    Timeout,
    /// Anything else.
    Error,
}

/// Queries by what came of them.
#[derive(Debug, Default)]
pub struct QueryCounters([AtomicU64; QueryResult::ALL.len()]);

/// The queries that egret sends.
#[derive(Debug)]
pub struct ResolverCounters {
    results: QueryCounters,
    durations: Mutex<Histogram>,
}

impl QueryResult {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Ok,
        Self::NxDomain,
        Self::ServFail,
        Self::Timeout,
        Self::Error,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NxDomain => "nxdomain",
            Self::ServFail => "servfail",
            Self::Timeout => "timeout",
            Self::Error => "error",
        }
    }
}

impl QueryCounters {
    /// One more.
    pub fn count(&self, result: QueryResult) {
        self.0[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn family(&self, definition: &'static Definition) -> Family {
        let mut family = Family::new(definition);
        for result in QueryResult::ALL {
            let count = self.0[result as usize].load(Ordering::Relaxed);
            let labels = labels(definition, &[result.name()]);
            family.add(&labels, Value::Integer(count));
        }
        family
    }

    /// The family of captured queries.
    pub fn captured(&self) -> Family {
        self.family(&CAPTURED)
    }
}

impl Default for ResolverCounters {
    /// No query yet.
    fn default() -> Self {
        let buckets: Arc<Buckets> = Buckets::new(&BOUNDS, NANOS);
        Self {
            results: QueryCounters::default(),
            durations: Mutex::new(Histogram::new(&buckets)),
        }
    }
}

impl ResolverCounters {
    /// A query came to this, after this time.
    pub fn count(&self, result: QueryResult, took: Duration) {
        self.results.count(result);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        lock(&self.durations).record(nanos);
    }

    /// The families.
    pub fn families(&self) -> [Family; 2] {
        let durations = Value::Histogram(lock(&self.durations).value());
        [
            self.results.family(&QUERIES),
            Family::single(&DURATION, durations),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::metrics::exposition::text;

    #[test]
    fn results_are_there_from_the_start_and_durations_are_seconds() {
        let counters = ResolverCounters::default();
        counters.count(QueryResult::NxDomain, Duration::from_millis(20));
        let text = text(&counters.families());
        for line in [
            "egret_dns_queries_total{result=\"ok\"} 0",
            "egret_dns_queries_total{result=\"nxdomain\"} 1",
            "egret_dns_query_duration_seconds_bucket{le=\"0.01\"} 0",
            "egret_dns_query_duration_seconds_bucket{le=\"0.025\"} 1",
            "egret_dns_query_duration_seconds_sum 0.02",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert!(!text.contains("captured"), "{text}");
    }
}
