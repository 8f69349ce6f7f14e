//! The merged, immutable, indexed view of the configuration for one workload. A snapshot is a value: it is built whole,
//! swapped whole, and never changes.

pub mod workload;
pub mod cluster;
pub mod outbound;
pub mod target;
pub mod chains;
pub(crate) mod location;
pub mod table;
pub mod addresses;
pub mod names;
pub mod telemetry;
pub mod unenforced;
mod bound_port;
mod problems;
mod patterns;
pub(crate) mod services;
pub(crate) mod visible;
mod destination_rules;
mod localities;
mod clusters_before;
mod clusters;
mod routes;
mod delegates;
mod virtual_hosts;
pub(crate) mod gateways;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::mesh::Mesh;
use crate::model::objects::Objects;
use crate::model::route::Retries;
use crate::problem::Problem;
use crate::snapshot::cluster::Cluster;
use crate::snapshot::clusters::Clusters;
use crate::snapshot::clusters_before::ClustersBefore;
use crate::snapshot::gateways::{Gateways, TlsAction, gateways};
use crate::snapshot::names::NameTable;
use crate::snapshot::outbound::{Outbound, outbound};
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::routes::{Compiler, mesh_retries};
use crate::snapshot::services::{Registry, TieBreak};
use crate::snapshot::table::RouteTable;
use crate::snapshot::telemetry::{Telemetry, telemetry};
use crate::snapshot::visible::scope;
use crate::snapshot::workload::{Mode, Workload};

pub use crate::snapshot::bound_port::BoundPort;

/// What the configuration means for one workload.
#[derive(Debug)]
pub struct Snapshot {
    /// The workload.
    pub workload: Workload,
    /// Mesh-wide settings.
    pub mesh: Mesh,
    /// Every cluster that this workload may call, by name.
    pub clusters: BTreeMap<Arc<str>, Arc<Cluster>>,
    /// The names that captured DNS queries are answered for; empty where they are not captured, and on a gateway.
    pub names: NameTable,
    /// What is logged, measured and traced.
    pub telemetry: Telemetry,
    /// What a sidecar does with redirected calls; empty on a gateway.
    pub(crate) outbound: Outbound,
    /// Egress listeners of a sidecar that are not redirected to; empty on a gateway.
    bound: Vec<BoundPort>,
    /// The ports that the proxy itself listens on: those of the configuration, of the redirection, and of its pages.
    pub own_listeners: Vec<BoundPort>,
    /// The addresses of the workload.
    pub(crate) own_addresses: BTreeSet<IpAddr>,
    /// What a gateway's ports do; empty on a sidecar.
    pub(crate) gateways: Gateways,
    /// Route tables of connections whose TLS a gateway ended, by name.
    pub(crate) terminated: HashMap<Arc<str>, Arc<RouteTable>>,
    /// Retries of routes without their own.
    pub(crate) retries: Option<Retries>,
    /// The names of services and VirtualServices, without wildcards.
    hosts: HashSet<Arc<str>>,
}

impl Snapshot {
    /// Builds the view of `workload`. Problems are those of objects in combination: conflicts, names that bind to
    /// nothing, objects that the workload cannot see.
    pub fn build(objects: &Objects, workload: Workload) -> (Self, Vec<Problem>) {
        Self::rebuild(objects, workload, None)
    }

    /// As [`Self::build`], with the snapshot `before`, of the same workload: what is built from the same objects, as they
    /// were read once, is shared with it.
    pub fn rebuild(
        objects: &Objects,
        workload: Workload,
        before: Option<&Self>,
    ) -> (Self, Vec<Problem>) {
        let before = before.filter(|before| before.is_for(&objects.mesh, &workload));
        let registry = Registry::new(objects);
        let mut problems = ProblemSet::default();
        registry.report_hidden(
            &workload.namespace,
            TieBreak::of(workload.mode),
            &mut problems,
        );
        let mut clusters = Clusters::new(
            objects,
            &registry,
            &workload,
            before.map_or_else(ClustersBefore::default, |before| {
                ClustersBefore::new(&before.clusters)
            }),
        );
        let mut names = NameTable::default();
        let mut bound = Vec::new();
        let (outbound, gateways) = match workload.mode {
            Mode::Sidecar => {
                let scope = scope(objects, &registry, &workload);
                bound.clone_from(&scope.bound);
                if workload.dns_capture {
                    names = NameTable::new(&scope, &registry, &workload.namespace);
                }
                let before = before.map(|before| &before.outbound);
                let mut compiler = Compiler {
                    clusters: &mut clusters,
                    problems: &mut problems,
                };
                let outbound = outbound(objects, &scope, &workload, &mut compiler, before);
                (outbound, Gateways::new())
            }
            Mode::Gateway => {
                let gateways = gateways(objects, &workload, &mut clusters, &mut problems);
                (Outbound::none(), gateways)
            }
        };
        let terminated = gateways
            .values()
            .flat_map(|listener| listener.tls.iter())
            .filter_map(|chain| match &chain.action {
                TlsAction::Http { table, .. } => Some((table.name.clone(), table.clone())),
                TlsAction::Stream { .. } | TlsAction::Passthrough(_) | TlsAction::NamedBySni(_) => {
                    None
                }
            })
            .collect();
        let telemetry = telemetry(objects, &workload, &mut clusters, &mut problems);
        let clusters = clusters.finish();
        let own_ports = workload.own_ports.iter().chain(&workload.redirect_ports);
        let own_listeners = own_ports
            .map(|port| BoundPort {
                bind: None,
                port: *port,
            })
            .chain(bound.iter().copied())
            .chain(gateways.keys().copied())
            .collect();
        let snapshot = Self {
            hosts: hosts(objects, &clusters),
            mesh: objects.mesh.clone(),
            clusters,
            names,
            telemetry,
            bound,
            own_listeners,
            own_addresses: workload.addresses.iter().copied().collect(),
            outbound,
            gateways,
            terminated,
            retries: mesh_retries(&objects.mesh),
            workload,
        };
        (snapshot, problems.finish())
    }

    /// Whether it was built for this workload with this mesh configuration, as it was read once.
    fn is_for(&self, mesh: &Mesh, workload: &Workload) -> bool {
        let same = match (&self.mesh.meta, &mesh.meta) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (None, None) => true,
            _ => false,
        };
        same && self.workload == *workload
    }

    /// The ports that egret itself listens on: a gateway's servers, a sidecar's egress listeners with `captureMode: NONE`,
    /// and the mesh's `proxyHttpPort` on a sidecar.
    pub fn bound_ports(&self) -> Vec<BoundPort> {
        let listeners = self.bound.iter().copied();
        self.gateways.keys().copied().chain(listeners).collect()
    }

    /// Whether a service that the workload may call, or a VirtualService, has this very name, in lower case.
    pub fn names_host(&self, host: &str) -> bool {
        self.hosts.contains(host)
    }

    /// Whether every connection begins with a PROXY header: on a gateway, where by MeshConfig something in front
    /// sends one (`gatewayTopology.proxyProtocol`).
    pub fn reads_proxy_headers(&self) -> bool {
        self.workload.mode == Mode::Gateway && self.mesh.topology.proxy_protocol
    }
}

/// The hosts that a configuration names.
fn hosts(objects: &Objects, clusters: &BTreeMap<Arc<str>, Arc<Cluster>>) -> HashSet<Arc<str>> {
    let services = clusters.values().map(|cluster| &cluster.host);
    let rules = objects.virtual_services.iter();
    let all = services.chain(rules.flat_map(|rules| &rules.hosts));
    all.filter_map(HostPattern::exact).cloned().collect()
}
