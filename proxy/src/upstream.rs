//! Clusters: their endpoints now, load balancing, limits, outlier detection.
//!
//! What a cluster *is* comes from the snapshot; what is alive (resolved addresses, pooled connections, requests under way)
//! is here, outlives a reload that does not touch it, and belongs to one worker thread: no locks. Only what limits and
//! ejections count is the process's ([`shared_state`]).

pub mod limits;
pub mod outlier;
pub mod shared_state;
pub mod endpoints;
pub mod balance;
pub mod endpoint_set;
pub mod wanted;
pub mod resolve;
pub mod hash_key;
pub mod clusters;
pub mod cluster_runtime;
pub mod lease;
#[cfg(test)]
pub(crate) mod sample;
