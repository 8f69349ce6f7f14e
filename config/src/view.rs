//! Plain pictures of a snapshot, as admin pages show them: listeners, route tables, and in them what goes where.

mod certificates;
mod conditions;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde::Serialize;

use crate::model::outbound_policy::OutboundPolicy;
use crate::snapshot::Snapshot;
use crate::snapshot::chains::{Chain, StreamRoute};
use crate::snapshot::cluster::{BLACK_HOLE_CLUSTER, PASSTHROUGH_CLUSTER};
use crate::snapshot::gateways::{GatewayListener, TlsAction};
use crate::snapshot::outbound::Listener;
use crate::snapshot::table::{Action, RouteTable, Rule, RuleOrigin, VirtualHost};
use crate::snapshot::target::Target;
use crate::snapshot::workload::Mode;
use crate::view::conditions::{joined, summary};

pub use crate::view::certificates::{CertificatesView, PemView};

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListenerView {
    /// The address; `0.0.0.0` is every one, of both families.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// `HTTP`, `TCP`, or `HTTP+TCP` when the bytes decide.
    pub kind: &'static str,
    /// What it does, the first that fits.
    pub chains: Vec<ChainView>,
}

/// One chain of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainView {
    /// What it takes, as `SNI: a.com; Addr: 10.0.0.0/8`, `HTTP`, or `ALL`.
    #[serde(rename = "match")]
    pub matching: String,
    /// Where it leads: `Route: NAME`, `Cluster: NAME`, PassthroughCluster, BlackHoleCluster.
    pub destination: String,
    /// The object it comes from; empty for the policy's.
    pub origin: String,
}

/// One route table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteTableView {
    /// Its name: `80`, `http.80`, `https.443.name.gateway.namespace`, `host:port`.
    pub name: String,
    /// Its virtual hosts, in order.
    pub virtual_hosts: Vec<VirtualHostView>,
}

/// One virtual host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VirtualHostView {
    /// `host:port`, or `allow_any`, `block_all`, `blackhole:port`.
    pub name: String,
    /// The names that lead to it.
    pub domains: Vec<String>,
    /// Its rules, the first that matches counts.
    pub routes: Vec<RouteView>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteView {
    /// The name that logs show; empty when it has none.
    pub name: String,
    /// What it matches, as `/prefix*`, `/exact`, followed by headers and other conditions.
    #[serde(rename = "match")]
    pub matching: String,
    /// Clusters with their shares; empty when the rule answers itself.
    pub clusters: Vec<WeightView>,
    /// What is done when not calling a cluster: `redirect 301`, `respond 200`, `404`, `502`, PassthroughCluster.
    pub action: String,
    /// The object and rule it comes from; empty for the policy's.
    pub origin: String,
}

/// A cluster and its share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WeightView {
    /// The cluster's name.
    pub name: String,
    /// Its share of the sum.
    pub weight: u32,
    /// Whether there is such a cluster; calls to one that is missing are answered 503.
    pub exists: bool,
}

impl Snapshot {
    /// The policy for calls that nothing is registered for, as this workload has it, by Istio's names.
    pub fn outbound_policy(&self) -> OutboundPolicy {
        match self.workload.mode {
            Mode::Sidecar => self.outbound.unknown.policy,
            Mode::Gateway => self.mesh.outbound_policy,
        }
    }

    /// The listeners, by address and port; on a sidecar the last is `0.0.0.0:0`, for calls that no other takes.
    #[allow(clippy::disallowed_methods, reason = "sorted below")]
    pub fn listeners(&self) -> Vec<ListenerView> {
        if self.workload.mode == Mode::Gateway {
            return self
                .gateways
                .iter()
                .map(|(port, listener)| of_gateway(port.bind, port.port, listener))
                .collect();
        }
        let outbound = &self.outbound;
        let anywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let of_address = outbound
            .by_address
            .iter()
            .map(|((address, port), listener)| (*address, *port, listener));
        let of_port = outbound
            .by_port
            .iter()
            .map(|(port, listener)| (anywhere, *port, listener));
        let mut listeners: Vec<_> = of_address
            .chain(of_port)
            .map(|(address, port, listener)| self.of_sidecar(address, port, listener))
            .collect();
        listeners.sort_by_key(|view| (view.port, view.address));
        listeners.push(ListenerView {
            address: anywhere,
            port: 0,
            kind: "TCP",
            chains: vec![self.catch_all_chain()],
        });
        listeners
    }

    /// The route tables, by name (numbers in numeric order).
    #[allow(clippy::disallowed_methods, reason = "sorted below")]
    pub fn routes(&self) -> Vec<RouteTableView> {
        let outbound = &self.outbound;
        let sidecar = outbound
            .by_port
            .values()
            .chain(outbound.by_address.values())
            .filter_map(|listener| listener.http.as_ref());
        let gateway = self
            .gateways
            .values()
            .filter_map(|listener| listener.http.as_ref());
        let mut tables: Vec<&Arc<RouteTable>> = sidecar
            .chain(gateway)
            .chain(self.terminated.values())
            .collect();
        tables.sort_by_key(|table| (table.name.parse().unwrap_or(u32::MAX), table.name.clone()));
        tables.dedup_by(|one, other| one.name == other.name);
        tables.into_iter().map(|table| self.table(table)).collect()
    }

    fn of_sidecar(&self, address: IpAddr, port: u16, listener: &Listener) -> ListenerView {
        let mut chains = Vec::new();
        if let Some(table) = &listener.http {
            chains.push(ChainView {
                matching: if listener.http_only { "ALL" } else { "HTTP" }.to_owned(),
                destination: format!("Route: {}", table.name),
                origin: String::new(),
            });
        }
        chains.extend(
            listener
                .streams
                .iter()
                .map(|chain| of_chain(chain, streams(&chain.action))),
        );
        let all = listener
            .streams
            .iter()
            .any(|chain| chain.sni.is_empty() && chain.subnets.is_empty() && !chain.unlisted);
        if !all && !listener.http_only {
            chains.push(self.catch_all_chain());
        }
        ListenerView {
            address,
            port,
            kind: kind(listener.http.is_some(), !listener.streams.is_empty()),
            chains,
        }
    }

    fn catch_all_chain(&self) -> ChainView {
        let unknown = &self.outbound.unknown;
        let destination = match (unknown.policy, &unknown.proxy) {
            (OutboundPolicy::RegistryOnly, _) => BLACK_HOLE_CLUSTER.to_owned(),
            (OutboundPolicy::AllowAny | OutboundPolicy::AllowAnyDynamicDns, Some(proxy)) => {
                format!("Cluster: {}", proxy.name())
            }
            (OutboundPolicy::AllowAny | OutboundPolicy::AllowAnyDynamicDns, None) => {
                PASSTHROUGH_CLUSTER.to_owned()
            }
        };
        ChainView {
            matching: "ALL".to_owned(),
            destination,
            origin: unknown.to_string(),
        }
    }

    fn table(&self, table: &RouteTable) -> RouteTableView {
        let mut virtual_hosts: Vec<_> = table.hosts.iter().map(|host| of_host(host)).collect();
        // A table of one service on its own address has no virtual host for unknown hosts.
        let every = virtual_hosts
            .iter()
            .any(|host| host.domains.iter().any(|domain| domain == "*"));
        if self.workload.mode == Mode::Sidecar && !every {
            virtual_hosts.push(self.catch_all_host());
        }
        RouteTableView {
            name: table.name.to_string(),
            virtual_hosts,
        }
    }

    fn catch_all_host(&self) -> VirtualHostView {
        let unknown = &self.outbound.unknown;
        let (name, action) = match unknown.policy {
            OutboundPolicy::RegistryOnly => ("block_all", "502"),
            OutboundPolicy::AllowAny | OutboundPolicy::AllowAnyDynamicDns => {
                ("allow_any", PASSTHROUGH_CLUSTER)
            }
        };
        let proxy = unknown.proxy.as_ref().filter(|_| name == "allow_any");
        let clusters = match (proxy, &unknown.dynamic) {
            (Some(proxy), _) => vec![weighted(proxy, 1)],
            (None, Some(dynamic)) => vec![WeightView {
                name: dynamic.name.to_string(),
                weight: 1,
                exists: true,
            }],
            (None, None) => Vec::new(),
        };
        VirtualHostView {
            name: name.to_owned(),
            domains: vec!["*".to_owned()],
            routes: vec![RouteView {
                name: name.to_owned(),
                matching: "/*".to_owned(),
                action: if clusters.is_empty() { action } else { "" }.to_owned(),
                clusters,
                origin: unknown.to_string(),
            }],
        }
    }
}

fn of_gateway(bind: Option<IpAddr>, port: u16, listener: &GatewayListener) -> ListenerView {
    let mut chains: Vec<ChainView> = listener
        .tls
        .iter()
        .map(|chain| of_chain(chain, action(&chain.action)))
        .collect();
    if let Some(table) = &listener.http {
        chains.push(ChainView {
            matching: "HTTP".to_owned(),
            destination: format!("Route: {}", table.name),
            origin: joined(&listener.http_origins),
        });
    }
    if let Some((route, origin)) = &listener.tcp {
        chains.push(ChainView {
            matching: "ALL".to_owned(),
            destination: streams(route),
            origin: origin.to_string(),
        });
    }
    ListenerView {
        address: bind.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        port,
        kind: kind(
            listener.http.is_some(),
            !listener.tls.is_empty() || listener.tcp.is_some(),
        ),
        chains,
    }
}

fn kind(http: bool, streams: bool) -> &'static str {
    match (http, streams) {
        (true, true) => "HTTP+TCP",
        (true, false) => "HTTP",
        (false, _) => "TCP",
    }
}

fn of_chain<A>(chain: &Chain<A>, destination: String) -> ChainView {
    let mut parts = Vec::new();
    if chain.unlisted {
        parts.push("SNI: any other".to_owned());
    }
    if !chain.sni.is_empty() {
        parts.push(format!("SNI: {}", joined(&chain.sni)));
    }
    if !chain.subnets.is_empty() {
        parts.push(format!("Addr: {}", joined(&chain.subnets)));
    }
    if parts.is_empty() {
        parts.push("ALL".to_owned());
    }
    ChainView {
        matching: parts.join("; "),
        destination,
        origin: chain.origin.to_string(),
    }
}

fn action(action: &TlsAction) -> String {
    match action {
        TlsAction::Http { table, .. } => format!("Route: {}", table.name),
        TlsAction::Stream { route, .. } | TlsAction::Passthrough(route) => streams(route),
        TlsAction::NamedBySni(_) => "Cluster: named by the SNI".to_owned(),
    }
}

fn streams(route: &StreamRoute) -> String {
    let list: Vec<_> = route.iter().collect();
    match &list[..] {
        [(target, _)] => format!("Cluster: {}", target.name()),
        targets => {
            let one = |(target, weight): &&(Target, u32)| format!("{} ({weight})", target.name());
            let list: Vec<_> = targets.iter().map(one).collect();
            format!("Clusters: {}", list.join(", "))
        }
    }
}

fn weighted(target: &Target, weight: u32) -> WeightView {
    WeightView {
        name: target.name().to_owned(),
        weight,
        exists: target.exists(),
    }
}

fn of_host(host: &VirtualHost) -> VirtualHostView {
    let mut routes: Vec<RouteView> = Vec::new();
    let own = |action: &str| RouteView {
        name: String::new(),
        matching: "/*".to_owned(),
        clusters: Vec::new(),
        action: action.to_owned(),
        origin: String::new(),
    };
    if host.to_https {
        routes.push(own("redirect 301 to https"));
    }
    routes.extend(host.rules.iter().map(|rule| of_rule(rule)));
    if host.rules.is_empty() && !host.to_https {
        routes.push(own("404"));
    }
    VirtualHostView {
        name: host.name.to_string(),
        domains: host.domains.iter().map(ToString::to_string).collect(),
        routes,
    }
}

fn of_rule(rule: &Rule) -> RouteView {
    let (clusters, action) = match &rule.action {
        Action::Default(target) => (vec![weighted(target, 1)], String::new()),
        Action::Route(routing) => {
            let targets = routing.targets.iter();
            let clusters = targets.map(|(target, weight)| weighted(&target.cluster, *weight));
            (clusters.collect(), String::new())
        }
        Action::Redirect(redirect) => (Vec::new(), format!("redirect {}", redirect.code)),
        Action::Respond(response) => (Vec::new(), format!("respond {}", response.status)),
    };
    RouteView {
        name: rule.name.as_deref().unwrap_or_default().to_owned(),
        matching: summary(&rule.conditions),
        clusters,
        action,
        origin: match &rule.origin {
            RuleOrigin::Service(_) => String::new(),
            RuleOrigin::Rule { .. } => rule.origin.to_string(),
        },
    }
}
