//! What Istio's networking configuration means for one workload: text in, decisions out.
//!
//! This crate decides and has no effects: no socket, no clock, no file, no thread. In reading order:
//!
//! - basic types: [`name`], [`host`], [`cidr`], [`port`], [`address`], [`header_names`], [`headers`], [`grpc`], [`labels`], [`value`],
//!   [`fast_map`]
//! - [`problem`]: problems of documents, with what to write instead
//! - [`expression`]: filters and tags of telemetry, a part of CEL
//! - [`trace`]: headers of traces, and which calls are sampled
//! - [`log_format`]: Envoy's command operators, of which lines of the access log are made
//! - [`wire`]: the exact shapes of the documents, as users write them
//! - [`model`]: the validated types the rest of the crate works with
//! - [`load`]: texts to [`model::objects::Objects`] and problems; one bad object never hides a good one
//! - [`snapshot`]: the merged, immutable, indexed view for one workload
//! - [`view`]: plain pictures of a snapshot, for admin pages
//! - [`decide`]: the decisions of a proxy by a snapshot, with the reasons for each
//! - [`lint`]: what Istio accepts and users regret
//! - [`network_policy`]: the NetworkPolicy that stands beside a namespace's sidecars

pub mod name;
pub mod host;
pub mod cidr;
pub mod port;
pub mod address;
pub mod header_names;
pub mod headers;
pub mod grpc;
pub mod labels;
pub mod value;
pub mod fast_map;
pub mod problem;
pub mod re2;
pub mod expression;
pub mod trace;
pub mod log_format;
pub mod wire;
pub mod model;
pub mod load;
pub mod snapshot;
pub mod view;
pub mod decide;
pub mod lint;
pub mod network_policy;
