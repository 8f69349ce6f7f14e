//! The merged, immutable, indexed view of the configuration for one workload. A snapshot is a value: it is built whole,
//! swapped whole, and never changes.

pub mod workload;
pub mod cluster;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::mesh::Mesh;
use crate::model::objects::Objects;
use crate::problem::Problem;
use crate::snapshot::cluster::Cluster;
use crate::snapshot::workload::Workload;

/// What the configuration means for one workload.
#[derive(Debug)]
pub struct Snapshot {
    /// The workload.
    pub workload: Workload,
    /// Mesh-wide settings.
    pub mesh: Mesh,
    /// Every cluster that this workload may call, by name.
    pub clusters: BTreeMap<Arc<str>, Arc<Cluster>>,
}

/// A port that a gateway must listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatewayPort {
    /// The address; `None` is all.
    pub bind: Option<IpAddr>,
    /// The port listened on (a Service's target port when one selects the gateway).
    pub port: u16,
}

impl Snapshot {
    /// Builds the view of `workload`. Problems are those that only show when objects meet: conflicts, names that bind to
    /// nothing, objects that the workload cannot see.
    pub fn build(objects: &Objects, workload: Workload) -> (Self, Vec<Problem>) {
        let snapshot = Self {
            workload,
            mesh: objects.mesh.clone(),
            clusters: BTreeMap::new(),
        };
        (snapshot, Vec::new())
    }

    /// The ports that a gateway listens on; empty for a sidecar.
    pub fn gateway_ports(&self) -> Vec<GatewayPort> {
        Vec::new()
    }
}
