//! Our own metrics, `egret_*`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use egret_config::decide::outcome::OutcomeKind;

use crate::report::metrics::context::Context;
use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::detection::Detection;
use crate::report::metrics::ejections::Ejections;
use crate::report::metrics::escape;
use crate::report::metrics::family::{Family, Value};
use crate::report::metrics::names::OTHER;
use crate::report::metrics::shard::{Copy, PROTOCOLS, Shard};

/// `egret_build_info`
pub static BUILD_INFO: Definition = Definition {
    name: "egret_build_info",
    kind: Kind::Gauge,
    help: "Always 1; the label says which version this is.",
    labels: &["version"],
    stat: "",
};

/// `egret_verdicts_total`
pub static VERDICTS: Definition = Definition {
    name: "egret_verdicts_total",
    kind: Kind::Counter,
    help: "Calls by what the configuration decided about them, each HTTP request and each byte stream once.",
    labels: &["verdict", "protocol"],
    stat: "",
};

/// `egret_refused_calls_total`
pub static REFUSED_CALLS: Definition = Definition {
    name: "egret_refused_calls_total",
    kind: Kind::Counter,
    help: "Calls that the outbound policy refused, by host, SNI or address.",
    labels: &["destination", "port", "protocol"],
    stat: "",
};

/// `egret_relay_bytes_total`
pub static RELAY_BYTES: Definition = Definition {
    name: "egret_relay_bytes_total",
    kind: Kind::Counter,
    help: "Bytes of relayed byte streams, received from clients and sent to them.",
    labels: &["direction"],
    stat: "",
};

/// `egret_series_dropped_total`
pub static SERIES_DROPPED: Definition = Definition {
    name: "egret_series_dropped_total",
    kind: Kind::Counter,
    help: "Values of labels that became `other`, since there were as many as are kept.",
    labels: &[],
    stat: "",
};

/// `egret_detections_total`
pub static DETECTIONS: Definition = Definition {
    name: "egret_detections_total",
    kind: Kind::Counter,
    help: "Outbound connections by what their first bytes are.",
    labels: &["outcome"],
    stat: "",
};

/// `egret_pool_connections`
pub static POOL_CONNECTIONS: Definition = Definition {
    name: "egret_pool_connections",
    kind: Kind::Gauge,
    help: "HTTP connections to upstreams: those that carry requests, and those that wait for the next one.",
    labels: &["state"],
    stat: "",
};

/// `egret_ejections_total`
pub static EJECTIONS: Definition = Definition {
    name: "egret_ejections_total",
    kind: Kind::Counter,
    help: "Endpoints that outlier detection ejected.",
    labels: &["cluster"],
    stat: "",
};

/// `egret_ejected_endpoints`
pub static EJECTED: Definition = Definition {
    name: "egret_ejected_endpoints",
    kind: Kind::Gauge,
    help: "Endpoints that are ejected now.",
    labels: &["cluster"],
    stat: "",
};

/// All families of this file.
pub static DEFINITIONS: [&Definition; 9] = [
    &BUILD_INFO,
    &VERDICTS,
    &REFUSED_CALLS,
    &RELAY_BYTES,
    &SERIES_DROPPED,
    &DETECTIONS,
    &POOL_CONNECTIONS,
    &EJECTIONS,
    &EJECTED,
];

/// The families that are made of what shards count.
#[derive(Debug)]
pub struct OwnFamilies {
    verdicts: Family,
    refused: Family,
    relayed: Family,
    detections: Family,
    refused_other: u64,
}

impl Default for OwnFamilies {
    /// No shard yet.
    fn default() -> Self {
        Self {
            verdicts: Family::new(&VERDICTS),
            refused: Family::new(&REFUSED_CALLS),
            relayed: Family::new(&RELAY_BYTES),
            detections: Family::new(&DETECTIONS),
            refused_other: 0,
        }
    }
}

impl OwnFamilies {
    /// Adds a shard.
    pub fn shard(&mut self, shard: &Shard, copy: &Copy) {
        for (place, verdict) in OutcomeKind::ALL.iter().enumerate() {
            for (protocol, (_, word)) in PROTOCOLS.iter().enumerate() {
                let labels = labels(&VERDICTS, &[verdict.name(), word]);
                let count = shard.verdicts(place, protocol);
                self.verdicts.add(&labels, Value::Integer(count));
            }
        }
        for (direction, bytes) in ["received", "sent"].iter().zip(shard.relayed()) {
            let labels = labels(&RELAY_BYTES, &[direction]);
            self.relayed.add(&labels, Value::Integer(bytes));
        }
        for what in Detection::ALL {
            let labels = labels(&DETECTIONS, &[what.name()]);
            let count = shard.detections(what);
            self.detections.add(&labels, Value::Integer(count));
        }
        for (labels, count) in &copy.refused {
            self.refused.add(labels, Value::Integer(*count));
        }
        self.refused_other += copy.refused_other;
    }

    /// The families.
    pub fn finish(self, context: &Context) -> Vec<Family> {
        let mut build = Family::new(&BUILD_INFO);
        let version = env!("CARGO_PKG_VERSION");
        build.add(&labels(&BUILD_INFO, &[version]), Value::Integer(1));
        let mut refused = self.refused;
        if self.refused_other > 0 {
            let labels = labels(&REFUSED_CALLS, &[OTHER; 3]);
            refused.add(&labels, Value::Integer(self.refused_other));
        }
        let dropped = context.dropped.load(Ordering::Relaxed);
        vec![
            build,
            self.verdicts,
            refused,
            self.relayed,
            self.detections,
            Family::single(&SERIES_DROPPED, Value::Integer(dropped)),
        ]
    }
}

/// The connections of pools.
pub fn pool_connections(open: u64, idle: u64) -> Family {
    let mut family = Family::new(&POOL_CONNECTIONS);
    for (state, count) in [("active", open.saturating_sub(idle)), ("idle", idle)] {
        family.add(&labels(&POOL_CONNECTIONS, &[state]), Value::Integer(count));
    }
    family
}

/// The ejections of clusters: all there ever were, and those of now.
pub fn ejections(of: &[(Arc<str>, Ejections)]) -> [Family; 2] {
    let mut families = [&EJECTIONS, &EJECTED].map(Family::new);
    for (cluster, ejections) in of {
        let text = labels(&EJECTIONS, &[cluster]);
        let counts = [ejections.total, ejections.now];
        for (family, count) in families.iter_mut().zip(counts) {
            family.add(&text, Value::Integer(count));
        }
    }
    families
}

/// The labels of a family with these values, in the order of the definition.
pub fn labels(of: &Definition, values: &[&str]) -> Arc<str> {
    let mut text = String::new();
    for (name, value) in of.labels.iter().zip(values) {
        escape::label(&mut text, name, value);
    }
    text.into()
}
