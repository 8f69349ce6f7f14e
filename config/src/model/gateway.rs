//! Gateways: which ports a gateway workload opens, for which hosts, with what TLS.

pub(crate) mod parse;
mod types;

pub use crate::model::gateway::types::{Gateway, Server, ServerHost};
