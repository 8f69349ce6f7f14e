//! The runtime state of clusters: their current endpoints, load balancing, limits, outlier detection.
//!
//! The definition of a cluster comes from the snapshot. Its state (resolved addresses, pooled connections, active requests)
//! is kept here. It belongs to one worker thread, so it needs no locks, and it survives reloads that do not change the
//! cluster. Only the counts for limits and ejections are shared by all workers ([`shared_state`]).

pub mod limits;
pub mod outlier;
pub mod shared_state;
pub mod endpoints;
pub mod balance;
pub mod endpoint_set;
pub mod load_balancer_context;
pub mod resolve;
pub mod hash_key;
pub mod clusters;
pub mod cluster_runtime;
pub mod lease;
#[cfg(test)]
pub(crate) mod sample;
