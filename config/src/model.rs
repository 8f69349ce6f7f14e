//! Validated objects. Strings with a meaning have become values of that meaning; what could not be understood is a
//! [`crate::problem::Problem`] and is not here. One file a kind, with the parse from its wire type.

pub mod meta;
pub mod service;
pub(crate) mod service_entry;
pub(crate) mod kubernetes;
pub mod endpoint;
pub mod destination;
pub mod source;
pub mod condition;
pub mod http_match;
pub mod route;
pub mod virtual_service;
pub mod tls;
pub mod policy;
pub mod gateway;
pub mod sidecar;
pub mod outbound_policy;
pub mod mesh;
pub mod instance;
pub mod objects;
pub mod secret;
pub mod authorization;
pub mod telemetry;

mod traffic_distribution;
mod host_name;
mod read;
