//! Services: what a Kubernetes Service and a host of a ServiceEntry have in common.

pub(crate) mod entry;
pub(crate) mod kubernetes;
mod members;
mod near;
mod types;

pub use crate::model::service::types::{EndpointGroup, Resolution, Service, ServicePort};
