//! The exact shapes of the documents, as users write them: one file a kind, nothing validated, nothing defaulted.
//!
//! The fields are those of Istio's networking API (`ServiceEntry`, `VirtualService`, ...), of `MeshConfig`, and of the
//! Kubernetes kinds that matter to routing; their meaning is in Istio's and Kubernetes' own reference. What is read
//! here is still the user's text: enumeration values and durations stay strings, an unset scalar is the zero of
//! its type (as protobuf has it), an unset message is `None`. [`crate::model`] gives them meaning.
//!
//! Both spellings of a field are read, `sniHosts` and `sni_hosts`; `null` means unset. A field that no shape has is
//! kept in a list with its path, for a warning. Only the lower floors of this crate use this module.

#![allow(
    missing_docs,
    reason = "the fields are Istio's and Kubernetes', documented in their own reference"
)]

pub(crate) mod reading;
mod unsupported;
#[cfg(test)]
mod schema;
#[macro_use]
mod object;
pub mod shared;
pub mod service_entry;
pub mod virtual_service;
pub mod destination_rule;
pub mod gateway;
pub mod sidecar;
pub mod telemetry;
pub mod providers;
pub mod mesh_config;
pub mod kubernetes;
pub mod security;
pub mod install;
pub(crate) mod istio_kinds;
pub mod envelope;
