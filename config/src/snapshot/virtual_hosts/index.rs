//! The VirtualServices and services that one egress listener imports, found by host and by port.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::host::{HostPattern, short_forms};
use crate::model::objects::Objects;
use crate::model::service::{Resolution, Service};
use crate::model::virtual_service::VirtualService;
use crate::port::PortClass;
use crate::snapshot::delegates::Delegates;
use crate::snapshot::patterns::PatternMap;
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::routes::SourceRule;
use crate::snapshot::services::host_text;
use crate::snapshot::visible::Imports;

/// The VirtualServices and services of one egress listener, indexed.
pub(crate) struct VirtualServices<'a> {
    pub(super) list: Vec<(&'a Arc<VirtualService>, Vec<SourceRule>)>,
    /// Places in the list, ascending, by host.
    pub(super) by_host: PatternMap<Vec<usize>>,
    /// Every host of the list, for services that are wildcards themselves.
    hosts: Vec<(&'a HostPattern, usize)>,
    pub(super) services: Vec<&'a Service>,
    pub(super) by_service_host: HashMap<&'a HostPattern, usize>,
    /// Places of services that speak HTTP, or maybe do, by port. ExternalName services are among them, since a
    /// VirtualService may have their host.
    pub(super) by_port: HashMap<u16, Vec<usize>>,
    /// Places of the services that speak something else, by port.
    pub(super) others: HashMap<u16, Vec<usize>>,
    /// ExternalName services by their target host.
    aliases: HashMap<&'a str, Vec<&'a Service>>,
}

impl<'a> VirtualServices<'a> {
    /// Indexes what an egress listener imports.
    pub(crate) fn new(
        objects: &'a Objects,
        imports: &'a Imports<'a>,
        problems: &mut ProblemSet,
    ) -> Self {
        let delegates = Delegates::new(objects);
        let list: Vec<_> = imports
            .virtual_services
            .iter()
            .map(|vs| (*vs, delegates.joined(vs, problems)))
            .collect();
        let mut by_host: PatternMap<Vec<usize>> = PatternMap::default();
        let mut hosts = Vec::new();
        for (at, (vs, _)) in list.iter().enumerate() {
            for host in &vs.hosts {
                by_host.entry(host, Vec::new).push(at);
                hosts.push((host, at));
            }
        }
        let services: Vec<&Service> = imports.services.iter().map(|service| &**service).collect();
        let by_service_host: HashMap<&HostPattern, usize> = services
            .iter()
            .enumerate()
            .map(|(at, service)| (&service.host, at))
            .collect();
        let mut by_port: HashMap<u16, Vec<usize>> = HashMap::new();
        let mut others: HashMap<u16, Vec<usize>> = HashMap::new();
        let mut aliases: HashMap<&str, Vec<&Service>> = HashMap::new();
        for (at, service) in services.iter().enumerate() {
            if let Some(real) = concrete(service, &services, &by_service_host) {
                aliases.entry(real).or_default().push(service);
            }
            for port in &service.ports {
                let by_class = match port.protocol.class() {
                    Some(PortClass::Http | PortClass::Auto) => &mut by_port,
                    Some(PortClass::Tcp) | None => &mut others,
                };
                by_class.entry(port.number).or_default().push(at);
            }
        }
        Self {
            list,
            by_host,
            hosts,
            services,
            by_service_host,
            by_port,
            others,
            aliases,
        }
    }

    /// The VirtualServices with rules for byte streams that have a host in common with `host`, in order.
    pub(crate) fn streams_for(&self, host: &HostPattern) -> Vec<&'a Arc<VirtualService>> {
        self.matching(host)
            .into_iter()
            .map(|at| self.list[at].0)
            .filter(|vs| !vs.tls.is_empty() || !vs.tcp.is_empty())
            .collect()
    }

    /// The names of the ExternalName services that are aliases of a service.
    pub(crate) fn aliases(&self, service: &Service, namespace: &str) -> Vec<HostPattern> {
        let host = host_text(&service.host);
        let aliases = self.aliases.get(&*host).into_iter().flatten();
        aliases
            .flat_map(|alias| {
                let name = host_text(&alias.host);
                std::iter::once(name.to_string())
                    .chain(short_forms(&name, namespace))
                    .map(|name| HostPattern::Exact(name.into()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Whether some ExternalName service is an alias of a host.
    pub(crate) fn has_aliases(&self, host: &HostPattern) -> bool {
        !self.aliases.is_empty() && self.aliases.contains_key(&*host_text(host))
    }

    /// Places of VirtualServices that have a host in common with `host`, ascending.
    pub(super) fn matching(&self, host: &HostPattern) -> BTreeSet<usize> {
        let mut indexes: BTreeSet<usize> = self
            .by_host
            .covering(host)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        if host.exact().is_none() {
            let covered = self.hosts.iter().filter(|(one, _)| host.covers(one));
            indexes.extend(covered.map(|(_, at)| *at));
        }
        indexes
    }

    /// The VirtualService whose rules a service gets on a port: the first with exactly its host that has rules there;
    /// else, when none has its host, the one with the most specific wildcard.
    pub(super) fn owner(
        &self,
        service: &Service,
        rules: &mut dyn FnMut(usize) -> bool,
    ) -> Option<usize> {
        if let Some(named) = self.by_host.get(&service.host) {
            return named.iter().copied().find(|at| rules(*at));
        }
        let most_specific = self.by_host.covering(&service.host);
        let at = *most_specific.first()?.first()?;
        rules(at).then_some(at)
    }
}

/// The final target of an ExternalName service; nothing where aliases form a circle.
fn concrete<'a>(
    alias: &'a Service,
    services: &[&'a Service],
    by_host: &HashMap<&HostPattern, usize>,
) -> Option<&'a str> {
    let mut service = alias;
    let mut real = None;
    for _ in services {
        let Resolution::Alias(next) = &service.resolution else {
            return real;
        };
        real = Some(&**next);
        match by_host.get(&HostPattern::Exact(next.clone())) {
            Some(at) => service = services[*at],
            None => return real,
        }
    }
    None
}
