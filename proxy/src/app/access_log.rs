//! The access log is where the configuration in force says.

use std::sync::Arc;

use egret_config::snapshot::Snapshot;
use tracing::error;

use crate::current::Current;
use crate::report::access_log::AccessLog;
use crate::report::reporter::Reporter;

/// Takes the access log's settings from each configuration that comes into force and changes them.
pub(super) async fn keep_configured(
    current: Arc<Current>,
    access_log: Arc<AccessLog>,
    reporter: Arc<Reporter>,
) {
    let mut changes = current.changes();
    while changes.changed().await.is_ok() {
        configure(&access_log, &reporter, &current.load());
    }
}

/// Opens the files that a configuration asks for, again if they were rotated, and has the facts gathered that their lines
/// tell.
pub(super) fn configure(access_log: &AccessLog, reporter: &Reporter, snapshot: &Snapshot) {
    let (mut needs, errors) = access_log.configure(&snapshot.telemetry.access_logs);
    for expression in snapshot.telemetry.metrics.expressions() {
        needs.add_expression(expression);
    }
    reporter.require(&needs);
    for error in errors {
        error!("{error}");
    }
}
