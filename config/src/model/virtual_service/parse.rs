//! VirtualService, read.

use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::meta::Meta;
use crate::model::source::{GatewayName, SourceMatch};
use crate::model::virtual_service::{
    TcpMatch, TcpRoute, TlsMatch, TlsRoute, VirtualService, WeightedDestination,
};
use crate::model::{host_name, read, route};
use crate::name::ObjectName;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::virtual_service as wire;

/// The word in `gateways` that means the sidecars.
const MESH: &str = "mesh";

/// Reads a VirtualService. What comes back counts only if the review passed.
pub(crate) fn parse(
    wire: &wire::VirtualService,
    meta: &Arc<Meta>,
    diagnostics: &mut Diagnostics<'_>,
) -> VirtualService {
    let namespace = &meta.name.namespace;
    let delegate = wire.hosts.is_empty();
    if delegate {
        let parts = [
            ("gateways", wire.gateways.is_empty()),
            ("tls", wire.tls.is_empty()),
            ("tcp", wire.tcp.is_empty()),
        ];
        for (part, unset) in parts {
            if !unset {
                diagnostics.error(
                    part,
                    NO_VALUE,
                    "a VirtualService without hosts is a delegate, which has only http rules",
                );
            }
        }
    }
    if wire.http.is_empty() && wire.tls.is_empty() && wire.tcp.is_empty() {
        diagnostics.error(
            "",
            NO_VALUE,
            "at least one http, tls or tcp rule is required",
        );
    }
    let mut gateways = gateways(diagnostics, &wire.gateways, namespace);
    if gateways.is_empty() {
        gateways.push(GatewayName::Mesh);
    }
    let gateways_only = gateways.iter().all(|name| *name != GatewayName::Mesh);
    hosts(wire, &gateways, diagnostics);
    if gateways.iter().all(|name| *name == GatewayName::Mesh) && !delegate {
        claims(wire, diagnostics);
    }
    VirtualService {
        meta: Arc::clone(meta),
        hosts: wire
            .hosts
            .iter()
            .map(|host| read::completed(host, namespace))
            .collect(),
        gateways,
        http: diagnostics.each("http", &wire.http, |diagnostics, rule| {
            route::parse::rule(rule, namespace, delegate, diagnostics).map(Arc::new)
        }),
        tls: diagnostics.each("tls", &wire.tls, |diagnostics, rule| {
            tls(rule, &wire.hosts, gateways_only, namespace, diagnostics).map(Arc::new)
        }),
        tcp: diagnostics.each("tcp", &wire.tcp, |diagnostics, rule| {
            tcp(rule, namespace, diagnostics).map(Arc::new)
        }),
        export_to: read::export_to(diagnostics, &wire.export_to, namespace, false),
    }
}

/// Rules for sidecars cannot look at the claims of a token.
fn claims(wire: &wire::VirtualService, diagnostics: &mut Diagnostics<'_>) {
    diagnostics.each("http", &wire.http, |diagnostics, rule| {
        diagnostics.each("match", &rule.matches, |diagnostics, wanted| {
            let claims = wanted
                .headers
                .keys()
                .chain(wanted.without_headers.keys())
                .filter(|name| name.starts_with("@request.auth."));
            for name in claims {
                diagnostics.error("headers", name, "claims can only be matched on gateways");
            }
            Some(())
        });
        Some(())
    });
}

fn hosts(wire: &wire::VirtualService, gateways: &[GatewayName], diagnostics: &mut Diagnostics<'_>) {
    let only_mesh = gateways.iter().all(|name| *name == GatewayName::Mesh);
    let of_clusters = wire.tls.iter().flat_map(|rule| &rule.matches).count() > 0
        && gateways.iter().all(|name| *name != GatewayName::Mesh);
    let mut earlier: Vec<HostPattern> = Vec::new();
    diagnostics.each("hosts", &wire.hosts, |diagnostics, host| {
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        if host == "*" && only_mesh {
            diagnostics.error(
                "",
                host,
                (
                    "`*` is only for gateways",
                    "name the hosts that sidecars shall route",
                ),
            );
        } else if let Some(fault) = host_name::fault_of_pattern(host)
            .filter(|_| !(is_address || of_clusters && names_cluster(host)))
        {
            diagnostics.error("", host, fault);
        }
        host_name::warn_of_partial_wildcard(diagnostics, host);
        let pattern = HostPattern::parse(host);
        if let Some(other) = earlier.iter().find(|other| other.overlaps(&pattern)) {
            diagnostics.error(
                "",
                host,
                format!("overlaps with {other} of the same VirtualService"),
            );
        }
        earlier.push(pattern);
        Some(())
    });
}

/// Names of gateways, in all the forms that Istio knows.
fn gateways(
    diagnostics: &mut Diagnostics<'_>,
    names: &[String],
    own: &Arc<str>,
) -> Vec<GatewayName> {
    diagnostics.each("gateways", names, |diagnostics, text| {
        if text == MESH {
            return Some(GatewayName::Mesh);
        }
        let (namespace, name, bare) = match text.split_once('/') {
            Some((".", name)) => (&**own, name, false),
            Some((namespace, name)) => (namespace, name, false),
            None => match text.split_once('.') {
                Some((name, rest)) => {
                    let namespace = rest.split('.').next().unwrap_or_default();
                    diagnostics.warn(
                        "",
                        text,
                        (
                            "the old form of a gateway's name",
                            format!("write {namespace}/{name}"),
                        ),
                    );
                    (namespace, name, false)
                }
                None => (&**own, text.as_str(), true),
            },
        };
        if !host_name::is_label(namespace) || !host_name::is_label(name) {
            diagnostics.error("", text, "expected `mesh`, `name` or `namespace/name`");
            return None;
        }
        Some(GatewayName::Gateway {
            name: ObjectName::new(namespace, name),
            bare,
        })
    })
}

/// What the match blocks of all kinds of rules say about the caller.
pub(crate) struct Source<'a> {
    pub(crate) port: u32,
    pub(crate) gateways: &'a [String],
    pub(crate) labels: &'a std::collections::BTreeMap<String, String>,
    pub(crate) namespace: &'a str,
}

/// Reads what a match block says about the caller.
pub(crate) fn source(
    wire: &Source<'_>,
    own: &Arc<str>,
    diagnostics: &mut Diagnostics<'_>,
) -> SourceMatch {
    if !wire.namespace.is_empty() && !host_name::is_label(wire.namespace) {
        diagnostics.error(
            "sourceNamespace",
            wire.namespace,
            "not a valid name of a namespace",
        );
    }
    SourceMatch {
        port: read::optional_port(diagnostics, "port", wire.port),
        gateways: gateways(diagnostics, wire.gateways, own),
        labels: read::checked_labels(diagnostics, "sourceLabels", wire.labels),
        namespace: read::optional(wire.namespace),
    }
}

fn tls(
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
            source: source(&caller, namespace, diagnostics),
        })
    });
    Some(TlsRoute {
        matches,
        destinations: destinations(&wire.route, namespace, diagnostics),
    })
}

/// Whether a name is that of a cluster, as gateways with AUTO_PASSTHROUGH hear it: `outbound_.80_.v1_.host`.
fn names_cluster(host: &str) -> bool {
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
        let what = (
            "clients send no SNI for an address: most calls will not match",
            "name hosts",
        );
        diagnostics.warn("", host, what);
        return Some(pattern);
    }
    if let Some(fault) =
        host_name::fault_of_pattern(host).filter(|_| !(gateways_only && names_cluster(host)))
    {
        diagnostics.error("", host, fault);
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

fn tcp(
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
            source: source(&caller, namespace, diagnostics),
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
    check_weights(diagnostics, wire.iter().map(|one| one.weight));
    diagnostics.each("route", wire, |diagnostics, one| {
        let destination = read::destination(
            diagnostics,
            "destination",
            one.destination.as_ref(),
            namespace,
        );
        Some(WeightedDestination {
            weight: weight(diagnostics, one.weight)?,
            destination: destination?,
        })
    })
}

/// Several destinations need a sum above 0; a single one is taken whatever its weight.
pub(crate) fn check_weights(
    diagnostics: &mut Diagnostics<'_>,
    weights: impl ExactSizeIterator<Item = i32>,
) {
    if weights.len() > 1 && weights.map(i64::from).sum::<i64>() == 0 {
        diagnostics.error(
            "route",
            NO_VALUE,
            "the weights of several destinations must not all be 0",
        );
    }
}

/// One weight.
pub(crate) fn weight(diagnostics: &mut Diagnostics<'_>, weight: i32) -> Option<u32> {
    let positive = u32::try_from(weight).ok();
    if positive.is_none() {
        diagnostics.error("weight", weight, "must not be negative");
    }
    positive
}
