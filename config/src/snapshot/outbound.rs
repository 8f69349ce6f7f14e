//! What a sidecar does with redirected calls: its listeners, by address and port and by port alone.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::host::HostPattern;
use crate::model::endpoint::Address;
use crate::model::mesh::OutboundPolicy;
use crate::model::objects::Objects;
use crate::model::service::Resolution;
use crate::model::service::Service;
use crate::model::service::ServicePort;
use crate::model::virtual_service::GatewayName;
use crate::name::Kind;
use crate::port::PortClass;
use crate::port::Protocol;
use crate::problem::Problem;
use crate::snapshot::chains::Chain;
use crate::snapshot::chains::ChainOrigin;
use crate::snapshot::chains::Chains;
use crate::snapshot::chains::StreamRoute;
use crate::snapshot::chains::Target;
use crate::snapshot::cluster::Cluster;
use crate::snapshot::cluster::ClusterPolicy;
use crate::snapshot::cluster::Discovery;
use crate::snapshot::clusters::Clusters;
use crate::snapshot::findings::Findings;
use crate::snapshot::routes::Site;
use crate::snapshot::routes::applies;
use crate::snapshot::routes::stream_route;
use crate::snapshot::table::RouteTable;
use crate::snapshot::virtual_hosts::Rules;
use crate::snapshot::virtual_hosts::VirtualServices;
use crate::snapshot::virtual_hosts::own_table;
use crate::snapshot::virtual_hosts::shared_table;
use crate::snapshot::visible::Imports;
use crate::snapshot::visible::Scope;
use crate::snapshot::workload::Workload;

/// The name under which Istio shows calls that ALLOW_ANY_DYNAMIC_DNS resolves.
pub const DYNAMIC_DNS_CLUSTER: &str = "AllowAnyDynamicDNSCluster";

/// The listeners of a sidecar, and the policy for the rest.
#[derive(Debug)]
pub(crate) struct Outbound {
    /// Listeners of one address.
    pub(crate) by_address: HashMap<(IpAddr, u16), Listener>,
    /// Listeners of every address (`0.0.0.0`).
    pub(crate) by_port: HashMap<u16, Listener>,
    /// The policy for calls that no listener or chain takes.
    pub(crate) unknown: Unknown,
}

/// One listener.
#[derive(Debug)]
pub(crate) struct Listener {
    /// `address:port`.
    pub(crate) key: Arc<str>,
    /// What it does with plaintext HTTP.
    pub(crate) http: Option<Arc<RouteTable>>,
    /// Bytes are HTTP whatever they look like (a Sidecar's `bind`).
    pub(crate) http_only: bool,
    /// What it does with other streams, and with HTTP when it has no table.
    pub(crate) streams: Chains<StreamRoute>,
}

/// What happens to calls that nothing is registered for, and who says so.
#[derive(Debug)]
pub struct Unknown {
    /// The policy.
    pub policy: OutboundPolicy,
    /// Who says so: `MeshConfig (file)`, `Sidecar namespace/name`.
    pub source: Arc<str>,
    /// `egressProxy`, or its name when there is no such cluster: where they go instead of their destination.
    pub proxy: Option<Result<Arc<Cluster>, Arc<str>>>,
    /// For ALLOW_ANY_DYNAMIC_DNS: what resolves the Host of each HTTP request. Its port 0 means the call's own.
    pub dynamic: Option<Arc<Cluster>>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = match self.policy {
            OutboundPolicy::AllowAny => "ALLOW_ANY",
            OutboundPolicy::RegistryOnly => "REGISTRY_ONLY",
            OutboundPolicy::AllowAnyDynamicDns => "ALLOW_ANY_DYNAMIC_DNS",
        };
        write!(f, "{policy} from {}", self.source)
    }
}

impl Outbound {
    /// Nothing, as a gateway has it.
    pub(crate) fn none() -> Self {
        Self {
            by_address: HashMap::new(),
            by_port: HashMap::new(),
            unknown: Unknown {
                policy: OutboundPolicy::RegistryOnly,
                source: "gateway".into(),
                proxy: None,
                dynamic: None,
            },
        }
    }

    /// The listener of a destination.
    pub(crate) fn listener(&self, to: IpAddr, port: u16) -> Option<&Listener> {
        self.by_address
            .get(&(to, port))
            .or_else(|| self.by_port.get(&port))
    }
}

/// The name of a sidecar among `gateways`.
pub(crate) fn is_mesh(name: &GatewayName) -> bool {
    *name == GatewayName::Mesh
}

/// Builds the listeners of a sidecar.
pub(crate) fn outbound(
    objects: &Objects,
    scope: &Scope<'_>,
    workload: &Workload,
    clusters: &mut Clusters<'_, '_>,
    findings: &mut Findings,
) -> Outbound {
    for imports in &scope.imports {
        for service in &imports.services {
            clusters.add(service);
        }
    }
    let mut drafts = Drafts::default();
    for imports in &scope.imports {
        let virtual_services = VirtualServices::new(objects, imports, findings);
        let mut build = Build {
            objects,
            workload,
            imports,
            virtual_services: &virtual_services,
            clusters: &mut *clusters,
            findings: &mut *findings,
            drafts: &mut drafts,
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

fn unknown(objects: &Objects, scope: &Scope<'_>, clusters: &mut Clusters<'_, '_>) -> Unknown {
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
                pool: crate::model::policy::ConnectionPool::default(),
                connect_timeout: objects.mesh.connect_timeout,
                outlier_detection: None,
                tls: None,
                tunnel: None,
                proxy_protocol: None,
            },
            service_names: Vec::new(),
            origin: scope.policy_source.clone(),
            destination_rules: Vec::new(),
        })
    });
    Unknown {
        policy: scope.policy,
        source: scope.policy_source.clone(),
        proxy,
        dynamic,
    }
}

/// Listeners while they are built. Those of earlier egress listeners are closed to later ones.
#[derive(Default)]
struct Drafts {
    by_address: HashMap<(IpAddr, u16), Listener>,
    by_port: HashMap<u16, Listener>,
    closed: HashSet<(Option<IpAddr>, u16)>,
    /// Listeners of the egress listener at work that want the port's shared table.
    shared: BTreeSet<(Option<IpAddr>, u16)>,
    /// Listeners of one address that want a table of their service alone.
    own: Vec<(IpAddr, u16, HostPattern)>,
}

struct Build<'a, 'o, 'b> {
    objects: &'a Objects,
    workload: &'a Workload,
    imports: &'a Imports<'a>,
    virtual_services: &'a VirtualServices<'a>,
    clusters: &'a mut Clusters<'o, 'b>,
    findings: &'a mut Findings,
    drafts: &'a mut Drafts,
}

impl Build<'_, '_, '_> {
    fn listeners(&mut self) {
        let imports = self.imports;
        let closed = self
            .drafts
            .by_address
            .keys()
            .map(|(ip, port)| (Some(*ip), *port));
        let closed: HashSet<_> = closed
            .chain(self.drafts.by_port.keys().map(|port| (None, *port)))
            .collect();
        self.drafts.closed = closed;
        if let Some(port) = imports.port {
            let http = matches!(port.protocol.class(), Some(PortClass::Http));
            if http && !self.workload.own_ports.contains(&port.number) {
                self.listener(imports.bind, port.number);
                self.drafts.shared.insert((imports.bind, port.number));
                return;
            }
        }
        for service in &imports.services {
            if matches!(service.resolution, Resolution::Alias(_)) {
                continue;
            }
            for port in &service.ports {
                let wanted = imports.port.is_none_or(|only| only.number == port.number);
                if !wanted || self.workload.own_ports.contains(&port.number) {
                    continue;
                }
                match imports.port {
                    Some(only) => {
                        let protocol = only.protocol;
                        let port = port.clone();
                        self.service_port(service, &ServicePort { protocol, ..port });
                    }
                    None => self.service_port(service, port),
                }
            }
        }
    }

    /// One port of one service: which listeners it has part in.
    fn service_port(&mut self, service: &Service, port: &ServicePort) {
        let Some(class) = port.protocol.class() else {
            return;
        };
        if class == PortClass::Http {
            let key = (self.imports.bind, port.number);
            if self.listener(key.0, key.1) {
                self.drafts.shared.insert(key);
            }
            return;
        }
        let (addresses, ranges): (Vec<IpNet>, Vec<IpNet>) = service
            .addresses
            .iter()
            .partition(|net| net.prefix_len() == net.max_prefix_len());
        let mut binds: Vec<Option<IpAddr>> = addresses.iter().map(|net| Some(net.addr())).collect();
        if let Some(bind) = self.imports.bind {
            binds = vec![Some(bind)];
        } else if binds.is_empty() && ranges.is_empty() {
            binds = self.without_address(service);
        }
        for bind in binds {
            if self.listener(bind, port.number) {
                self.streams(service, port, bind, &[]);
                self.sniffed(service, port, class, bind);
            }
        }
        if !ranges.is_empty() && self.listener(None, port.number) {
            self.streams(service, port, None, &ranges);
            self.sniffed(service, port, class, None);
        }
    }

    /// An undeclared protocol: HTTP when the bytes say so.
    fn sniffed(
        &mut self,
        service: &Service,
        port: &ServicePort,
        class: PortClass,
        bind: Option<IpAddr>,
    ) {
        if class != PortClass::Auto {
            return;
        }
        match bind.filter(|_| self.imports.bind.is_none()) {
            Some(ip) => self
                .drafts
                .own
                .push((ip, port.number, service.host.clone())),
            None => {
                self.drafts.shared.insert((bind, port.number));
            }
        }
    }

    /// Where a service without addresses is called: at its endpoints when it is called where its caller wants, at any
    /// address otherwise.
    fn without_address(&self, service: &Service) -> Vec<Option<IpAddr>> {
        let original = service.headless || service.resolution == Resolution::None;
        if !original {
            return vec![None];
        }
        let endpoints = self.clusters.registry.endpoints(service);
        if endpoints.is_empty() {
            let plain = service.meta.kind != Kind::Service && service.selector.is_none();
            return if plain { vec![None] } else { Vec::new() };
        }
        let mut found = Vec::new();
        for endpoint in endpoints {
            if let Address::Ip(ip) = endpoint.address
                && !self.workload.addresses.contains(&ip)
                && !found.contains(&Some(ip))
            {
                found.push(Some(ip));
            }
        }
        found
    }

    /// Makes sure that a listener is there; says whether this egress listener may add to it.
    fn listener(&mut self, bind: Option<IpAddr>, port: u16) -> bool {
        if self.drafts.closed.contains(&(bind, port)) {
            return false;
        }
        let http_only = bind.is_some() && self.imports.bind == bind;
        let make = |key: String| Listener {
            key: key.into(),
            http: None,
            http_only,
            streams: Chains::default(),
        };
        match bind {
            Some(ip) => {
                let key = std::net::SocketAddr::new(ip, port).to_string();
                self.drafts
                    .by_address
                    .entry((ip, port))
                    .or_insert_with(|| make(key));
            }
            None => {
                self.drafts
                    .by_port
                    .entry(port)
                    .or_insert_with(|| make(format!("0.0.0.0:{port}")));
            }
        }
        true
    }

    fn streams(
        &mut self,
        service: &Service,
        port: &ServicePort,
        bind: Option<IpAddr>,
        ranges: &[IpNet],
    ) {
        let chains = if port.protocol.is_tls() {
            self.tls_chains(service, port, bind, ranges)
        } else {
            self.tcp_chains(service, port, ranges)
        };
        for chain in chains {
            let listener = match bind {
                Some(ip) => self.drafts.by_address.get_mut(&(ip, port.number)),
                None => self.drafts.by_port.get_mut(&port.number),
            };
            let listener = listener.expect("the listener was made before its chains");
            listener.http_only = false;
            let origin = chain.origin.clone();
            let holder = listener.streams.add(chain);
            let holder = holder.and_then(|at| listener.streams.at(at));
            if let Some(holder) = holder {
                conflict(&holder.origin, &origin, &listener.key, self.findings);
            }
        }
    }

    fn tls_chains(
        &mut self,
        service: &Service,
        port: &ServicePort,
        bind: Option<IpAddr>,
        ranges: &[IpNet],
    ) -> Vec<Chain<StreamRoute>> {
        let mut chains = Vec::new();
        let site = Site {
            workload: self.workload,
            mesh: &self.objects.mesh,
            port: port.number,
            here: &is_mesh,
        };
        let mut handled = HashSet::new();
        for vs in self.virtual_services.streams_for(&service.host) {
            for (at, rule) in vs.tls.iter().enumerate() {
                for (matching, wanted) in rule.matches.iter().enumerate() {
                    if !applies(&wanted.source, &site)
                        || !handled.insert((&wanted.sni, &wanted.subnets))
                    {
                        continue;
                    }
                    chains.push(Chain {
                        subnets: if wanted.subnets.is_empty() {
                            ranges.to_vec()
                        } else {
                            wanted.subnets.clone()
                        },
                        sni: wanted.sni.clone(),
                        unlisted: false,
                        origin: ChainOrigin::Tls {
                            object: vs.meta.clone(),
                            rule: at,
                            matching,
                        },
                        act: stream_route(
                            vs,
                            &rule.destinations,
                            port.number,
                            &format!("spec.tls[{at}]"),
                            self.clusters,
                            self.findings,
                        ),
                    });
                }
            }
        }
        let own_address = bind.is_some() && self.imports.bind.is_none();
        if !chains.is_empty() && !own_address {
            return chains;
        }
        // On its own address a service gets every name that no rule takes.
        let unlisted = !chains.is_empty();
        let mut sni = Vec::new();
        if !own_address {
            sni.push(service.host.clone());
            sni.extend(
                self.virtual_services
                    .aliases(service, &self.workload.namespace),
            );
        }
        chains.push(Chain {
            subnets: ranges.to_vec(),
            sni,
            unlisted,
            origin: ChainOrigin::Service(service.meta.clone()),
            act: StreamRoute::to(self.default_target(service, port)),
        });
        chains
    }

    fn tcp_chains(
        &mut self,
        service: &Service,
        port: &ServicePort,
        ranges: &[IpNet],
    ) -> Vec<Chain<StreamRoute>> {
        let mut chains = Vec::new();
        let site = Site {
            workload: self.workload,
            mesh: &self.objects.mesh,
            port: port.number,
            here: &is_mesh,
        };
        for vs in self.virtual_services.streams_for(&service.host) {
            for (at, rule) in vs.tcp.iter().enumerate() {
                let fitting: Vec<_> = rule
                    .matches
                    .iter()
                    .enumerate()
                    .filter(|(_, wanted)| applies(&wanted.source, &site))
                    .collect();
                if fitting.is_empty() && !rule.matches.is_empty() {
                    continue;
                }
                let everywhere = fitting.iter().find(|(_, wanted)| wanted.subnets.is_empty());
                let takes_all = fitting.is_empty() || everywhere.is_some();
                let act = stream_route(
                    vs,
                    &rule.destinations,
                    port.number,
                    &format!("spec.tcp[{at}]"),
                    self.clusters,
                    self.findings,
                );
                let first = everywhere
                    .or(fitting.first())
                    .map(|(matching, _)| *matching);
                chains.push(Chain {
                    subnets: if takes_all {
                        ranges.to_vec()
                    } else {
                        fitting
                            .iter()
                            .flat_map(|(_, wanted)| &wanted.subnets)
                            .copied()
                            .collect()
                    },
                    sni: Vec::new(),
                    unlisted: false,
                    origin: ChainOrigin::Tcp {
                        object: vs.meta.clone(),
                        rule: at,
                        matching: first,
                    },
                    act,
                });
                if takes_all {
                    return chains;
                }
            }
        }
        chains.push(Chain {
            subnets: ranges.to_vec(),
            sni: Vec::new(),
            unlisted: false,
            origin: ChainOrigin::Service(service.meta.clone()),
            act: StreamRoute::to(self.default_target(service, port)),
        });
        chains
    }

    fn default_target(&self, service: &Service, port: &ServicePort) -> Target {
        self.clusters
            .target(&service.host.to_string(), None, port.number)
    }

    /// Gives the listeners of this egress listener their route tables.
    fn tables(&mut self) {
        let mut rules = Rules::default();
        let mut shared: HashMap<u16, Arc<RouteTable>> = HashMap::new();
        for (bind, port) in std::mem::take(&mut self.drafts.shared) {
            let table = shared.entry(port).or_insert_with(|| {
                Arc::new(shared_table(
                    (self.objects, self.workload),
                    self.virtual_services,
                    port,
                    &mut rules,
                    self.clusters,
                    self.findings,
                ))
            });
            let listener = match bind {
                Some(ip) => self.drafts.by_address.get_mut(&(ip, port)),
                None => self.drafts.by_port.get_mut(&port),
            };
            if let Some(listener) = listener {
                listener.http = Some(table.clone());
            }
        }
        for (ip, port, host) in std::mem::take(&mut self.drafts.own) {
            let table = own_table(
                (self.objects, self.workload),
                self.virtual_services,
                port,
                &host,
                &mut rules,
                self.clusters,
                self.findings,
            );
            if let Some(listener) = self.drafts.by_address.get_mut(&(ip, port)) {
                listener.http.get_or_insert(Arc::new(table));
            }
        }
    }
}

/// Tells that two byte-stream services want the same calls.
fn conflict(holder: &ChainOrigin, newcomer: &ChainOrigin, key: &str, findings: &mut Findings) {
    let (first, second) = (holder.object(), newcomer.object());
    if first.kind == second.kind && first.name == second.name {
        return;
    }
    findings.add(Problem {
        reason: format!(
            "{} takes the same calls on {key} and wins, as the older one: give each an address of its own \
             (spec.addresses), or use names (HTTP, TLS)",
            first.title()
        ),
        ..Findings::warning(second)
    });
}
