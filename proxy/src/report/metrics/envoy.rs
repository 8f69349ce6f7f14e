//! The metrics of Envoy that dashboards and alerts read, under Envoy's names.
//!
//! Counters stand beside what they count: those of a cluster beside its connections, those of a port beside its listener.
//! They are found once, by name; counting takes no lock and no hash. Each belongs to one worker, which alone adds to it.

pub mod cluster;
pub mod under_way;
pub mod cluster_families;
pub mod downstream;
pub mod downstream_families;
pub mod endpoint;
pub mod pool;
