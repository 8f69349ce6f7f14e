//! Services, ports and subsets to clusters, with the DestinationRule's policy folded in.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::host::HostPattern;
use crate::labels::Labels;
use crate::model::endpoint::{Address, Endpoint};
use crate::model::objects::Objects;
use crate::model::policy::{Keepalive, LoadBalancer, TrafficPolicy};
use crate::model::service::{Resolution, Service, ServicePort};
use crate::model::tls::Hashed;
use crate::name::Kind;
use crate::port::{PortClass, Protocol};
use crate::snapshot::cluster::{
    Cluster, ClusterInputs, ClusterPolicy, DestinationService, Discovery, Member,
};
use crate::snapshot::clusters_before::ClustersBefore;
use crate::snapshot::destination_rules::{DestinationRules, Merged};
use crate::snapshot::localities;
use crate::snapshot::services::{Registry, host_text, port_of};
use crate::snapshot::target::Target;
use crate::snapshot::workload::{Mode, Workload};

/// The clusters of a workload while they are built.
pub(crate) struct Clusters<'o, 'b> {
    /// All services.
    pub(crate) registry: &'b Registry<'o>,
    objects: &'o Objects,
    workload: &'b Workload,
    rules: DestinationRules<'o>,
    built: HashMap<Arc<str>, Arc<Cluster>>,
    /// Those of the snapshot before, to be taken where nothing changed.
    before: ClustersBefore<'b>,
    /// Hosts that were added, with their only port if they have one.
    hosts: HashMap<HostPattern, Known>,
}

/// What is known of an added host.
struct Known {
    /// Its port, if it has only one.
    only_port: Option<u16>,
    /// Kubernetes ExternalName: the host that it is an alias of.
    alias: Option<Arc<str>>,
}

/// Which namespace's view a destination comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImportOrigin {
    /// The workload's namespace sees it (or none does).
    Here,
    /// Only the namespace of the VirtualService sees it (difference 4 of the routing rules).
    FromRule,
}

impl<'o, 'b> Clusters<'o, 'b> {
    /// No clusters yet.
    pub(crate) fn new(
        objects: &'o Objects,
        registry: &'b Registry<'o>,
        workload: &'b Workload,
        before: ClustersBefore<'b>,
    ) -> Self {
        Self {
            registry,
            objects,
            workload,
            rules: DestinationRules::new(objects),
            built: HashMap::new(),
            before,
            hosts: HashMap::new(),
        }
    }

    /// Adds the clusters of a service: one a port, and one a port and subset.
    #[allow(clippy::ptr_arg, reason = "a service that is put together is owned")]
    pub(crate) fn add(&mut self, service: &Cow<'_, Service>) {
        if self.hosts.contains_key(&service.host) {
            return;
        }
        let alias = match &service.resolution {
            Resolution::Alias(host) => Some(host.clone()),
            _ => None,
        };
        let only_port = match &service.ports[..] {
            [port] => Some(port.number),
            _ => None,
        };
        let aliased = alias.is_some();
        self.hosts
            .insert(service.host.clone(), Known { only_port, alias });
        if aliased {
            return;
        }
        let rules = self.rules.for_service(self.workload, service);
        let inputs = inputs(service, &rules);
        if let Some(known) = inputs
            .as_deref()
            .and_then(|inputs| self.before.of(&service.host, inputs))
        {
            for cluster in known {
                self.built
                    .insert(Arc::clone(&cluster.name), Arc::clone(cluster));
            }
            return;
        }
        let origin: Arc<str> = service.meta.title().into();
        let destination = destination(service);
        let names: Vec<_> = rules
            .rules
            .iter()
            .map(|rule| rule.meta.name.clone())
            .collect();
        let subsets = rules.subsets();
        let endpoints = self.registry.endpoints(service);
        let unlisted = endpoints.is_empty() && service.selector.is_none();
        for port in &service.ports {
            if port.protocol == Protocol::Udp {
                continue;
            }
            for subset in std::iter::once(None).chain(subsets.iter().copied().map(Some)) {
                let selected = endpoints.iter().copied().filter(|endpoint| {
                    subset.is_none_or(|subset| subset.labels.select(&endpoint.labels))
                });
                let selected: Vec<_> = selected.collect();
                // The host itself, where it is the endpoint, has no labels.
                let unlisted = unlisted && subset.is_none_or(|subset| subset.labels.is_empty());
                let policy = match &self.objects.mesh.traffic_policy {
                    Some(mesh) => over(rules.policy(port.number, subset), mesh),
                    None => rules.policy(port.number, subset),
                };
                let selected = (!unlisted).then_some(&*selected);
                let Some(discovery) = self.discovery(service, port, selected, &policy) else {
                    continue;
                };
                let policy = self.policy(policy, port.protocol);
                let discovery = match policy.load_balancer {
                    LoadBalancer::Passthrough if self.workload.mode == Mode::Sidecar => {
                        Discovery::Original { port: None }
                    }
                    _ => discovery,
                };
                let subset_name = subset.map(|subset| subset.name.clone());
                let name = cluster_name(
                    port.number,
                    subset_name.as_deref(),
                    &host_text(&service.host),
                );
                let cluster = Cluster {
                    name: name.clone(),
                    host: service.host.clone(),
                    port: port.number,
                    subset: subset_name,
                    protocol: port.protocol,
                    discovery,
                    policy,
                    service_names: service.subject_alt_names.as_slice().into(),
                    service: destination.clone(),
                    origin: origin.clone(),
                    destination_rules: names.clone(),
                    inputs: inputs.clone(),
                };
                self.built.insert(name, Arc::new(cluster));
            }
        }
    }

    /// Adds a host that a rule of `namespace` names, unless it is there. On a gateway a host that only that namespace
    /// sees counts too.
    pub(crate) fn import(&mut self, host: &str, namespace: &str) -> ImportOrigin {
        let pattern = HostPattern::parse(host);
        if self.hosts.contains_key(&pattern) {
            return ImportOrigin::Here;
        }
        let here = self.registry.seen_from(&self.workload.namespace, &pattern);
        let from_rule = || {
            (self.workload.mode == Mode::Gateway)
                .then(|| self.registry.seen_from(namespace, &pattern))
                .flatten()
        };
        let (service, origin) = match here {
            Some(service) => (service, ImportOrigin::Here),
            None => match from_rule() {
                Some(service) => (service, ImportOrigin::FromRule),
                None => return ImportOrigin::Here,
            },
        };
        self.add(&service);
        if let Resolution::Alias(real) = &service.resolution {
            self.import(real, namespace);
        }
        origin
    }

    /// The only port of a host that was added.
    pub(crate) fn only_port(&self, host: &str) -> Option<u16> {
        let host = self.real(host);
        self.hosts.get(&HostPattern::parse(&host))?.only_port
    }

    /// Whether a host was added.
    pub(crate) fn has_host(&self, host: &str) -> bool {
        self.hosts.contains_key(&HostPattern::parse(host))
    }

    /// The cluster of a destination, or the name of what is missing. ExternalName services are aliases.
    pub(crate) fn target(&self, host: &str, subset: Option<&str>, port: u16) -> Target {
        let name = cluster_name(port, subset, &self.real(host));
        match self.built.get(&name) {
            Some(cluster) => Target::Cluster(cluster.clone()),
            None => Target::Missing(name),
        }
    }

    /// Whether a cluster, maybe of the snapshot before, is one of these.
    pub(crate) fn has(&self, cluster: &Arc<Cluster>) -> bool {
        let built = self.built.get(&cluster.name);
        built.is_some_and(|built| Arc::ptr_eq(built, cluster))
    }

    /// Ends the build.
    pub(crate) fn finish(self) -> BTreeMap<Arc<str>, Arc<Cluster>> {
        self.before.replaced_by(self.built)
    }

    fn real(&self, host: &str) -> Arc<str> {
        let mut host: Arc<str> = host.into();
        for _ in 0..4 {
            let known = self.hosts.get(&HostPattern::parse(&host));
            match known.and_then(|known| known.alias.clone()) {
                Some(next) => host = next,
                None => break,
            }
        }
        host
    }

    /// How the members are found; `None` when a cluster cannot exist: DNS without any name. A service that lists no
    /// endpoints has `None`: its host is the endpoint.
    fn discovery(
        &self,
        service: &Service,
        port: &ServicePort,
        endpoints: Option<&[&Endpoint]>,
        policy: &TrafficPolicy,
    ) -> Option<Discovery> {
        let unlisted = endpoints.is_none();
        let endpoints = endpoints.unwrap_or_default();
        let gateway = self.workload.mode == Mode::Gateway;
        let dialled = port.target.unwrap_or(port.number);
        let wildcard = service.host.exact().is_none();
        let members = || self.placed(service, members(service, port, endpoints), policy);
        Some(match &service.resolution {
            Resolution::DynamicDns => Discovery::PerCall {
                allowed: service.host.clone(),
                port: dialled,
            },
            Resolution::None if !gateway => Discovery::Original { port: port.target },
            Resolution::None if wildcard && unlisted => Discovery::PerCall {
                allowed: service.host.clone(),
                port: dialled,
            },
            Resolution::Static if service.headless && !gateway => {
                Discovery::Original { port: None }
            }
            Resolution::None | Resolution::Static => Discovery::Members(members()),
            Resolution::Dns | Resolution::DnsRoundRobin => {
                let single = service.resolution == Resolution::DnsRoundRobin;
                let members = if unlisted {
                    vec![Member {
                        address: Address::Name(service.host.exact()?.clone()),
                        port: dialled,
                        weight: 1,
                        locality: "".into(),
                        priority: 0,
                        workload: None,
                    }]
                } else {
                    members()
                };
                if members.is_empty() {
                    return None;
                }
                Discovery::Names { members, single }
            }
            Resolution::Alias(_) => return None,
        })
    }

    /// Members with their priorities, or weights, by locality.
    fn placed(
        &self,
        service: &Service,
        members: Vec<(Member, &Labels)>,
        policy: &TrafficPolicy,
    ) -> Vec<Member> {
        let failover = policy.outlier_detection.is_some();
        let near;
        let (setting, failover) = match &policy.locality {
            Some(own) => (own, failover),
            None if service.near => {
                near = localities::near();
                (&near, true)
            }
            None => (&self.objects.mesh.locality, failover),
        };
        match setting.enabled {
            Some(false) => members.into_iter().map(|(member, _)| member).collect(),
            _ => localities::prioritize(members, setting, &self.workload.labels, failover),
        }
    }

    fn policy(&self, policy: TrafficPolicy, protocol: Protocol) -> ClusterPolicy {
        let mut pool = policy.connection_pool.unwrap_or_default();
        let http = protocol.class() == Some(PortClass::Http);
        let upgrade = pool
            .h2_upgrade
            .unwrap_or(http && self.objects.mesh.h2_upgrade);
        pool.h2_upgrade = Some(upgrade && !pool.use_client_protocol);
        // A gateway does not detect the protocol of a port without one: it is HTTP/1.
        let guessed = protocol == Protocol::Auto && self.workload.mode == Mode::Sidecar;
        pool.use_client_protocol |= guessed && !upgrade;
        pool.keepalive = keepalive(pool.keepalive, self.objects.mesh.keepalive.as_ref());
        ClusterPolicy {
            load_balancer: policy.load_balancer.unwrap_or_default(),
            warmup: policy.warmup,
            connect_timeout: pool
                .connect_timeout
                .unwrap_or(self.objects.mesh.connect_timeout),
            pool,
            outlier_detection: policy.outlier_detection,
            tls: policy
                .tls
                .flatten()
                .map(|own| Hashed::new(self.objects.mesh.tls_defaults.over_client(own))),
            tunnel: policy.tunnel,
            proxy_protocol: policy.proxy_protocol,
            retry_budget: policy.retry_budget,
        }
    }
}

/// A policy over that of the mesh, block by block.
fn over(own: TrafficPolicy, mesh: &TrafficPolicy) -> TrafficPolicy {
    let mesh = mesh.clone();
    let (locality, warmup) = match own.load_balancer {
        Some(_) => (own.locality, own.warmup),
        None => (own.locality.or(mesh.locality), mesh.warmup),
    };
    TrafficPolicy {
        load_balancer: own.load_balancer.or(mesh.load_balancer),
        locality,
        warmup,
        connection_pool: own.connection_pool.or(mesh.connection_pool),
        outlier_detection: own.outlier_detection.or(mesh.outlier_detection),
        tls: own.tls.or(mesh.tls),
        tunnel: own.tunnel.or(mesh.tunnel),
        proxy_protocol: own.proxy_protocol.or(mesh.proxy_protocol),
        retry_budget: own.retry_budget.or(mesh.retry_budget),
    }
}

/// Settings of keepalive over those of the mesh, one by one.
fn keepalive(own: Option<Keepalive>, mesh: Option<&Keepalive>) -> Option<Keepalive> {
    let Some(mesh) = mesh else { return own };
    let own = own.unwrap_or_default();
    Some(Keepalive {
        probes: own.probes.or(mesh.probes),
        time: own.time.or(mesh.time),
        interval: own.interval.or(mesh.interval),
    })
}

/// `outbound|port|subset|host`.
pub(crate) fn cluster_name(port: u16, subset: Option<&str>, host: &str) -> Arc<str> {
    format!("outbound|{port}|{}|{host}", subset.unwrap_or_default()).into()
}

/// What the clusters of a service are built from; `None` for one that is put together from several documents, whose
/// endpoints are in others, too, or are selected.
#[allow(clippy::ptr_arg, reason = "a service that is put together is owned")]
fn inputs(service: &Cow<'_, Service>, rules: &Merged<'_>) -> Option<Arc<ClusterInputs>> {
    let Cow::Borrowed(service) = service else {
        return None;
    };
    let alone = service.meta.kind == Kind::ServiceEntry && service.selector.is_none();
    let rules = rules.rules.iter().map(|rule| Arc::clone(&rule.meta));
    alone.then(|| {
        Arc::new(ClusterInputs {
            service: Arc::clone(&service.meta),
            rules: rules.collect(),
        })
    })
}

/// How metrics name a service.
fn destination(service: &Service) -> Hashed<DestinationService> {
    let host = host_text(&service.host);
    let name = match service.meta.kind {
        Kind::Service => Arc::clone(&service.meta.name.name),
        _ => Arc::clone(&host),
    };
    Hashed::new(DestinationService {
        host,
        name,
        namespace: Arc::clone(&service.meta.name.namespace),
    })
}

fn members<'e>(
    service: &Service,
    port: &ServicePort,
    endpoints: &[&'e Endpoint],
) -> Vec<(Member, &'e Labels)> {
    endpoints
        .iter()
        .filter_map(|endpoint| {
            let member = Member {
                address: endpoint.address.clone(),
                port: port_of(service, port, endpoint)?,
                weight: endpoint.weight.unwrap_or(1).max(1),
                locality: endpoint.locality.clone(),
                priority: 0,
                workload: endpoint.workload.clone(),
            };
            Some((member, &endpoint.labels))
        })
        .collect()
}
