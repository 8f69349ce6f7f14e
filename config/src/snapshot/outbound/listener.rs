//! Listeners of a sidecar.

use std::sync::Arc;

use crate::snapshot::chains::{FilterChains, StreamRoute};
use crate::snapshot::table::RouteTable;

/// One listener.
#[derive(Debug)]
pub(crate) struct Listener {
    /// `address:port`.
    pub(crate) key: Arc<str>,
    /// What it does with plaintext HTTP.
    pub(crate) http: Option<Arc<RouteTable>>,
    /// Bytes are HTTP whatever they look like (a Sidecar's `bind`).
    pub(crate) http_only: bool,
    /// What it does with other streams, and with HTTP when it has no table.
    pub(crate) streams: FilterChains<StreamRoute>,
}
