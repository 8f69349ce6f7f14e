//! Which servers a gateway has on which port, and which of two that clash counts.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::gateway::Server;
use crate::model::gateway::ServerTlsMode;
use crate::model::virtual_service::GatewayName;
use crate::name::Kind;
use crate::problem::Problem;
use crate::problem::Severity;
use crate::snapshot::GatewayPort;
use crate::snapshot::findings::Findings;
use crate::snapshot::gateways::Build;
use crate::snapshot::gateways::ServerKind;
use crate::snapshot::gateways::Serving;
use crate::snapshot::gateways::kind_of;

impl<'o> Build<'_, 'o, '_> {
    /// Tells of gateway names that fall back or bind to nothing.
    pub(super) fn tell_names(&mut self) {
        let mut told = Vec::new();
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
                    None => "no such Gateway exists: the rules for it do nothing".to_owned(),
                };
                told.push(Problem {
                    field: format!("spec.gateways[{at}]"),
                    value: name.to_string(),
                    reason,
                    ..Findings::warning(&bound.vs.meta)
                });
            }
        }
        for problem in told {
            self.findings.add(problem);
        }
    }

    /// The servers of each port, in order, those left out that clash with earlier ones.
    pub(super) fn ports(&mut self) -> BTreeMap<GatewayPort, Vec<Serving<'o>>> {
        let mut ports: BTreeMap<GatewayPort, Vec<Serving<'o>>> = BTreeMap::new();
        let mut taken: HashMap<(GatewayPort, HostPattern), String> = HashMap::new();
        for gateway in &self.objects.gateways {
            if !gateway.selector.select(&self.workload.labels) {
                continue;
            }
            for (place, server) in gateway.servers.iter().enumerate() {
                let port = GatewayPort {
                    bind: server.bind,
                    port: self.listening_port(server.port),
                };
                if self.workload.own_ports.contains(&port.port) {
                    self.findings.add(Problem {
                        severity: Severity::Warning,
                        field: format!("spec.servers[{place}].port.number"),
                        value: port.port.to_string(),
                        reason: "egret itself listens on this port: the server is left out"
                            .to_owned(),
                        ..Findings::warning(&gateway.meta)
                    });
                    continue;
                }
                let serving = Serving {
                    gateway,
                    place,
                    server: Arc::new(server.clone()),
                };
                let others = ports.entry(port).or_default();
                if let Some(first) = others.iter().find(|other| clash(&other.server, server)) {
                    self.findings.add(Problem {
                        field: format!("spec.servers[{place}].port"),
                        value: format!("{} {}", port.port, server.protocol),
                        reason: format!(
                            "{} has the port for {} and wins, as the older one: this server is left out",
                            first.gateway.meta.title(),
                            first.server.protocol
                        ),
                        ..Findings::warning(&gateway.meta)
                    });
                    continue;
                }
                if let ServerTlsMode::Terminate(_) = server.tls {
                    let held = server
                        .hosts
                        .iter()
                        .find_map(|host| taken.get(&(port, host.host.clone())).cloned());
                    if let Some(first) = held {
                        self.findings.add(Problem {
                            field: format!("spec.servers[{place}].hosts"),
                            reason: format!(
                                "{first} terminates TLS for one of these names on port {} and wins, as the older one: \
                                 this server is left out",
                                port.port
                            ),
                            ..Findings::warning(&gateway.meta)
                        });
                        continue;
                    }
                    for host in &server.hosts {
                        taken
                            .entry((port, host.host.clone()))
                            .or_insert_with(|| gateway.meta.title());
                    }
                }
                others.push(serving);
            }
        }
        ports
    }

    /// The port that a server port means: the target port of a Service that selects the gateway, else itself.
    fn listening_port(&self, number: u16) -> u16 {
        let registry = self.clusters.registry;
        let of_gateway = self.objects.services.iter().filter(|service| {
            service.meta.kind == Kind::Service
                && service.meta.name.namespace == self.workload.namespace
                && service
                    .selector
                    .as_ref()
                    .is_some_and(|selector| selector.select(&self.workload.labels))
        });
        of_gateway
            .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
            .find(|(_, port)| port.number == number)
            .map_or(number, |(service, port)| {
                registry.target_port(service, port, &self.workload.addresses)
            })
    }
}

/// Whether two servers cannot share a port: plaintext HTTP and plaintext TCP.
fn clash(one: &Server, other: &Server) -> bool {
    let kinds = (kind_of(one), kind_of(other));
    matches!(
        kinds,
        (ServerKind::Http, ServerKind::Tcp) | (ServerKind::Tcp, ServerKind::Http)
    )
}
