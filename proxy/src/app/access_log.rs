//! Applies the current configuration to the access log and the spans.

use std::sync::Arc;

use egret_config::snapshot::Snapshot;
use tracing::error;

use crate::current::Current;
use crate::report::access_log::AccessLog;
use crate::report::metrics::identity::Surroundings;
use crate::report::reporter::Reporter;
use crate::report::spans::Spans;
use crate::report::spans::plan::SpanPlan;

/// Takes the access log's settings from each configuration that comes into force and changes them.
pub(super) async fn keep_configured(current: Arc<Current>, reports: Reports) {
    let mut changes = current.changes();
    while changes.changed().await.is_ok() {
        configure(&reports, &current.load());
    }
}

/// The settings of reports in the configuration.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    pub(super) access_log: Arc<AccessLog>,
    pub(super) spans: Arc<Spans>,
    pub(super) reporter: Arc<Reporter>,
    /// The workload's attributes of spans.
    pub(super) surroundings: Surroundings,
}

/// Opens the files of a configuration, again if they were rotated, and enables the facts that their lines and spans need.
pub(super) fn configure(reports: &Reports, snapshot: &Snapshot) {
    let Reports {
        access_log,
        spans,
        reporter,
        surroundings,
    } = reports;
    let (mut needs, errors) = access_log.configure(&snapshot.telemetry.access_logs);
    let plan = SpanPlan::of(snapshot, surroundings);
    if let Some(plan) = &plan {
        plan.add_needs(&mut needs);
    }
    spans.set_plan(plan.map(Arc::new));
    for expression in snapshot.telemetry.metrics.expressions() {
        needs.add_expression(expression);
    }
    reporter.require(&needs);
    for error in errors {
        error!("{error}");
    }
}
