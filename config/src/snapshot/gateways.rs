//! What a gateway listens on, and what each of its ports does.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::gateway::Gateway;
use crate::model::gateway::Server;
use crate::model::gateway::ServerHost;
use crate::model::gateway::ServerTlsMode;
use crate::model::objects::Objects;
use crate::model::tls::ServerTls;
use crate::model::virtual_service::GatewayName;
use crate::model::virtual_service::VirtualService;
use crate::name::Kind;
use crate::name::ObjectName;
use crate::port::PortClass;
use crate::port::Protocol;
use crate::problem::Problem;
use crate::problem::Severity;
use crate::snapshot::GatewayPort;
use crate::snapshot::chains::Chain;
use crate::snapshot::chains::ChainOrigin;
use crate::snapshot::chains::Chains;
use crate::snapshot::chains::StreamRoute;
use crate::snapshot::clusters::Clusters;
use crate::snapshot::delegates::Delegates;
use crate::snapshot::findings::Findings;
use crate::snapshot::routes::Site;
use crate::snapshot::routes::Written;
use crate::snapshot::routes::applies;
use crate::snapshot::routes::http_rules;
use crate::snapshot::routes::stream_route;
use crate::snapshot::table::RouteTable;
use crate::snapshot::table::Rule;
use crate::snapshot::table::VirtualHost;
use crate::snapshot::visible::virtual_services;
use crate::snapshot::workload::Workload;

/// The listeners of a gateway, by port.
pub(crate) type Gateways = BTreeMap<GatewayPort, GatewayListener>;

/// One port of a gateway.
#[derive(Debug)]
pub(crate) struct GatewayListener {
    /// `address:port`.
    pub(crate) key: Arc<str>,
    /// Plaintext HTTP.
    pub(crate) http: Option<Arc<RouteTable>>,
    /// The servers that plaintext HTTP is for.
    pub(crate) http_origins: Vec<ChainOrigin>,
    /// TLS, by server name.
    pub(crate) tls: Chains<TlsAct>,
    /// Any byte stream.
    pub(crate) tcp: Option<(StreamRoute, ChainOrigin)>,
}

/// What a gateway does with a TLS connection.
#[derive(Debug)]
pub(crate) enum TlsAct {
    /// Ends TLS and treats what is inside as HTTP.
    Http {
        /// How TLS is ended.
        tls: Arc<ServerTls>,
        /// The server.
        server: Arc<Server>,
        /// Where requests are routed.
        table: Arc<RouteTable>,
    },
    /// Ends TLS and forwards what is inside.
    Stream {
        /// How TLS is ended.
        tls: Arc<ServerTls>,
        /// The server.
        server: Arc<Server>,
        /// Where to.
        route: StreamRoute,
    },
    /// Forwards it as it is.
    Pass(StreamRoute),
    /// The SNI names the cluster: `outbound_.port_.subset_.host`.
    NamedBySni,
}

impl GatewayListener {
    /// Whether it does nothing, so that nobody should listen.
    fn is_idle(&self) -> bool {
        self.http.is_none() && self.tls.is_empty() && self.tcp.is_none()
    }
}

/// A server that takes part in a port.
struct Serving<'o> {
    gateway: &'o Gateway,
    place: usize,
    server: Arc<Server>,
}

/// A VirtualService that this gateway's namespace sees, with delegates joined.
struct Bound<'o> {
    vs: &'o Arc<VirtualService>,
    http: Vec<Written>,
}

struct Build<'a, 'o, 'b> {
    objects: &'o Objects,
    workload: &'a Workload,
    clusters: &'a mut Clusters<'o, 'b>,
    findings: &'a mut Findings,
    names: &'a Names<'o>,
    bound: Vec<Bound<'o>>,
}

/// Gateways by name.
struct Names<'o> {
    by_name: HashMap<&'o ObjectName, &'o Arc<Gateway>>,
    root: Arc<str>,
}

/// Builds the listeners of a gateway.
pub(crate) fn gateways<'o>(
    objects: &'o Objects,
    workload: &Workload,
    clusters: &mut Clusters<'o, '_>,
    findings: &mut Findings,
) -> Gateways {
    for service in clusters.registry.visible(&workload.namespace, |_| true) {
        clusters.add(&service);
    }
    let delegates = Delegates::new(objects);
    let bound = virtual_services(objects, &workload.namespace)
        .into_iter()
        .map(|vs| Bound {
            vs,
            http: delegates.joined(vs, findings),
        })
        .collect();
    let names = Names {
        by_name: objects
            .gateways
            .iter()
            .map(|gateway| (&gateway.meta.name, gateway))
            .collect(),
        root: objects.mesh.root_namespace.clone(),
    };
    let mut build = Build {
        objects,
        workload,
        clusters,
        findings,
        names: &names,
        bound,
    };
    build.tell_names();
    let mut listeners = Gateways::new();
    for (port, servers) in build.ports() {
        let listener = build.listener(port, &servers);
        if !listener.is_idle() {
            listeners.insert(port, listener);
        }
    }
    listeners
}

impl<'o> Names<'o> {
    /// The Gateway that a name in a VirtualService means: a bare name that its own namespace does not have falls back to
    /// the root namespace.
    fn resolve(&self, name: &GatewayName) -> Option<&'o Arc<Gateway>> {
        let GatewayName::Gateway { name, bare } = name else {
            return None;
        };
        self.by_name.get(name).copied().or_else(|| {
            let root = ObjectName::new(self.root.clone(), name.name.clone());
            bare.then(|| self.by_name.get(&root).copied()).flatten()
        })
    }

    /// Whether a name in a VirtualService means a Gateway.
    fn mean(&self, name: &GatewayName, gateway: &Gateway) -> bool {
        self.resolve(name)
            .is_some_and(|one| one.meta.name == gateway.meta.name)
    }
}

impl<'o> Build<'_, 'o, '_> {
    /// Tells of gateway names that fall back or bind to nothing.
    fn tell_names(&mut self) {
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
    fn ports(&mut self) -> BTreeMap<GatewayPort, Vec<Serving<'o>>> {
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

    fn listener(&mut self, port: GatewayPort, servers: &[Serving<'o>]) -> GatewayListener {
        let address = port
            .bind
            .unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let mut listener = GatewayListener {
            key: std::net::SocketAddr::new(address, port.port)
                .to_string()
                .into(),
            http: None,
            http_origins: Vec::new(),
            tls: Chains::default(),
            tcp: None,
        };
        let of = |kind: ServerKind| {
            servers
                .iter()
                .filter(move |serving| kind_of(&serving.server) == kind)
        };
        let plain: Vec<_> = of(ServerKind::Http).collect();
        if !plain.is_empty() {
            let bind = port.bind.map(|bind| format!(".{bind}")).unwrap_or_default();
            let table = self.table(format!("http.{}{bind}", port.port), &plain);
            listener.http = Some(Arc::new(table));
            listener.http_origins = plain.iter().map(|serving| origin(serving)).collect();
        }
        // Servers that end TLS hold their names before rules that only look at the SNI.
        for serving in of(ServerKind::TlsEnding) {
            self.ending(serving, &mut listener);
        }
        for serving in of(ServerKind::TlsPassing) {
            self.passing(serving, &mut listener);
        }
        for serving in of(ServerKind::Tcp) {
            if listener.tcp.is_none() {
                listener.tcp = self.tcp(serving);
            }
        }
        listener
    }

    fn ending(&mut self, serving: &Serving<'o>, listener: &mut GatewayListener) {
        let server = &serving.server;
        let ServerTlsMode::Terminate(tls) = &server.tls else {
            return;
        };
        let act = if server.protocol == Protocol::Tls || server.protocol == Protocol::Tcp {
            let Some((route, _)) = self.tcp(serving) else {
                return;
            };
            TlsAct::Stream {
                tls: tls.clone(),
                server: server.clone(),
                route,
            }
        } else {
            let name = &serving.gateway.meta.name;
            let bind = server
                .bind
                .map(|bind| format!(".{bind}"))
                .unwrap_or_default();
            let table = format!(
                "https.{}.{}.{}.{}{bind}",
                server.port, server.port_name, name.name, name.namespace
            );
            TlsAct::Http {
                tls: tls.clone(),
                server: server.clone(),
                table: Arc::new(self.table(table, &[serving])),
            }
        };
        listener.tls.add(Chain {
            subnets: Vec::new(),
            sni: server.hosts.iter().map(|host| host.host.clone()).collect(),
            unlisted: false,
            origin: origin(serving),
            act,
        });
    }

    fn passing(&mut self, serving: &Serving<'o>, listener: &mut GatewayListener) {
        let server = &serving.server;
        if server.tls == ServerTlsMode::AutoPassthrough {
            listener.tls.add(Chain {
                subnets: Vec::new(),
                sni: server.hosts.iter().map(|host| host.host.clone()).collect(),
                unlisted: false,
                origin: origin(serving),
                act: TlsAct::NamedBySni,
            });
            return;
        }
        for at in 0..self.bound.len() {
            let vs = self.bound[at].vs;
            if vs.tls.is_empty() || !self.binds(vs, serving) || narrowed(server, vs).is_empty() {
                continue;
            }
            for (rule_at, rule) in vs.tls.iter().enumerate() {
                for (matching, wanted) in rule.matches.iter().enumerate() {
                    let names = self.names;
                    let here = |name: &GatewayName| names.mean(name, serving.gateway);
                    let site = Site {
                        workload: self.workload,
                        mesh: &self.objects.mesh,
                        port: server.port,
                        here: &here,
                    };
                    if !applies(&wanted.source, &site) {
                        continue;
                    }
                    let route = stream_route(
                        vs,
                        &rule.destinations,
                        server.port,
                        &format!("spec.tls[{rule_at}]"),
                        self.clusters,
                        self.findings,
                    );
                    let holder = listener.tls.add(Chain {
                        subnets: Vec::new(),
                        sni: wanted.sni.clone(),
                        unlisted: false,
                        origin: ChainOrigin::Tls {
                            object: vs.meta.clone(),
                            rule: rule_at,
                            matching,
                        },
                        act: TlsAct::Pass(route),
                    });
                    let holder = holder.and_then(|at| listener.tls.at(at));
                    if let Some(holder) = holder {
                        self.findings.add(Problem {
                            field: format!("spec.tls[{rule_at}].match[{matching}].sniHosts"),
                            reason: format!(
                                "{} has one of these names on port {} and keeps it, as the first",
                                holder.origin, server.port
                            ),
                            ..Findings::warning(&vs.meta)
                        });
                    }
                }
            }
        }
    }

    fn tcp(&mut self, serving: &Serving<'o>) -> Option<(StreamRoute, ChainOrigin)> {
        let server = &serving.server;
        for at in 0..self.bound.len() {
            let vs = self.bound[at].vs;
            if vs.tcp.is_empty() || !self.binds(vs, serving) || narrowed(server, vs).is_empty() {
                continue;
            }
            for (rule_at, rule) in vs.tcp.iter().enumerate() {
                let names = self.names;
                let here = |name: &GatewayName| names.mean(name, serving.gateway);
                let site = Site {
                    workload: self.workload,
                    mesh: &self.objects.mesh,
                    port: server.port,
                    here: &here,
                };
                let matching = rule
                    .matches
                    .iter()
                    .position(|wanted| applies(&wanted.source, &site));
                if matching.is_none() && !rule.matches.is_empty() {
                    continue;
                }
                let origin = ChainOrigin::Tcp {
                    object: vs.meta.clone(),
                    rule: rule_at,
                    matching,
                };
                let route = stream_route(
                    vs,
                    &rule.destinations,
                    server.port,
                    &format!("spec.tcp[{rule_at}]"),
                    self.clusters,
                    self.findings,
                );
                return Some((route, origin));
            }
        }
        None
    }

    /// A route table of servers: a virtual host for each name that a server and a VirtualService have in common.
    fn table(&mut self, name: String, servers: &[&Serving<'o>]) -> RouteTable {
        let number = servers.first().map_or(0, |serving| serving.server.port);
        let mut hosts: Vec<(HostPattern, Vec<Arc<Rule>>, bool)> = Vec::new();
        for serving in servers {
            let server = &serving.server;
            let to_https = server.tls == ServerTlsMode::RedirectToHttps;
            for at in 0..self.bound.len() {
                let vs = self.bound[at].vs;
                if !self.binds(vs, serving) {
                    continue;
                }
                let shared = narrowed(server, vs);
                if shared.is_empty() {
                    continue;
                }
                let names = self.names;
                let here = |name: &GatewayName| names.mean(name, serving.gateway);
                let site = Site {
                    workload: self.workload,
                    mesh: &self.objects.mesh,
                    port: server.port,
                    here: &here,
                };
                let rules = http_rules(
                    vs,
                    &self.bound[at].http,
                    &site,
                    self.clusters,
                    self.findings,
                );
                if rules.is_empty() {
                    continue;
                }
                for host in shared {
                    match hosts.iter_mut().find(|(known, _, _)| *known == host) {
                        Some((_, known, https)) => {
                            *https |= to_https;
                            // Another server may have brought the same rules: the later ones are never reached.
                            let new = rules.iter().filter(|rule| {
                                known.iter().all(|one| !one.origin.is(&rule.origin))
                            });
                            let new: Vec<_> = new.cloned().collect();
                            known.extend(new);
                        }
                        None => hosts.push((host, rules.clone(), to_https)),
                    }
                }
            }
            if to_https {
                for host in &server.hosts {
                    match hosts.iter_mut().find(|(known, _, _)| *known == host.host) {
                        Some((_, _, https)) => *https = true,
                        None => hosts.push((host.host.clone(), Vec::new(), true)),
                    }
                }
            }
        }
        let mut table = RouteTable::new(name);
        for (host, mut rules, to_https) in hosts {
            rules.sort_by_key(|rule| rule.takes_all());
            table.add(VirtualHost {
                name: format!("{host}:{number}").into(),
                domains: vec![host],
                rules,
                to_https,
            });
        }
        if table.hosts.is_empty() {
            table.add(VirtualHost {
                name: format!("blackhole:{number}").into(),
                domains: vec![HostPattern::Any],
                rules: Vec::new(),
                to_https: false,
            });
        }
        table
    }

    fn binds(&self, vs: &VirtualService, serving: &Serving<'_>) -> bool {
        vs.gateways
            .iter()
            .any(|name| self.names.mean(name, serving.gateway))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerKind {
    Http,
    TlsEnding,
    TlsPassing,
    Tcp,
}

fn kind_of(server: &Server) -> ServerKind {
    match &server.tls {
        ServerTlsMode::Terminate(_) => ServerKind::TlsEnding,
        ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough => ServerKind::TlsPassing,
        ServerTlsMode::None | ServerTlsMode::RedirectToHttps => match server.protocol.class() {
            Some(PortClass::Http) => ServerKind::Http,
            Some(PortClass::Tcp | PortClass::Auto) | None => ServerKind::Tcp,
        },
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

/// The names that a server and a VirtualService have in common, the narrower of each pair.
fn narrowed(server: &Server, vs: &VirtualService) -> Vec<HostPattern> {
    let mut names = Vec::new();
    let of_server = server.hosts.iter().filter(|host| admits(host, vs));
    for (host, written) in
        of_server.flat_map(|host| vs.hosts.iter().map(move |written| (&host.host, written)))
    {
        let name = if host.covers(written) {
            written
        } else if written.covers(host) {
            host
        } else {
            continue;
        };
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn admits(host: &ServerHost, vs: &VirtualService) -> bool {
    host.namespace
        .as_ref()
        .is_none_or(|namespace| *namespace == vs.meta.name.namespace)
}

fn origin(serving: &Serving<'_>) -> ChainOrigin {
    ChainOrigin::Server {
        object: serving.gateway.meta.clone(),
        server: serving.place,
    }
}
