//! Rules for byte streams: `tls` and `tcp`.

use std::sync::Arc;

use ipnet::IpNet;

use crate::host::HostPattern;
use crate::model::destination::Destination;
use crate::model::route::weights;
use crate::model::source::{self, Source, SourceMatch};
use crate::model::{host_name, read};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::virtual_service as wire;

/// A `tls` rule.
#[derive(Clone, Debug)]
pub struct TlsRoute {
    /// Alternatives; never empty.
    pub matches: Vec<TlsMatch>,
    /// Where to, by weight.
    pub destinations: Vec<WeightedDestination>,
}

/// One alternative of a `tls` rule.
#[derive(Clone, Debug)]
pub struct TlsMatch {
    /// `sniHosts`; never empty.
    pub sni: Vec<HostPattern>,
    /// `destinationSubnets`.
    pub subnets: Vec<IpNet>,
    /// The client's workload.
    pub source: SourceMatch,
}

/// A `tcp` rule.
#[derive(Clone, Debug)]
pub struct TcpRoute {
    /// Alternatives; none is always.
    pub matches: Vec<TcpMatch>,
    /// Where to, by weight.
    pub destinations: Vec<WeightedDestination>,
}

/// One alternative of a `tcp` rule.
#[derive(Clone, Debug)]
pub struct TcpMatch {
    /// `destinationSubnets`.
    pub subnets: Vec<IpNet>,
    /// The client's workload.
    pub source: SourceMatch,
}

/// A destination with its share.
#[derive(Clone, Debug)]
pub struct WeightedDestination {
    /// The clusters.
    pub destination: Destination,
    /// Its share of the sum; ignored when it is the only one.
    pub weight: u32,
}

pub(super) fn tls(
    wire: &wire::TlsRoute,
    hosts: &[String],
    gateways_only: bool,
    namespace: &Arc<str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<TlsRoute> {
    if wire.matches.is_empty() {
        diagnostics.error("match", NO_VALUE, "a tls rule needs a match with sniHosts");
    }
    let matches = diagnostics.each("match", &wire.matches, |diagnostics, wire| {
        if wire.sni_hosts.is_empty() {
            diagnostics.error("sniHosts", NO_VALUE, "at least one is required");
        }
        let caller = Source {
            port: wire.port,
            gateways: &wire.gateways,
            labels: &wire.source_labels,
            namespace: &wire.source_namespace,
        };
        Some(TlsMatch {
            sni: diagnostics.each("sniHosts", &wire.sni_hosts, |diagnostics, host| {
                sni(diagnostics, host, hosts, gateways_only)
            }),
            subnets: read::subnets(diagnostics, "destinationSubnets", &wire.destination_subnets),
            source: source::parse(&caller, namespace, diagnostics),
        })
    });
    Some(TlsRoute {
        matches,
        destinations: destinations(&wire.route, namespace, diagnostics),
    })
}

/// Whether a name is that of a cluster, as clients of AUTO_PASSTHROUGH gateways send it: `outbound_.80_.v1_.host`.
pub(super) fn names_cluster(host: &str) -> bool {
    host.strip_prefix("outbound_.")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn sni(
    diagnostics: &mut Diagnostics<'_>,
    host: &str,
    hosts: &[String],
    gateways_only: bool,
) -> Option<HostPattern> {
    let pattern = HostPattern::parse(host);
    if host.parse::<std::net::IpAddr>().is_ok() {
        let message = (
            "clients send no SNI for an address: most calls will not match",
            "name hosts",
        );
        diagnostics.warn("", host, message);
        return Some(pattern);
    }
    if let Some(reason) =
        host_name::problem_of_pattern(host).filter(|_| !(gateways_only && names_cluster(host)))
    {
        diagnostics.error("", host, reason);
        return None;
    }
    if !hosts
        .iter()
        .any(|of| HostPattern::parse(of).covers(&pattern))
    {
        let hosts = hosts.join(", ");
        diagnostics.error(
            "",
            host,
            format!("is not one of the VirtualService's hosts ({hosts})"),
        );
    }
    Some(pattern)
}

pub(super) fn tcp(
    wire: &wire::TcpRoute,
    namespace: &Arc<str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<TcpRoute> {
    let matches = diagnostics.each("match", &wire.matches, |diagnostics, wire| {
        let caller = Source {
            port: wire.port,
            gateways: &wire.gateways,
            labels: &wire.source_labels,
            namespace: &wire.source_namespace,
        };
        let subnets = read::subnets(diagnostics, "destinationSubnets", &wire.destination_subnets);
        if !wire.source_subnet.is_empty() {
            diagnostics.within("sourceSubnet", |diagnostics| {
                read::subnet(diagnostics, &wire.source_subnet)
            });
        }
        Some(TcpMatch {
            subnets,
            source: source::parse(&caller, namespace, diagnostics),
        })
    });
    Some(TcpRoute {
        matches,
        destinations: destinations(&wire.route, namespace, diagnostics),
    })
}

fn destinations(
    wire: &[wire::RouteDestination],
    namespace: &str,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<WeightedDestination> {
    if wire.is_empty() {
        diagnostics.error("route", NO_VALUE, "at least one destination is required");
    }
    weights::check(diagnostics, wire.iter().map(|one| one.weight));
    diagnostics.each("route", wire, |diagnostics, one| {
        let destination = read::destination(
            diagnostics,
            "destination",
            one.destination.as_ref(),
            namespace,
        );
        Some(WeightedDestination {
            weight: weights::weight(diagnostics, one.weight)?,
            destination: destination?,
        })
    })
}
