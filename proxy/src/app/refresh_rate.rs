//! Names that fail are asked for again as the mesh's configuration in force says.

use std::sync::Arc;

use crate::current::Current;
use crate::dns::names::Names;

/// Takes `dnsRefreshRate` from the configuration in force, and from each that comes into force.
pub(super) async fn keep_configured(current: Arc<Current>, names: Arc<Names>) {
    let mut changes = current.changes();
    loop {
        names.set_refresh_rate(current.load().mesh.dns_refresh_rate);
        if changes.changed().await.is_err() {
            return;
        }
    }
}
