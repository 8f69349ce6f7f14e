//! The virtual hosts of a sidecar's route tables: whose rules a service's host gets, and which names lead to it.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use crate::host::CLUSTER_DOMAIN;
use crate::host::HostPattern;
use crate::model::objects::Objects;
use crate::model::service::Resolution;
use crate::model::service::Service;
use crate::model::virtual_service::VirtualService;
use crate::name::Kind;
use crate::port::PortClass;
use crate::problem::Problem;
use crate::snapshot::clusters::Clusters;
use crate::snapshot::delegates::Delegates;
use crate::snapshot::findings::Findings;
use crate::snapshot::outbound::is_mesh;
use crate::snapshot::patterns::PatternMap;
use crate::snapshot::routes::Site;
use crate::snapshot::routes::Written;
use crate::snapshot::routes::http_rules;
use crate::snapshot::services::host_text;
use crate::snapshot::table::Action;
use crate::snapshot::table::RouteTable;
use crate::snapshot::table::Rule;
use crate::snapshot::table::RuleOrigin;
use crate::snapshot::table::VirtualHost;
use crate::snapshot::visible::Imports;
use crate::snapshot::workload::Workload;

/// The port of an authority that names none.
const DEFAULT_PORT: u16 = 80;

/// The VirtualServices and services of one egress listener, indexed.
pub(crate) struct VirtualServices<'a> {
    list: Vec<(&'a Arc<VirtualService>, Vec<Written>)>,
    /// Places in the list, ascending, by host.
    by_host: PatternMap<Vec<usize>>,
    /// Every host of the list, for services that are wildcards themselves.
    hosts: Vec<(&'a HostPattern, usize)>,
    services: Vec<&'a Service>,
    by_service_host: HashMap<&'a HostPattern, usize>,
    /// Places of services that speak HTTP, or maybe do, by port. ExternalName services are among them, since a
    /// VirtualService may have their host.
    by_port: HashMap<u16, Vec<usize>>,
    /// Places of the services that speak something else, by port.
    others: HashMap<u16, Vec<usize>>,
    /// ExternalName services by the host they stand for.
    aliases: HashMap<&'a str, Vec<&'a Service>>,
}

/// Compiled rules by place in the list and by port.
#[derive(Default)]
pub(crate) struct Rules {
    compiled: HashMap<(usize, u16), Vec<Arc<Rule>>>,
}

impl<'a> VirtualServices<'a> {
    /// Indexes what an egress listener imports.
    pub(crate) fn new(
        objects: &'a Objects,
        imports: &'a Imports<'a>,
        findings: &mut Findings,
    ) -> Self {
        let delegates = Delegates::new(objects);
        let list: Vec<_> = imports
            .virtual_services
            .iter()
            .map(|vs| (*vs, delegates.joined(vs, findings)))
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
                let places = match port.protocol.class() {
                    Some(PortClass::Http | PortClass::Auto) => &mut by_port,
                    Some(PortClass::Tcp) | None => &mut others,
                };
                places.entry(port.number).or_default().push(at);
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

    /// The names of the ExternalName services that stand for a service.
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

    /// Places of VirtualServices that have a host in common with `host`, ascending.
    fn matching(&self, host: &HostPattern) -> BTreeSet<usize> {
        let mut places: BTreeSet<usize> = self
            .by_host
            .covering(host)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        if host.exact().is_none() {
            let covered = self.hosts.iter().filter(|(one, _)| host.covers(one));
            places.extend(covered.map(|(_, at)| *at));
        }
        places
    }

    /// The VirtualService whose rules a service gets on a port: the first with exactly its host that has rules there;
    /// else, when none has its host, the one with the most specific wildcard.
    fn owner(&self, service: &Service, rules: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        if let Some(named) = self.by_host.get(&service.host) {
            return named.iter().copied().find(|at| rules(*at));
        }
        let most_specific = self.by_host.covering(&service.host);
        let at = *most_specific.first()?.first()?;
        rules(at).then_some(at)
    }
}

/// The host that an ExternalName service stands for in the end; nothing where they stand for each other.
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

/// The table of a port that every HTTP service of the port shares.
pub(crate) fn shared_table(
    (objects, workload): (&Objects, &Workload),
    virtual_services: &VirtualServices<'_>,
    port: u16,
    rules: &mut Rules,
    clusters: &mut Clusters<'_, '_>,
    findings: &mut Findings,
) -> RouteTable {
    let site = site(objects, workload, port);
    let places = virtual_services
        .by_port
        .get(&port)
        .map_or(&[][..], Vec::as_slice);
    let services: Vec<&Service> = places
        .iter()
        .map(|at| virtual_services.services[*at])
        .collect();
    let taking_part: BTreeSet<usize> = if port == DEFAULT_PORT {
        (0..virtual_services.list.len()).collect()
    } else {
        services
            .iter()
            .flat_map(|service| virtual_services.matching(&service.host))
            .collect()
    };
    for at in &taking_part {
        rules.compile(*at, virtual_services, &site, clusters, findings);
    }
    let others = virtual_services.others.get(&port).into_iter().flatten();
    let registered: HashSet<&HostPattern> = services
        .iter()
        .copied()
        .chain(others.map(|at| virtual_services.services[*at]))
        .map(|service| &service.host)
        .collect();
    let mut owned: HashMap<usize, Vec<&Service>> = HashMap::new();
    let mut owners: HashMap<&HostPattern, usize> = HashMap::new();
    let mut unowned = Vec::new();
    for service in &services {
        match virtual_services.owner(service, &mut |at| rules.has(at, port)) {
            Some(at) => {
                owned.entry(at).or_default().push(service);
                owners.insert(&service.host, at);
            }
            // An alias without rules of its own is a further name of what it stands for.
            None if matches!(service.resolution, Resolution::Alias(_)) => {}
            None => unowned.push(*service),
        }
    }
    let mut unregistered: HashMap<&HostPattern, usize> = HashMap::new();
    let mut table = RouteTable::new(port.to_string());
    for at in taking_part {
        let vs = virtual_services.list[at].0;
        let compiled = rules.of(at, port);
        if compiled.is_empty() {
            continue;
        }
        for host in &vs.hosts {
            if registered.contains(host) {
                if let Some(first) = owners.get(host).filter(|first| **first != at) {
                    let first = virtual_services.list[*first].0;
                    shadowed(&first.meta.title(), vs, host, findings);
                }
                continue;
            }
            if let Some(first) = unregistered.get(host).filter(|first| **first != at) {
                let first = virtual_services.list[*first].0;
                shadowed(&first.meta.title(), vs, host, findings);
                continue;
            }
            unregistered.insert(host, at);
            table.add(VirtualHost {
                name: format!("{host}:{port}").into(),
                domains: vec![host.clone()],
                rules: compiled.to_vec(),
                to_https: false,
            });
        }
        for service in owned.get(&at).into_iter().flatten() {
            let domains = domains(service, virtual_services, &registered, workload);
            table.add(VirtualHost {
                name: format!("{}:{port}", service.host).into(),
                domains,
                rules: compiled.to_vec(),
                to_https: false,
            });
        }
    }
    for service in unowned {
        let domains = domains(service, virtual_services, &registered, workload);
        table.add(VirtualHost {
            name: format!("{}:{port}", service.host).into(),
            domains,
            rules: vec![default_rule(service, port, clusters)],
            to_https: false,
        });
    }
    table
}

/// The table of an HTTP_PROXY listener on `port`: services of every port, each by its names with the port; those of port 80
/// by their names alone too.
pub(crate) fn proxy_table(
    world: (&Objects, &Workload),
    virtual_services: &VirtualServices<'_>,
    port: u16,
    rules: &mut Rules,
    clusters: &mut Clusters<'_, '_>,
    findings: &mut Findings,
) -> RouteTable {
    let mut table = RouteTable::with_ports(port.to_string());
    let ports: BTreeSet<u16> = virtual_services.by_port.keys().copied().collect();
    for port in ports {
        let of_port = shared_table(world, virtual_services, port, rules, clusters, findings);
        for mut host in of_port.hosts {
            let named = host.domains.iter().map(|domain| domain.with_port(port));
            let named: Vec<HostPattern> = named.collect();
            if port == DEFAULT_PORT {
                host.domains.extend(named);
            } else {
                host.domains = named;
            }
            table.add(host);
        }
    }
    table
}

/// The table of a service of undeclared protocol on its own address: whatever the host says, it is this service.
pub(crate) fn own_table(
    (objects, workload): (&Objects, &Workload),
    virtual_services: &VirtualServices<'_>,
    port: u16,
    host: &HostPattern,
    rules: &mut Rules,
    clusters: &mut Clusters<'_, '_>,
    findings: &mut Findings,
) -> RouteTable {
    let site = site(objects, workload, port);
    let name: Arc<str> = format!("{host}:{port}").into();
    let mut table = RouteTable::new(name.clone());
    let Some(service) = virtual_services.by_service_host.get(host) else {
        return table;
    };
    let service = virtual_services.services[*service];
    for at in virtual_services.matching(host) {
        rules.compile(at, virtual_services, &site, clusters, findings);
    }
    let owner = virtual_services.owner(service, &mut |at| rules.has(at, port));
    table.add(VirtualHost {
        name,
        domains: vec![HostPattern::Any],
        rules: match owner {
            Some(at) => rules.of(at, port).to_vec(),
            None => vec![default_rule(service, port, clusters)],
        },
        to_https: false,
    });
    table
}

impl Rules {
    fn compile(
        &mut self,
        at: usize,
        virtual_services: &VirtualServices<'_>,
        site: &Site<'_>,
        clusters: &mut Clusters<'_, '_>,
        findings: &mut Findings,
    ) {
        let (vs, written) = &virtual_services.list[at];
        self.compiled
            .entry((at, site.port))
            .or_insert_with(|| http_rules(vs, written, site, clusters, findings));
    }

    fn of(&self, at: usize, port: u16) -> &[Arc<Rule>] {
        self.compiled.get(&(at, port)).map_or(&[], Vec::as_slice)
    }

    fn has(&self, at: usize, port: u16) -> bool {
        !self.of(at, port).is_empty()
    }
}

fn site<'a>(objects: &'a Objects, workload: &'a Workload, port: u16) -> Site<'a> {
    Site {
        workload,
        mesh: &objects.mesh,
        port,
        here: &is_mesh,
    }
}

fn default_rule(service: &Service, port: u16, clusters: &Clusters<'_, '_>) -> Arc<Rule> {
    Arc::new(Rule {
        name: Some("default".into()),
        origin: RuleOrigin::Service(service.meta.clone()),
        action: Action::Default(clusters.target(&host_text(&service.host), None, port)),
    })
}

fn shadowed(first: &str, vs: &VirtualService, host: &HostPattern, findings: &mut Findings) {
    findings.add(Problem {
        field: "spec.hosts".to_owned(),
        value: host.to_string(),
        reason: format!(
            "{first} has this host too and wins for sidecars, as the older one; no rule of this object counts for the \
             host: put the rules into one VirtualService"
        ),
        ..Findings::warning(&vs.meta)
    });
}

/// The names that lead to a service: its host, the same with a final dot, short forms, addresses, aliases.
fn domains(
    service: &Service,
    virtual_services: &VirtualServices<'_>,
    registered: &HashSet<&HostPattern>,
    workload: &Workload,
) -> Vec<HostPattern> {
    let mut domains = vec![service.host.clone()];
    if let HostPattern::Exact(name) = &service.host {
        let mut short: Vec<String> = short_forms(name, &workload.namespace).collect();
        if service.headless && service.meta.kind == Kind::Service {
            let below: Vec<_> = std::iter::once(name.to_string())
                .chain(short.iter().cloned())
                .map(|name| HostPattern::Suffix(format!(".{name}").into()))
                .collect();
            domains.extend(below);
        }
        domains.push(HostPattern::Exact(format!("{name}.").into()));
        // A short form that is another service's real host is not taken from it.
        short.retain(|form| !registered.contains(&HostPattern::Exact(form.as_str().into())));
        domains.extend(
            short
                .into_iter()
                .map(|form| HostPattern::Exact(form.into())),
        );
    } else if let HostPattern::Suffix(suffix) = &service.host {
        domains.push(HostPattern::Suffix(format!("{suffix}.").into()));
    }
    for address in &service.addresses {
        if address.prefix_len() == address.max_prefix_len() {
            domains.push(HostPattern::Exact(address.addr().to_string().into()));
        }
    }
    domains.extend(virtual_services.aliases(service, &workload.namespace));
    domains
}

/// The shorter names of a Kubernetes host, as a pod of `namespace` may write them.
fn short_forms(host: &str, namespace: &str) -> impl Iterator<Item = String> {
    let tail = format!(".svc.{CLUSTER_DOMAIN}");
    let parts = host
        .strip_suffix(&*tail)
        .and_then(|rest| rest.split_once('.').map(|parts| (rest, parts)));
    let forms = match parts {
        Some((rest, (name, of))) => {
            let mut forms = vec![rest.to_owned(), format!("{rest}.svc")];
            if of == namespace {
                forms.push(name.to_owned());
            }
            forms
        }
        None => Vec::new(),
    };
    forms.into_iter()
}
