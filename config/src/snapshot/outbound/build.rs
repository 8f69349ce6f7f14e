//! Services to listeners: the address and port of each, and which wins where two have the same.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::fast_map::FastMap;
use crate::host::HostPattern;
use crate::model::endpoint::Address;
use crate::model::objects::Objects;
use crate::model::service::{Resolution, Service, ServicePort};
use crate::name::Kind;
use crate::port::{PortClass, Protocol};
use crate::problem::Problem;
use crate::snapshot::chains::{ChainOrigin, FilterChains};
use crate::snapshot::clusters::Clusters;
use crate::snapshot::outbound::listener::Listener;
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::routes::Compiler;
use crate::snapshot::table::RouteTable;
use crate::snapshot::virtual_hosts::index::VirtualServices;
use crate::snapshot::virtual_hosts::{Rules, Tables};
use crate::snapshot::visible::Imports;
use crate::snapshot::workload::Workload;

/// Listeners while they are built. Those of earlier egress listeners are closed to later ones.
#[derive(Default)]
pub(super) struct Drafts {
    pub(super) by_address: FastMap<(IpAddr, u16), Listener>,
    pub(super) by_port: FastMap<u16, Listener>,
    pub(super) closed: HashSet<(Option<IpAddr>, u16)>,
    /// Listeners of the current egress listener that use the port's shared table.
    pub(super) shared: BTreeSet<(Option<IpAddr>, u16)>,
    /// Listeners of one address that use a table of their service alone.
    pub(super) own: Vec<(IpAddr, u16, HostPattern)>,
}

pub(super) struct Build<'a, 'o, 'b> {
    pub(super) objects: &'a Objects,
    pub(super) workload: &'a Workload,
    pub(super) imports: &'a Imports<'a>,
    pub(super) virtual_services: &'a VirtualServices<'a>,
    pub(super) clusters: &'a mut Clusters<'o, 'b>,
    pub(super) problems: &'a mut ProblemSet,
    pub(super) drafts: &'a mut Drafts,
    /// The route tables of the snapshot before, by port.
    pub(super) tables_before: &'a HashMap<u16, &'a RouteTable>,
}

impl Build<'_, '_, '_> {
    /// Makes the listeners of the egress listener at work, with their chains.
    #[allow(clippy::disallowed_methods, reason = "collected into a set")]
    pub(super) fn listeners(&mut self) {
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
            if self.is_kept(port.number, port.protocol) {
                return;
            }
            if port.protocol.class() == Some(PortClass::Http) {
                if self.listener(imports.bind, port.number) {
                    self.drafts.shared.insert((imports.bind, port.number));
                }
                return;
            }
        }
        for service in &imports.services {
            if matches!(service.resolution, Resolution::Alias(_)) {
                continue;
            }
            for port in &service.ports {
                let imported = imports.port.is_none_or(|only| only.number == port.number);
                if !imported || self.is_kept(port.number, port.protocol) {
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

    /// Whether a port is egret's own, so that no service is called there: any where redirected connections arrive, and HTTP
    /// of every address where egret serves pages, as with Istio.
    fn is_kept(&self, port: u16, protocol: Protocol) -> bool {
        let everywhere = || {
            protocol.class() == Some(PortClass::Http)
                && self.imports.bind.is_none()
                && self.workload.own_ports.contains(&port)
        };
        self.workload.redirect_ports.contains(&port) || everywhere()
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
        let at = port.addresses.as_ref().unwrap_or(&service.addresses);
        let (addresses, ranges): (Vec<IpNet>, Vec<IpNet>) = at
            .iter()
            .partition(|net| net.prefix_len() == net.max_prefix_len());
        // The unspecified address is every one.
        let bind = |net: &IpNet| Some(net.addr()).filter(|ip| !ip.is_unspecified());
        let mut binds: Vec<Option<IpAddr>> = addresses.iter().map(bind).collect();
        binds.dedup();
        if let Some(bind) = self.imports.bind {
            binds = vec![Some(bind)];
        } else if binds.is_empty() && ranges.is_empty() {
            binds = self.without_address(service);
        }
        for bind in binds {
            if self.listener(bind, port.number) {
                self.streams(service, port, bind, &[]);
                self.detected(service, port, class, bind);
            }
        }
        let captures_ranges = !ranges.is_empty() && self.imports.bind.is_none();
        if captures_ranges && self.listener(None, port.number) {
            self.streams(service, port, None, &ranges);
            self.detected(service, port, class, None);
        }
    }

    /// An undeclared protocol: HTTP when the bytes are HTTP.
    fn detected(
        &mut self,
        service: &Service,
        port: &ServicePort,
        class: PortClass,
        bind: Option<IpAddr>,
    ) {
        if class != PortClass::Auto {
            return;
        }
        match bind {
            Some(ip) => self
                .drafts
                .own
                .push((ip, port.number, service.host.clone())),
            None => {
                self.drafts.shared.insert((bind, port.number));
            }
        }
    }

    /// Where a service without addresses is called: at its endpoints when its clients choose the address, at any
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
        let mut addresses = Vec::new();
        for endpoint in endpoints {
            if let Address::Ip(ip) = endpoint.address
                && !self.workload.addresses.contains(&ip)
                && !addresses.contains(&Some(ip))
            {
                addresses.push(Some(ip));
            }
        }
        addresses
    }

    /// Makes sure that a listener is there; returns whether this egress listener may add to it.
    fn listener(&mut self, bind: Option<IpAddr>, port: u16) -> bool {
        if self.drafts.closed.contains(&(bind, port)) {
            return false;
        }
        let proxies = self.imports.port.is_some_and(|port| port.proxies);
        let http_only = proxies || (bind.is_some() && self.imports.bind == bind);
        let make = |key: String| Listener {
            key: key.into(),
            http: None,
            http_only,
            streams: FilterChains::default(),
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
                conflict(&holder.origin, &origin, &listener.key, self.problems);
            }
        }
    }

    /// Gives the listeners of this egress listener their route tables.
    pub(super) fn tables(&mut self) {
        let mut tables = Tables {
            objects: self.objects,
            workload: self.workload,
            virtual_services: self.virtual_services,
            rules: Rules::default(),
            before: self.tables_before,
            compiler: Compiler {
                clusters: self.clusters,
                problems: self.problems,
            },
        };
        let mut shared: HashMap<u16, Arc<RouteTable>> = HashMap::new();
        let proxies = self.imports.port.is_some_and(|port| port.proxies);
        for (bind, port) in std::mem::take(&mut self.drafts.shared) {
            let table = shared.entry(port).or_insert_with(|| {
                Arc::new(match proxies {
                    true => tables.proxy(port),
                    false => tables.shared(port),
                })
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
            let table = tables.own(port, &host);
            if let Some(listener) = self.drafts.by_address.get_mut(&(ip, port)) {
                listener.http.get_or_insert(Arc::new(table));
            }
        }
    }
}

/// Reports that two byte-stream services match the same calls.
fn conflict(holder: &ChainOrigin, newcomer: &ChainOrigin, key: &str, problems: &mut ProblemSet) {
    let (first, second) = (holder.object(), newcomer.object());
    if first.kind == second.kind && first.name == second.name {
        return;
    }
    problems.add(Problem {
        reason: format!(
            "{} takes the same calls on {key} and wins, as the older one: give each an address of its own \
             (spec.addresses), or use names (HTTP, TLS)",
            first.title()
        ),
        ..ProblemSet::warning(second)
    });
}
