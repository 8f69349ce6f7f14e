//! What a sidecar does with redirected calls: its listeners, by address and port and by port alone.

mod listener;
mod build;
mod streams;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::fast_map::FastMap;
use crate::host::HostPattern;
use crate::model::objects::Objects;
use crate::model::outbound_policy::OutboundPolicy;
use crate::model::tls::Hashed;
use crate::port::Protocol;
use crate::snapshot::cluster::{Cluster, ClusterPolicy, DestinationService, Discovery};
use crate::snapshot::clusters::Clusters;
use crate::snapshot::outbound::build::{Build, Drafts};
use crate::snapshot::routes::Compiler;
use crate::snapshot::table::RouteTable;
use crate::snapshot::target::Target;
use crate::snapshot::virtual_hosts::index::VirtualServices;
use crate::snapshot::visible::Scope;
use crate::snapshot::workload::Workload;

pub(crate) use crate::snapshot::outbound::listener::Listener;

/// The name under which Istio shows calls that ALLOW_ANY_DYNAMIC_DNS resolves.
pub const DYNAMIC_DNS_CLUSTER: &str = "AllowAnyDynamicDNSCluster";

/// The listeners of a sidecar, and the policy for the rest.
#[derive(Debug)]
pub(crate) struct Outbound {
    /// Listeners of one address.
    pub(crate) by_address: FastMap<(IpAddr, u16), Listener>,
    /// Listeners of every address (`0.0.0.0`).
    pub(crate) by_port: FastMap<u16, Listener>,
    /// The policy for calls that no listener or chain takes.
    pub(crate) unknown: UnmatchedTraffic,
}

/// What happens to calls that nothing is registered for, and which object sets it.
#[derive(Debug)]
pub struct UnmatchedTraffic {
    /// The policy.
    pub policy: OutboundPolicy,
    /// The object that sets it: `MeshConfig (file)`, `Sidecar namespace/name`.
    pub source: Arc<str>,
    /// `egressProxy`, or its name when there is no such cluster: where they go instead of their destination.
    pub proxy: Option<Target>,
    /// For ALLOW_ANY_DYNAMIC_DNS: what resolves the Host of each HTTP request. Its port 0 means the call's own.
    pub dynamic: Option<Arc<Cluster>>,
}

impl fmt::Display for UnmatchedTraffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.policy.name(), self.source)
    }
}

impl Outbound {
    /// Nothing, as a gateway has it.
    pub(crate) fn none() -> Self {
        Self {
            by_address: FastMap::default(),
            by_port: FastMap::default(),
            unknown: UnmatchedTraffic {
                policy: OutboundPolicy::RegistryOnly,
                source: "gateway".into(),
                proxy: None,
                dynamic: None,
            },
        }
    }

    /// The route tables of the listeners of every address, by port.
    #[allow(clippy::disallowed_methods, reason = "collected into a map")]
    fn tables(&self) -> HashMap<u16, &RouteTable> {
        let tables = self.by_port.iter();
        tables
            .filter_map(|(port, listener)| Some((*port, listener.http.as_deref()?)))
            .collect()
    }

    /// The listener of a destination.
    pub(crate) fn listener(&self, to: IpAddr, port: u16) -> Option<&Listener> {
        self.by_address
            .get(&(to, port))
            .or_else(|| self.by_port.get(&port))
    }
}

/// Builds the listeners of a sidecar.
pub(crate) fn outbound(
    objects: &Objects,
    scope: &Scope<'_>,
    workload: &Workload,
    compiler: &mut Compiler<'_, '_, '_>,
    before: Option<&Outbound>,
) -> Outbound {
    let Compiler { clusters, problems } = compiler;
    for imports in &scope.imports {
        for service in &imports.services {
            clusters.add(service);
        }
    }
    let tables_before = before.map(Outbound::tables).unwrap_or_default();
    let mut drafts = Drafts::default();
    for imports in &scope.imports {
        let virtual_services = VirtualServices::new(objects, imports, problems);
        let mut build = Build {
            objects,
            workload,
            imports,
            virtual_services: &virtual_services,
            clusters,
            problems,
            drafts: &mut drafts,
            tables_before: &tables_before,
        };
        build.listeners();
        build.tables();
    }
    Outbound {
        by_address: drafts.by_address,
        by_port: drafts.by_port,
        unknown: unknown(objects, scope, clusters),
    }
}

fn unknown(
    objects: &Objects,
    scope: &Scope<'_>,
    clusters: &mut Clusters<'_, '_>,
) -> UnmatchedTraffic {
    let proxy = scope.egress_proxy.map(|proxy| {
        clusters.import(&proxy.host, "");
        clusters.target(&proxy.host, proxy.subset.as_deref(), proxy.port)
    });
    let dynamic = (scope.policy == OutboundPolicy::AllowAnyDynamicDns).then(|| {
        Arc::new(Cluster {
            name: DYNAMIC_DNS_CLUSTER.into(),
            host: HostPattern::Any,
            port: 0,
            subset: None,
            protocol: Protocol::Http,
            discovery: Discovery::PerCall {
                allowed: HostPattern::Any,
                port: 0,
            },
            policy: ClusterPolicy {
                load_balancer: crate::model::policy::LoadBalancer::default(),
                warmup: None,
                pool: crate::model::policy::ConnectionPool::default(),
                connect_timeout: objects.mesh.connect_timeout,
                outlier_detection: None,
                tls: None,
                tunnel: None,
                proxy_protocol: None,
                retry_budget: None,
            },
            service_names: Arc::default(),
            service: Hashed::new(DestinationService {
                host: "unknown".into(),
                name: DYNAMIC_DNS_CLUSTER.into(),
                namespace: "unknown".into(),
            }),
            origin: scope.policy_source.clone(),
            destination_rules: Vec::new(),
            inputs: None,
        })
    });
    UnmatchedTraffic {
        policy: scope.policy,
        source: scope.policy_source.clone(),
        proxy,
        dynamic,
    }
}
