//! The access log is where the mesh's configuration in force says.

use std::sync::Arc;

use egret_config::snapshot::Snapshot;
use tracing::error;

use crate::current::Current;
use crate::report::access_log::AccessLog;

/// Takes the access log's settings from each configuration that comes into force and changes them.
pub(super) async fn keep_configured(current: Arc<Current>, access_log: Arc<AccessLog>) {
    let mut changes = current.changes();
    while changes.changed().await.is_ok() {
        configure(&access_log, &current.load());
    }
}

/// Opens the access log that a configuration asks for, again if it was rotated.
pub(super) fn configure(access_log: &AccessLog, snapshot: &Snapshot) {
    let mesh = &snapshot.mesh;
    if let Err(error) = access_log.configure(&mesh.access_log_file, mesh.access_log_encoding) {
        let cause = std::error::Error::source(&error)
            .map(ToString::to_string)
            .unwrap_or_default();
        error!(cause, "{error}; the access log stays where it was");
    }
}
