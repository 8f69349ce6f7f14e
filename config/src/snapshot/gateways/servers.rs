//! Which servers a gateway has on which port, and which of two that clash counts.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::endpoint::Address;
use crate::model::gateway::{Gateway, Server, ServerHost};
use crate::model::service::{Resolution, Service};
use crate::model::source::GatewayName;
use crate::model::tls::{Hashed, ServerTlsMode};
use crate::port::Protocol;
use crate::problem::{Problem, Severity};
use crate::snapshot::bound_port::BoundPort;
use crate::snapshot::gateways::build::Build;
use crate::snapshot::gateways::serving::{ServerKind, Serving, kind_of};
use crate::snapshot::problems::ProblemSet;

impl<'o> Build<'_, 'o, '_> {
    /// Tells of gateway names that fall back or bind to nothing.
    pub(super) fn report_names(&mut self) {
        let mut problems = Vec::new();
        for bound in &self.bound {
            for (at, written) in bound.vs.gateways.iter().enumerate() {
                let GatewayName::Gateway { name, .. } = written else {
                    continue;
                };
                let reason = match self.names.resolve(written) {
                    Some(gateway) if gateway.meta.name == *name => continue,
                    Some(gateway) => format!(
                        "no Gateway {name} exists; taken as {} (Istio binds it to nothing): write {}",
                        gateway.meta.name, gateway.meta.name
                    ),
                    None => "no such Gateway exists: the rules for it have no effect".to_owned(),
                };
                problems.push(Problem {
                    field: format!("spec.gateways[{at}]"),
                    value: name.to_string(),
                    reason,
                    ..ProblemSet::warning(&bound.vs.meta)
                });
            }
        }
        for problem in problems {
            self.problems.add(problem);
        }
    }

    /// The servers of each port, in order, those left out that clash with earlier ones.
    pub(super) fn ports(&mut self) -> BTreeMap<BoundPort, Vec<Serving<'o>>> {
        let mut ports: BTreeMap<BoundPort, Vec<Serving<'o>>> = BTreeMap::new();
        let mut tls_owners: HashMap<(BoundPort, ServerHost), String> = HashMap::new();
        let mut first: HashMap<u16, PortOwner> = HashMap::new();
        for gateway in &self.objects.gateways {
            if gateway.services.is_none() && !gateway.selector.select(&self.workload.labels) {
                continue;
            }
            let opened = gateway
                .servers
                .iter()
                .enumerate()
                .flat_map(|(index, server)| {
                    let ports = self.listening_ports(gateway, server.port);
                    ports.into_iter().map(move |port| (index, server, port))
                });
            for (index, server, port) in opened.collect::<Vec<_>>() {
                let port = BoundPort {
                    bind: server.bind,
                    port,
                };
                if self.workload.own_ports.contains(&port.port) {
                    self.problems.add(Problem {
                        severity: Severity::Warning,
                        field: format!("spec.servers[{index}].port.number"),
                        value: port.port.to_string(),
                        reason: "egret itself listens on this port: the server is left out"
                            .to_owned(),
                        ..ProblemSet::warning(&gateway.meta)
                    });
                    continue;
                }
                if has_tls(server) {
                    if let Some(first) = server
                        .hosts
                        .iter()
                        .find_map(|host| tls_owners.get(&(port, host.clone())).cloned())
                    {
                        self.problems.add(Problem {
                            field: format!("spec.servers[{index}].hosts"),
                            reason: format!(
                                "{first} has TLS for one of these names on port {} and wins, as the older one: this \
                                 server is left out",
                                port.port
                            ),
                            ..ProblemSet::warning(&gateway.meta)
                        });
                        continue;
                    }
                    for host in &server.hosts {
                        tls_owners
                            .entry((port, host.clone()))
                            .or_insert_with(|| gateway.meta.title());
                    }
                }
                let others = ports.entry(port).or_default();
                let port_owner = first.entry(port.port).or_insert_with(|| PortOwner {
                    title: gateway.meta.title(),
                    bind: server.bind,
                    plain: is_plain(server).then_some(kind_of(server)),
                    protocol: server.protocol,
                });
                if port_owner.refuses(server, others) {
                    self.problems.add(Problem {
                        field: format!("spec.servers[{index}].port"),
                        value: format!("{} {}", port.port, server.protocol),
                        reason: format!(
                            "{} has the port for {} and wins, as the older one: this server is left out",
                            port_owner.title, port_owner.protocol
                        ),
                        ..ProblemSet::warning(&gateway.meta)
                    });
                    continue;
                }
                others.push(Serving {
                    gateway,
                    index,
                    server: Arc::new(self.with_mesh_defaults(server)),
                });
            }
        }
        ports
    }

    /// A server with the mesh's defaults for what it leaves unsaid.
    fn with_mesh_defaults(&self, server: &Server) -> Server {
        let mut server = server.clone();
        if let ServerTlsMode::Terminate(tls) = &server.tls {
            let defaults = &self.objects.mesh.tls_defaults;
            server.tls = ServerTlsMode::Terminate(Hashed::new(defaults.over_server(tls)));
        }
        server
    }

    /// The ports that a server port means: the target port of the first service that the gateway is a member of, else
    /// itself. Where the Gateway names its services, the target ports of these, of which there may be none.
    fn listening_ports(&self, gateway: &Gateway, number: u16) -> Vec<u16> {
        let registry = self.clusters.registry;
        let counts = |service: &Service| match &gateway.services {
            None => service.labels.value(NO_TRANSLATION).is_none(),
            Some(named) => {
                service.meta.name.namespace == gateway.meta.name.namespace
                    && service
                        .host
                        .exact()
                        .is_some_and(|host| named.contains(host))
            }
        };
        let services = self.objects.services.iter();
        let mut targets = services
            .filter(|service| {
                service.meta.name.namespace == self.workload.namespace && counts(service)
            })
            .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
            .filter(|(service, port)| port.number == number && self.is_member(service))
            .map(|(service, port)| registry.target_port(service, port, &self.workload.addresses));
        if gateway.services.is_none() {
            return vec![targets.next().unwrap_or(number)];
        }
        let mut targets: Vec<_> = targets.collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }

    /// Whether the gateway answers for a service: its selector has the gateway's labels, or a member its address.
    fn is_member(&self, service: &Service) -> bool {
        let selected = service
            .selector
            .as_ref()
            .is_some_and(|selector| selector.select(&self.workload.labels));
        let listed = || {
            service.endpoints.iter().any(|endpoint| {
                matches!(endpoint.address, Address::Ip(ip) if self.workload.addresses.contains(&ip))
            })
        };
        selected || (service.resolution == Resolution::Static && listed())
    }
}

/// The label of a service whose ports Gateways do not translate to target ports.
const NO_TRANSLATION: &str = "experimental.istio.io/disable-gateway-port-translation";

/// The first server of a port, which decides what others may share the port with it.
struct PortOwner {
    title: String,
    bind: Option<IpAddr>,
    /// What it is, when it has no TLS.
    plain: Option<ServerKind>,
    protocol: Protocol,
}

impl PortOwner {
    /// Whether a later server cannot share the port, `others` being those of the same address. A port that plaintext
    /// opened takes HTTP only. One that TLS opened takes plaintext as its second server only, and HTTP once.
    fn refuses(&self, server: &Server, others: &[Serving<'_>]) -> bool {
        if others.is_empty() {
            return false;
        }
        match self.plain {
            Some(kind) if self.bind == server.bind => {
                kind != ServerKind::Http || kind_of(server) != ServerKind::Http
            }
            Some(_) => false,
            None => {
                let later = others.len() - usize::from(self.bind == server.bind);
                let http = |server: &Server| kind_of(server) == ServerKind::Http;
                let plain = is_plain(server) && !has_tls(server);
                (plain && later > 0) || (http(server) && others.iter().any(|one| http(&one.server)))
            }
        }
    }
}

fn is_plain(server: &Server) -> bool {
    matches!(kind_of(server), ServerKind::Http | ServerKind::Tcp)
}

/// Whether a server has TLS settings: of two with one name the second is left out.
fn has_tls(server: &Server) -> bool {
    server.tls != ServerTlsMode::None
}
