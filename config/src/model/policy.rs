//! Traffic policies: DestinationRule, with its subsets and port settings.

pub(crate) mod blocks;
mod hashing;
mod localities;
pub(crate) mod parse;
mod types;

pub use crate::model::policy::types::{
    ConnectionPool, ConsistentHash, DestinationRule, HashOn, HashTable, Keepalive, LoadBalancer,
    Locality, OutlierDetection, PortPolicies, RetryBudget, Shares, Subset, TrafficPolicy, Tunnel,
    Warmup,
};
