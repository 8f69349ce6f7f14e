//! Traffic policies: DestinationRule, with its subsets and port settings.

mod consistent_hash;
mod load_balancer;
mod warmup;
pub(crate) mod localities;
pub(crate) mod connection_pool;
mod outlier_detection;
mod retry_budget;
mod tunnel;
pub(crate) mod traffic_policy;
pub(crate) mod destination_rule;

pub use crate::model::policy::connection_pool::{ConnectionPool, Keepalive};
pub use crate::model::policy::consistent_hash::{ConsistentHash, HashOn, HashTable};
pub use crate::model::policy::destination_rule::{DestinationRule, Subset};
pub use crate::model::policy::load_balancer::LoadBalancer;
pub use crate::model::policy::localities::{Locality, Shares};
pub use crate::model::policy::outlier_detection::OutlierDetection;
pub use crate::model::policy::retry_budget::RetryBudget;
pub use crate::model::policy::traffic_policy::{PortPolicies, TrafficPolicy};
pub use crate::model::policy::tunnel::Tunnel;
pub use crate::model::policy::warmup::Warmup;
