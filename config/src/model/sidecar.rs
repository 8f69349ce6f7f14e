//! Sidecars: what a workload's namespace imports, and what happens to unknown calls.

mod ingress;
pub(crate) mod parse;
mod port;
mod types;

pub use crate::model::sidecar::types::{
    EgressListener, EgressPort, EgressProxy, Import, ImportFrom, Sidecar,
};
