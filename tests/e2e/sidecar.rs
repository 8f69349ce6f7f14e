//! A sidecar: which calls of a pod pass, are routed, or are refused.

pub(crate) mod allow_any;
pub(crate) mod registry_only;
pub(crate) mod httpbin_private;
pub(crate) mod registration;
pub(crate) mod ip_ranges;
pub(crate) mod resolution;
pub(crate) mod bad_names;
pub(crate) mod names;
pub(crate) mod inbound;
pub(crate) mod opaque;
pub(crate) mod server_first;
pub(crate) mod wildcard;
pub(crate) mod dns_capture;
pub(crate) mod egress_listeners;
pub(crate) mod own_listener;
