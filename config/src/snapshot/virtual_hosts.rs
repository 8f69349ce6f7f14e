//! The virtual hosts of a sidecar's route tables: which rules a service's host gets.

mod domains;
pub(crate) mod index;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::objects::Objects;
use crate::model::service::{Resolution, Service};
use crate::model::source::GatewayName;
use crate::model::virtual_service::VirtualService;
use crate::problem::Problem;
use crate::snapshot::clusters::Clusters;
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::routes::{Compiler, Site, http_rules};
use crate::snapshot::services::host_text;
use crate::snapshot::table::{Action, RouteTable, Rule, RuleOrigin, VirtualHost};
use crate::snapshot::target::Target;
use crate::snapshot::virtual_hosts::domains::{are_plain_domains, domains};
use crate::snapshot::virtual_hosts::index::VirtualServices;
use crate::snapshot::workload::Workload;

/// The port of an authority that names none.
const DEFAULT_PORT: u16 = 80;

/// Compiled rules by index in the list and by port.
#[derive(Default)]
pub(crate) struct Rules {
    compiled: HashMap<(usize, u16), Vec<Arc<Rule>>>,
}

/// The route tables of one egress listener, while they are built.
pub(crate) struct Tables<'t, 'o, 'b> {
    pub(crate) objects: &'t Objects,
    pub(crate) workload: &'t Workload,
    pub(crate) virtual_services: &'t VirtualServices<'t>,
    /// The rules that were compiled for an earlier table.
    pub(crate) rules: Rules,
    /// Those of the snapshot before, by port.
    pub(crate) before: &'t HashMap<u16, &'t RouteTable>,
    pub(crate) compiler: Compiler<'t, 'o, 'b>,
}

impl Tables<'_, '_, '_> {
    /// The table of a port that every HTTP service of the port shares.
    pub(crate) fn shared(&mut self, port: u16) -> RouteTable {
        let (virtual_services, workload) = (self.virtual_services, self.workload);
        let site = site(self.objects, workload, port);
        let indexes = virtual_services
            .by_port
            .get(&port)
            .map_or(&[][..], Vec::as_slice);
        let services: Vec<&Service> = indexes
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
            self.rules
                .compile(*at, virtual_services, &site, &mut self.compiler);
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
            match virtual_services.owner(service, &mut |at| self.rules.has(at, port)) {
                Some(at) => {
                    owned.entry(at).or_default().push(service);
                    owners.insert(&service.host, at);
                }
                // An alias without rules of its own is a further name of its target.
                None if matches!(service.resolution, Resolution::Alias(_)) => {}
                None => unowned.push(*service),
            }
        }
        let mut unregistered: HashMap<&HostPattern, usize> = HashMap::new();
        let mut table = RouteTable::new(port.to_string());
        for at in taking_part {
            let vs = virtual_services.list[at].0;
            let compiled = self.rules.of(at, port);
            if compiled.is_empty() {
                continue;
            }
            for host in &vs.hosts {
                if registered.contains(host) {
                    if let Some(first) = owners.get(host).filter(|first| **first != at) {
                        let first = virtual_services.list[*first].0;
                        shadowed(&first.meta.title(), vs, host, self.compiler.problems);
                    }
                    continue;
                }
                if let Some(first) = unregistered.get(host).filter(|first| **first != at) {
                    let first = virtual_services.list[*first].0;
                    shadowed(&first.meta.title(), vs, host, self.compiler.problems);
                    continue;
                }
                unregistered.insert(host, at);
                table.add_new(VirtualHost {
                    name: format!("{host}:{port}").into(),
                    domains: vec![host.clone()],
                    rules: compiled.to_vec(),
                    to_https: false,
                });
            }
            for service in owned.get(&at).into_iter().flatten() {
                let domains = domains(service, virtual_services, &registered, workload);
                table.add_new(VirtualHost {
                    name: format!("{}:{port}", service.host).into(),
                    domains,
                    rules: compiled.to_vec(),
                    to_https: false,
                });
            }
        }
        let before = self.before.get(&port);
        for service in unowned {
            let known = before.and_then(|before| before.holder(&service.host));
            let is_same = |known: &&Arc<VirtualHost>| {
                is_default_of(known, service, port, self.compiler.clusters)
                    && are_plain_domains(&known.domains, service, virtual_services)
            };
            if let Some(known) = known.filter(is_same) {
                table.add(Arc::clone(known));
                continue;
            }
            let domains = domains(service, virtual_services, &registered, workload);
            table.add_new(VirtualHost {
                name: format!("{}:{port}", service.host).into(),
                domains,
                rules: vec![default_rule(service, port, self.compiler.clusters)],
                to_https: false,
            });
        }
        table
    }

    /// The table of an HTTP_PROXY listener on `port`: services of every port, each by its names with the port; those of port 80
    /// by their names alone too.
    #[allow(clippy::disallowed_methods, reason = "collected into an ordered set")]
    pub(crate) fn proxy(&mut self, port: u16) -> RouteTable {
        let mut table = RouteTable::with_ports(port.to_string());
        let ports: BTreeSet<u16> = self.virtual_services.by_port.keys().copied().collect();
        for port in ports {
            let of_port = self.shared(port);
            for host in of_port.hosts {
                let mut host = Arc::unwrap_or_clone(host);
                let named = host.domains.iter().map(|domain| domain.with_port(port));
                let named: Vec<HostPattern> = named.collect();
                if port == DEFAULT_PORT {
                    host.domains.extend(named);
                } else {
                    host.domains = named;
                }
                table.add_new(host);
            }
        }
        table
    }

    /// The table of a service of undeclared protocol on its own address: every host means this service.
    pub(crate) fn own(&mut self, port: u16, host: &HostPattern) -> RouteTable {
        let virtual_services = self.virtual_services;
        let site = site(self.objects, self.workload, port);
        let name: Arc<str> = format!("{host}:{port}").into();
        let mut table = RouteTable::new(name.clone());
        let Some(service) = virtual_services.by_service_host.get(host) else {
            return table;
        };
        let service = virtual_services.services[*service];
        for at in virtual_services.matching(host) {
            self.rules
                .compile(at, virtual_services, &site, &mut self.compiler);
        }
        let owner = virtual_services.owner(service, &mut |at| self.rules.has(at, port));
        table.add_new(VirtualHost {
            name,
            domains: vec![HostPattern::Any],
            rules: match owner {
                Some(at) => self.rules.of(at, port).to_vec(),
                None => vec![default_rule(service, port, self.compiler.clusters)],
            },
            to_https: false,
        });
        table
    }
}

impl Rules {
    fn compile(
        &mut self,
        at: usize,
        virtual_services: &VirtualServices<'_>,
        site: &Site<'_>,
        compiler: &mut Compiler<'_, '_, '_>,
    ) {
        let (vs, written) = &virtual_services.list[at];
        self.compiled
            .entry((at, site.port))
            .or_insert_with(|| http_rules(vs, written, site, compiler));
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
        here: &GatewayName::is_mesh,
    }
}

fn default_rule(service: &Service, port: u16, clusters: &Clusters<'_, '_>) -> Arc<Rule> {
    Arc::new(Rule {
        name: Some("default".into()),
        origin: RuleOrigin::Service(service.meta.clone()),
        conditions: Arc::default(),
        filters: None,
        action: Action::Default(clusters.target(&host_text(&service.host), None, port)),
    })
}

/// Whether a virtual host, maybe of the snapshot before, is what a service without rules has now, its domains aside.
fn is_default_of(
    host: &VirtualHost,
    service: &Service,
    port: u16,
    clusters: &Clusters<'_, '_>,
) -> bool {
    let [rule] = &host.rules[..] else {
        return false;
    };
    let (RuleOrigin::Service(object), Action::Default(Target::Cluster(cluster))) =
        (&rule.origin, &rule.action)
    else {
        return false;
    };
    Arc::ptr_eq(object, &service.meta)
        && cluster.port == port
        && cluster.subset.is_none()
        && cluster.host == service.host
        && clusters.has(cluster)
}

fn shadowed(first: &str, vs: &VirtualService, host: &HostPattern, problems: &mut ProblemSet) {
    problems.add(Problem {
        field: "spec.hosts".to_owned(),
        value: host.to_string(),
        reason: format!(
            "{first} has this host too and wins for sidecars, as the older one; no rule of this object counts for the \
             host: put the rules into one VirtualService"
        ),
        ..ProblemSet::warning(&vs.meta)
    });
}
