//! What becomes of spans on their way to a collector.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::family::{Family, Value, labels};

/// `egret_trace_spans_exported_total`
pub static EXPORTED: Definition = Definition {
    name: "egret_trace_spans_exported_total",
    kind: Kind::Counter,
    help: "Spans that a collector took.",
    labels: &[],
    stat: "",
};

/// `egret_trace_spans_dropped_total`
pub static DROPPED: Definition = Definition {
    name: "egret_trace_spans_dropped_total",
    kind: Kind::Counter,
    help: "Spans that no collector got, by the reason.",
    labels: &["reason"],
    stat: "",
};

/// What became of spans. The exporter adds to it, from any thread.
#[derive(Debug, Default)]
pub struct SpanCounters {
    /// Spans that a collector took.
    pub exported: AtomicU64,
    /// Spans for which the queue had no room.
    pub queue_full: AtomicU64,
    /// Spans whose batch no collector took.
    pub export_failed: AtomicU64,
}

impl SpanCounters {
    /// The families.
    pub fn families(&self) -> [Family; 2] {
        let value = |count: &AtomicU64| Value::Integer(count.load(Ordering::Relaxed));
        let mut dropped = Family::new(&DROPPED);
        for (reason, count) in [
            ("queue_full", &self.queue_full),
            ("export_failed", &self.export_failed),
        ] {
            dropped.add(&labels(&DROPPED, &[reason]), value(count));
        }
        [Family::single(&EXPORTED, value(&self.exported)), dropped]
    }
}
