//! Applies the mesh's `dnsRefreshRate` to names that fail.

use std::sync::Arc;

use crate::current::Current;
use crate::dns::names::Names;

/// Applies `dnsRefreshRate` of the current configuration and of each later one.
pub(super) async fn keep_configured(current: Arc<Current>, names: Arc<Names>) {
    let mut changes = current.changes();
    loop {
        names.set_refresh_rate(current.load().mesh.dns_refresh_rate);
        if changes.changed().await.is_err() {
            return;
        }
    }
}
