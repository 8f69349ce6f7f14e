//! What a gateway listens on, and what each of its ports does.

mod servers;
mod shared;
mod streams;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::gateway::{Gateway, Server, ServerHost};
use crate::model::objects::Objects;
use crate::model::source::GatewayName;
use crate::model::tls::{Hashed, ServerTls, ServerTlsMode};
use crate::model::virtual_service::VirtualService;
use crate::name::ObjectName;
use crate::port::PortClass;
use crate::snapshot::BoundPort;
use crate::snapshot::chains::{ChainOrigin, FilterChains, StreamRoute};
use crate::snapshot::clusters::Clusters;
use crate::snapshot::delegates::Delegates;
use crate::snapshot::findings::Findings;
use crate::snapshot::gateways::shared::Shared;
use crate::snapshot::routes::{Site, Written, http_rules};
use crate::snapshot::services::TieBreak;
use crate::snapshot::table::{RouteTable, VirtualHost};
use crate::snapshot::visible::virtual_services;
use crate::snapshot::workload::Workload;

/// The listeners of a gateway, by port.
pub(crate) type Gateways = BTreeMap<BoundPort, GatewayListener>;

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
    pub(crate) tls: FilterChains<TlsAction>,
    /// Any byte stream.
    pub(crate) tcp: Option<(StreamRoute, ChainOrigin)>,
}

/// What a gateway does with a TLS connection.
#[derive(Debug)]
pub(crate) enum TlsAction {
    /// Ends TLS and treats what is inside as HTTP.
    Http {
        /// How TLS is ended.
        tls: Hashed<ServerTls>,
        /// The server.
        server: Arc<Server>,
        /// Where requests are routed.
        table: Arc<RouteTable>,
    },
    /// Ends TLS and forwards what is inside.
    Stream {
        /// How TLS is ended.
        tls: Hashed<ServerTls>,
        /// The server.
        server: Arc<Server>,
        /// Where to.
        route: StreamRoute,
    },
    /// Forwards it as it is.
    Pass(StreamRoute),
    /// The SNI names the cluster: `outbound_.port_.subset_.host`, of these hosts.
    NamedBySni(HashSet<HostPattern>),
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
    for service in clusters
        .registry
        .visible(&workload.namespace, TieBreak::First, |_| true)
    {
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
    fn listener(&mut self, port: BoundPort, servers: &[Serving<'o>]) -> GatewayListener {
        let address = port
            .bind
            .unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let mut listener = GatewayListener {
            key: std::net::SocketAddr::new(address, port.port)
                .to_string()
                .into(),
            http: None,
            http_origins: Vec::new(),
            tls: FilterChains::default(),
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

    /// A route table of servers: a virtual host for each name that a server and a VirtualService have in common.
    fn table(&mut self, name: String, servers: &[&Serving<'o>]) -> RouteTable {
        let number = servers.first().map_or(0, |serving| serving.server.port);
        let mut hosts: Vec<Shared> = Vec::new();
        let mut places: HashMap<HostPattern, usize> = HashMap::new();
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
                    let place = *places.entry(host.clone()).or_insert(hosts.len());
                    match hosts.get_mut(place) {
                        Some(known) => {
                            known.to_https |= to_https;
                            // Another server may have brought the same rules: the later ones are never reached.
                            let new = rules.iter().filter(|rule| {
                                known.rules.iter().all(|one| !one.origin.is(&rule.origin))
                            });
                            let new: Vec<_> = new.cloned().collect();
                            known.rules.extend(new);
                        }
                        None => hosts.push(Shared {
                            host,
                            port: server.port,
                            rules: rules.clone(),
                            to_https,
                        }),
                    }
                }
            }
            if to_https {
                for host in &server.hosts {
                    let place = *places.entry(host.host.clone()).or_insert(hosts.len());
                    match hosts.get_mut(place) {
                        Some(known) => known.to_https = true,
                        None => hosts.push(Shared {
                            host: host.host.clone(),
                            port: server.port,
                            rules: Vec::new(),
                            to_https: true,
                        }),
                    }
                }
            }
        }
        let mut table = RouteTable::new(name);
        let names = shared::names(&hosts);
        for (mut shared, name) in hosts.into_iter().zip(names) {
            shared.rules.sort_by_key(|rule| rule.takes_all());
            table.add(VirtualHost {
                name,
                domains: vec![shared.host],
                rules: shared.rules,
                to_https: shared.to_https,
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
