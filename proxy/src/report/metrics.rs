//! Numbers about calls and about the proxy itself, for Prometheus and for people.
//!
//! The hot path is [`shard`]: each worker has a shard of its own, finds the series of a call by a small hashed key, and
//! adds to plain relaxed atomics; labels become text only when somebody scrapes. [`registry`] has all shards and merges
//! them. What is scraped is data first ([`family`]) and text then ([`exposition`]).

pub mod definition;
pub mod escape;
pub mod names;
pub mod histogram;
pub mod bounds;
pub mod family;
pub mod exposition;
pub mod identity;
pub mod label_set;
pub mod series;
pub mod context;
pub mod destination;
pub mod tag_values;
pub mod detection;
pub mod shard;
pub mod istio;
pub mod own;
pub mod spans;
pub mod ejections;
pub mod overload;
pub mod limits;
pub mod dns;
pub mod envoy;
pub mod registry;
pub mod quantiles;
pub mod statistics;
#[cfg(test)]
pub(crate) mod tests;
