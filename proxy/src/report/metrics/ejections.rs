//! Ejections of endpoints, which all workers decide together.

use std::fmt;
use std::sync::Arc;

/// The ejections of one cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ejections {
    /// All there ever were.
    pub total: u64,
    /// Endpoints that are ejected now.
    pub now: u64,
}

/// What knows the ejections of clusters.
pub trait EjectionSource: Send + Sync {
    /// The ejections of each cluster that ever had one.
    fn ejections(&self) -> Vec<(Arc<str>, Ejections)>;
}

impl fmt::Debug for dyn EjectionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EjectionSource")
    }
}
