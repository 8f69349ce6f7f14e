//! Injection: a pod in, the same pod with egret's containers out, and back again.
//!
//! This crate decides and has no effects: no socket, no clock, no file, no thread. It knows manifests and annotations, and nothing of
//! calls. In reading order:
//!
//! - [`names`], [`tree`], [`scalar`]: names of containers and annotations, access to untyped objects, scalars that are kept as written
//! - [`yaml`], [`json`]: texts to values and back
//! - [`notice`]: problems that have no location yet
//! - [`proxy_config`], [`mesh`], [`settings`]: what operators set for all pods
//! - [`annotations`]: what a pod's author sets for one pod
//! - [`record`]: the status annotation, which says what injection changed
//! - [`decide`]: whether a pod is injected, and why not
//! - [`plan`]: what one pod gets, of settings and annotations
//! - [`probes`], [`prometheus`], [`containers`], [`volumes`], [`overrides`]: the parts of a pod
//! - [`uninject`], [`inject`]: the whole pod
//! - [`workload`]: the pods of objects of any kind
//! - [`manifest`]: files with several documents

pub mod names;
pub mod tree;
pub mod scalar;
pub mod yaml;
pub mod json;
pub mod notice;
pub mod proxy_config;
pub mod mesh;
pub mod settings;
pub mod annotations;
pub mod record;
pub mod decide;
pub mod plan;
pub mod probes;
pub mod prometheus;
pub mod containers;
pub mod volumes;
pub mod overrides;
pub mod uninject;
pub mod inject;
pub mod workload;
pub mod manifest;
