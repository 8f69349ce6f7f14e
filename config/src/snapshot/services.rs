//! Services as a namespace sees them: one a host, merged; with the endpoints of their EndpointSlices.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::endpoint::{Address, Endpoint, EndpointGroup};
use crate::model::meta::ExportTo;
use crate::model::objects::Objects;
use crate::model::service::{Resolution, Service, ServicePort};
use crate::name::Kind;
use crate::problem::Problem;
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::workload::Mode;

/// All services by host, and the EndpointSlices of each.
pub(crate) struct Registry<'o> {
    objects: &'o Objects,
    by_host: HashMap<&'o HostPattern, Vec<&'o Service>>,
    slices: HashMap<(&'o str, &'o str), Vec<&'o EndpointGroup>>,
}

/// Which service has a host when several visible services do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TieBreak {
    /// The first's: on a gateway.
    First,
    /// The one's of the client's own namespace, else the first's: for the view of a sidecar, and for names in rules.
    Own,
}

impl TieBreak {
    /// What counts for what a workload sees.
    pub(crate) fn of(mode: Mode) -> Self {
        match mode {
            Mode::Sidecar => Self::Own,
            Mode::Gateway => Self::First,
        }
    }
}

impl<'o> Registry<'o> {
    /// Indexes the services.
    pub(crate) fn new(objects: &'o Objects) -> Self {
        let mut by_host: HashMap<_, Vec<&Service>> = HashMap::with_capacity(objects.services.len());
        for service in &objects.services {
            by_host.entry(&service.host).or_default().push(service);
        }
        let mut slices: HashMap<_, Vec<_>> = HashMap::new();
        for group in &objects.endpoints {
            slices
                .entry((&*group.meta.name.namespace, &*group.service))
                .or_default()
                .push(group);
        }
        Self {
            objects,
            by_host,
            slices,
        }
    }

    /// The services that `namespace` sees and `filter` lets through, one a host: first those exported to it alone, then
    /// the public ones, each by age.
    pub(crate) fn visible(
        &self,
        namespace: &str,
        ties: TieBreak,
        filter: impl Fn(&Service) -> bool,
    ) -> Vec<Cow<'o, Service>> {
        let mut services = Vec::with_capacity(self.objects.services.len());
        for public in [false, true] {
            for service in self.objects.services.iter().map(Arc::as_ref) {
                if self.is_public(service) != public
                    || !self.sees(namespace, service)
                    || !filter(service)
                {
                    continue;
                }
                let rivals = self
                    .by_host
                    .get(&service.host)
                    .map_or(&[][..], Vec::as_slice);
                if rivals.len() < 2 {
                    services.push(Cow::Borrowed(service));
                    continue;
                }
                let rivals = self.visible_to(namespace, rivals, &filter);
                if winner(namespace, ties, &rivals)
                    .is_some_and(|winner| std::ptr::eq(winner, service))
                {
                    services.push(merged(service, &rivals));
                }
            }
        }
        services
    }

    /// Tells of services that `namespace` sees and that another of the same host hides.
    pub(crate) fn report_hidden(&self, namespace: &str, ties: TieBreak, problems: &mut ProblemSet) {
        for service in self.objects.services.iter().map(Arc::as_ref) {
            let rivals = self
                .by_host
                .get(&service.host)
                .map_or(&[][..], Vec::as_slice);
            if rivals.len() < 2 {
                continue;
            }
            let rivals = self.visible_to(namespace, rivals, &|_| true);
            let hides = winner(namespace, ties, &rivals).filter(|winner| {
                let visible_to = rivals.iter().any(|one| std::ptr::eq(*one, service));
                visible_to && !std::ptr::eq(*winner, service) && !may_merge(winner, service)
            });
            if let Some(winner) = hides {
                problems.add(Problem {
                    field: "spec.hosts".to_owned(),
                    value: service.host.to_string(),
                    reason: format!(
                        "{} has this host too and wins; nothing of this object counts for the host: put the ports into \
                         one ServiceEntry, or give both the same namespace, resolution, labels and exportTo",
                        winner.meta.title()
                    ),
                    ..ProblemSet::warning(&service.meta)
                });
            }
        }
    }

    /// The service of a host, as `namespace` sees it.
    pub(crate) fn seen_from(
        &self,
        namespace: &str,
        host: &HostPattern,
    ) -> Option<Cow<'o, Service>> {
        let rivals = self.visible_to(namespace, self.by_host.get(host)?, &|_| true);
        let winner = winner(namespace, TieBreak::Own, &rivals)?;
        Some(merged(winner, &rivals))
    }

    /// The service of a host in `owner` namespace, whoever may see it; without one, as `namespace` sees it, else in any.
    pub(crate) fn named(
        &self,
        host: &HostPattern,
        owner: Option<&str>,
        namespace: &str,
    ) -> Option<Cow<'o, Service>> {
        let all = self.by_host.get(host)?;
        if let Some(owner) = owner {
            let mut own = all.iter().copied();
            let own = own.find(|service| *service.meta.name.namespace == *owner)?;
            return Some(merged(own, all));
        }
        let service = self.seen_from(namespace, host);
        service.or_else(|| Some(merged(all.first()?, all)))
    }

    /// The members of a service: from its document or its EndpointSlices, and the instances that it selects. Pods of a
    /// Kubernetes Service are in its slices already.
    pub(crate) fn endpoints<'s>(&self, service: &'s Service) -> Vec<&'s Endpoint>
    where
        'o: 's,
    {
        let name = &service.meta.name;
        let kubernetes = service.meta.kind == Kind::Service;
        let slices = kubernetes
            .then(|| self.slices.get(&(&*name.namespace, &*name.name)))
            .flatten();
        let mut endpoints: Vec<&Endpoint> = service
            .endpoints
            .iter()
            .chain(
                slices
                    .into_iter()
                    .flatten()
                    .flat_map(|group| &group.endpoints),
            )
            .collect();
        if let Some(selector) = &service.selector {
            let instances = &self.objects.instances;
            let selected = instances.selected(&name.namespace, selector);
            endpoints.extend(
                selected
                    .filter(|one| !kubernetes || one.meta.kind == Kind::WorkloadEntry)
                    .map(|one| &one.endpoint)
                    .filter(|endpoint| reachable(service, endpoint)),
            );
        }
        endpoints
    }

    /// The port that a Kubernetes service's endpoints listen on behind `port`, as seen from the pod with one of
    /// `addresses`.
    pub(crate) fn target_port(
        &self,
        service: &Service,
        port: &ServicePort,
        addresses: &[std::net::IpAddr],
    ) -> u16 {
        let own = self.endpoints(service).into_iter().find(|endpoint| {
            matches!(endpoint.address, Address::Ip(address) if addresses.contains(&address))
        });
        own.and_then(|endpoint| port_of(service, port, endpoint))
            .or(port.target)
            .unwrap_or(port.number)
    }

    /// Whether `namespace` sees a service.
    pub(crate) fn sees(&self, namespace: &str, service: &Service) -> bool {
        includes(
            service.export_to.as_ref(),
            &self.objects.mesh.service_export_to,
            &service.meta.name.namespace,
            namespace,
        )
    }

    fn is_public(&self, service: &Service) -> bool {
        is_public(
            service.export_to.as_ref(),
            &self.objects.mesh.service_export_to,
        )
    }

    fn visible_to(
        &self,
        namespace: &str,
        rivals: &[&'o Service],
        filter: &dyn Fn(&Service) -> bool,
    ) -> Vec<&'o Service> {
        let mut visible: Vec<&Service> = rivals
            .iter()
            .copied()
            .filter(|rival| self.sees(namespace, rival) && filter(rival))
            .collect();
        visible.sort_by_key(|rival| self.is_public(rival));
        visible
    }
}

/// Whether a service can have a member by its kind of address: names are for DNS resolution.
fn reachable(service: &Service, endpoint: &Endpoint) -> bool {
    match endpoint.address {
        Address::Ip(_) => true,
        Address::Name(_) => matches!(
            service.resolution,
            Resolution::Dns | Resolution::DnsRoundRobin
        ),
        Address::Unix(_) => service.resolution == Resolution::Static,
    }
}

/// Whether `namespace` sees an object of `own` namespace. In a mesh-wide default, `.` is the object's namespace.
pub(crate) fn includes(
    export_to: Option<&ExportTo>,
    default: &ExportTo,
    own: &str,
    namespace: &str,
) -> bool {
    match export_to {
        Some(export_to) => export_to.includes(namespace),
        None => default.includes(namespace) || (default.includes(".") && own == namespace),
    }
}

/// Whether an object is exported to everyone.
pub(crate) fn is_public(export_to: Option<&ExportTo>, default: &ExportTo) -> bool {
    matches!(export_to.unwrap_or(default), ExportTo::All)
}

/// The port number of an endpoint behind a service port; `None` when a slice does not have the port.
pub(crate) fn port_of(service: &Service, port: &ServicePort, endpoint: &Endpoint) -> Option<u16> {
    if let Some(number) = endpoint.ports.get(&port.name) {
        return Some(*number);
    }
    if service.meta.kind == Kind::Service && !endpoint.ports.is_empty() {
        let only = endpoint.ports.len() == 1 && service.ports.len() == 1;
        return endpoint.ports.values().next().copied().filter(|_| only);
    }
    Some(port.target.unwrap_or(port.number))
}

/// Who a host belongs to: Kubernetes, else the first; where own ones count more, of them if there are any.
fn winner<'o>(namespace: &str, ties: TieBreak, rivals: &[&'o Service]) -> Option<&'o Service> {
    let kubernetes = |service: &&Service| service.meta.kind == Kind::Service;
    let own =
        |service: &&&Service| ties == TieBreak::Own && *service.meta.name.namespace == *namespace;
    let first_of = |rivals: &[&'o Service]| {
        rivals
            .iter()
            .find(|service| kubernetes(service))
            .or_else(|| rivals.first())
            .copied()
    };
    let of_own: Vec<&Service> = rivals.iter().filter(own).copied().collect();
    first_of(&of_own).or_else(|| first_of(rivals))
}

/// Adds to a ServiceEntry the ports and addresses of those that may be merged with it: same namespace, resolution,
/// labels and exportTo. Of each port the first wins.
fn merged<'o>(winner: &'o Service, rivals: &[&'o Service]) -> Cow<'o, Service> {
    let mut merged = Cow::Borrowed(winner);
    for rival in rivals {
        if std::ptr::eq(*rival, winner) || !may_merge(winner, rival) {
            continue;
        }
        if rival.addresses != winner.addresses {
            for port in &mut merged.to_mut().ports {
                port.addresses
                    .get_or_insert_with(|| winner.addresses.clone());
            }
        }
        for port in &rival.ports {
            let apart = merged.ports.iter().any(|known| known.addresses.is_some());
            let index = merged
                .ports
                .iter()
                .position(|known| known.number == port.number);
            match index {
                None => merged.to_mut().ports.push(ServicePort {
                    addresses: apart.then(|| rival.addresses.clone()),
                    ..port.clone()
                }),
                Some(at) if apart => {
                    let known = &mut merged.to_mut().ports[at];
                    let addresses = known.addresses.get_or_insert_default();
                    for address in &rival.addresses {
                        if !addresses.contains(address) {
                            addresses.push(*address);
                        }
                    }
                }
                Some(_) => {}
            }
        }
        for address in &rival.addresses {
            if !merged.addresses.contains(address) {
                merged.to_mut().addresses.push(*address);
            }
        }
        if merged.endpoints.is_empty() && !rival.endpoints.is_empty() {
            merged.to_mut().endpoints.clone_from(&rival.endpoints);
        }
    }
    merged
}

/// Whether two services of one host are one service in two documents.
pub(crate) fn may_merge(one: &Service, other: &Service) -> bool {
    one.meta.kind == Kind::ServiceEntry
        && other.meta.kind == Kind::ServiceEntry
        && one.meta.name.namespace == other.meta.name.namespace
        && one.resolution == other.resolution
        && one.labels == other.labels
        && one.export_to == other.export_to
}

/// The text of a host pattern, without a copy when it is one name.
pub(crate) fn host_text(host: &HostPattern) -> Arc<str> {
    match host {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Suffix(_) | HostPattern::Any => host.to_string().into(),
    }
}
