//! The way to an upstream: who is behind a cluster now, which of them is picked, and a connection to it.
//!
//! Everything here belongs to one worker thread: no locks. What a cluster *is* comes from the snapshot; what is alive
//! (resolved addresses, pooled connections, requests under way) is here and outlives a reload that does not touch it.

pub mod body;
pub mod endpoints;
pub mod balance;
pub mod connect;
pub mod pool;
pub mod clusters;
