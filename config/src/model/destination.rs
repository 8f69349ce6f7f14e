//! Where rules lead.

use std::sync::Arc;

/// `destination`: a host, maybe a subset of it, maybe a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The host, completed if it was short.
    pub host: Arc<str>,
    /// `subset`.
    pub subset: Option<Arc<str>>,
    /// `port.number`.
    pub port: Option<u16>,
}
