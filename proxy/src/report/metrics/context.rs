//! What the shards of all workers have in common.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use egret_config::snapshot::telemetry::MetricOverrides;
use egret_config::snapshot::workload::Mode;

use crate::current::Current;
use crate::lock::lock;
use crate::report::metrics::identity::{Identity, UNKNOWN};
use crate::report::metrics::label_set::LabelSet;
use crate::report::metrics::names::BoundedNames;
use crate::report::metrics::series::{CallBuckets, Name};

/// What the shards of all workers have in common.
#[derive(Debug)]
pub struct Context {
    /// Sidecar or gateway.
    pub mode: Mode,
    /// Who reports.
    pub identity: Identity,
    /// The bounds of histograms.
    pub buckets: CallBuckets,
    /// The hosts of calls that go to no service.
    pub hosts: BoundedNames,
    /// The labels of refused calls.
    pub refused: BoundedNames,
    /// Values that became `other`.
    pub dropped: Arc<AtomicU64>,
    /// The value of a label that has none.
    pub unknown: Name,
    current: Arc<Current>,
    /// The values of labels that are expressions, by label.
    values: Mutex<BTreeMap<Arc<str>, Arc<BoundedNames>>>,
    label_sets: Mutex<Vec<Arc<LabelSet>>>,
}

impl Context {
    /// Nothing counted yet.
    pub fn new(
        mode: Mode,
        identity: Identity,
        buckets: CallBuckets,
        current: Arc<Current>,
    ) -> Self {
        let dropped = Arc::<AtomicU64>::default();
        Self {
            mode,
            identity,
            buckets,
            hosts: BoundedNames::new(Arc::clone(&dropped)),
            refused: BoundedNames::new(Arc::clone(&dropped)),
            dropped,
            unknown: Name(UNKNOWN.into()),
            current,
            values: Mutex::default(),
            label_sets: Mutex::default(),
        }
    }

    /// Whether the configuration in force names a host.
    pub fn names_host(&self, host: &str) -> bool {
        self.current.load().names_host(host)
    }

    /// The labels that are in force with these overrides. Sets that say the same are one, so that going back to an earlier
    /// configuration goes on with its series.
    pub fn label_set(&self, overrides: &MetricOverrides) -> Arc<LabelSet> {
        let new = LabelSet::new(overrides);
        let mut sets = lock(&self.label_sets);
        if let Some(known) = sets.iter().find(|set| set.fingerprint == new.fingerprint) {
            return Arc::clone(known);
        }
        let new = Arc::new(new);
        sets.push(Arc::clone(&new));
        new
    }

    /// The values of a label that is an expression.
    pub fn values(&self, label: &Arc<str>) -> Arc<BoundedNames> {
        let mut values = lock(&self.values);
        let names = values
            .entry(Arc::clone(label))
            .or_insert_with(|| Arc::new(BoundedNames::new(Arc::clone(&self.dropped))));
        Arc::clone(names)
    }
}
