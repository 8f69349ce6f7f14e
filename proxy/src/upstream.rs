//! The way to an upstream: who is behind a cluster now, which of them is picked, and a connection to it.
//!
//! What a cluster *is* comes from the snapshot; what is alive (resolved addresses, pooled connections, requests under way)
//! is here, outlives a reload that does not touch it, and belongs to one worker thread: no locks. Only what limits and
//! ejections count is the process's ([`standing`]).

pub mod limits;
pub mod outlier;
pub mod standing;
pub mod body;
pub mod endpoints;
pub mod balance;
pub mod found;
pub mod alternates;
pub mod resolve;
pub mod hash_key;
pub mod proxy_protocol;
pub mod posted;
pub mod stream;
pub mod connect;
pub mod tunnel;
pub mod pool;
pub mod clusters;
pub mod live;
#[cfg(test)]
pub(crate) mod sample;
