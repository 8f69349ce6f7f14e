//! VirtualService, read.

use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::host_name;
use crate::model::meta::Meta;
use crate::model::read;
use crate::model::route;
use crate::model::virtual_service::GatewayName;
use crate::model::virtual_service::SourceMatch;
use crate::model::virtual_service::TcpMatch;
use crate::model::virtual_service::TcpRoute;
use crate::model::virtual_service::TlsMatch;
use crate::model::virtual_service::TlsRoute;
use crate::model::virtual_service::VirtualService;
use crate::model::virtual_service::WeightedDestination;
use crate::name::ObjectName;
use crate::problem::NO_VALUE;
use crate::problem::Review;
use crate::wire::virtual_service as wire;

/// The word in `gateways` that means the sidecars.
const MESH: &str = "mesh";

/// Reads a VirtualService. What comes back counts only if the review passed.
pub(crate) fn parse(
    wire: &wire::VirtualService,
    meta: &Arc<Meta>,
    review: &mut Review<'_>,
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
                review.error(
                    part,
                    NO_VALUE,
                    "a VirtualService without hosts is a delegate, which has only http rules",
                );
            }
        }
    }
    if wire.http.is_empty() && wire.tls.is_empty() && wire.tcp.is_empty() {
        review.error(
            "",
            NO_VALUE,
            "at least one http, tls or tcp rule is required",
        );
    }
    let mut gateways = gateways(review, &wire.gateways, namespace);
    if gateways.is_empty() {
        gateways.push(GatewayName::Mesh);
    }
    let gateways_only = gateways.iter().all(|name| *name != GatewayName::Mesh);
    hosts(wire, &gateways, review);
    if gateways.iter().all(|name| *name == GatewayName::Mesh) && !delegate {
        claims(wire, review);
    }
    VirtualService {
        meta: Arc::clone(meta),
        hosts: wire
            .hosts
            .iter()
            .map(|host| read::completed(host, namespace))
            .collect(),
        gateways,
        http: review.each("http", &wire.http, |review, rule| {
            route::parse::rule(rule, namespace, delegate, review).map(Arc::new)
        }),
        tls: review.each("tls", &wire.tls, |review, rule| {
            tls(rule, &wire.hosts, gateways_only, namespace, review).map(Arc::new)
        }),
        tcp: review.each("tcp", &wire.tcp, |review, rule| {
            tcp(rule, namespace, review).map(Arc::new)
        }),
        export_to: read::export_to(review, &wire.export_to, namespace, false),
    }
}

/// Rules for sidecars cannot look at the claims of a token.
fn claims(wire: &wire::VirtualService, review: &mut Review<'_>) {
    review.each("http", &wire.http, |review, rule| {
        review.each("match", &rule.matches, |review, wanted| {
            let claims = wanted
                .headers
                .keys()
                .chain(wanted.without_headers.keys())
                .filter(|name| name.starts_with("@request.auth."));
            for name in claims {
                review.error("headers", name, "claims can only be matched on gateways");
            }
            Some(())
        });
        Some(())
    });
}

fn hosts(wire: &wire::VirtualService, gateways: &[GatewayName], review: &mut Review<'_>) {
    let only_mesh = gateways.iter().all(|name| *name == GatewayName::Mesh);
    let of_clusters = wire.tls.iter().flat_map(|rule| &rule.matches).count() > 0
        && gateways.iter().all(|name| *name != GatewayName::Mesh);
    let mut earlier: Vec<HostPattern> = Vec::new();
    review.each("hosts", &wire.hosts, |review, host| {
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        if host == "*" && only_mesh {
            review.error(
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
            review.error("", host, fault);
        }
        host_name::warn_of_partial_wildcard(review, host);
        let pattern = HostPattern::parse(host);
        if let Some(other) = earlier.iter().find(|other| other.overlaps(&pattern)) {
            review.error(
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
fn gateways(review: &mut Review<'_>, names: &[String], own: &Arc<str>) -> Vec<GatewayName> {
    review.each("gateways", names, |review, text| {
        if text == MESH {
            return Some(GatewayName::Mesh);
        }
        let (namespace, name, bare) = match text.split_once('/') {
            Some((".", name)) => (&**own, name, false),
            Some((namespace, name)) => (namespace, name, false),
            None => match text.split_once('.') {
                Some((name, rest)) => {
                    let namespace = rest.split('.').next().unwrap_or_default();
                    review.warn(
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
            review.error("", text, "expected `mesh`, `name` or `namespace/name`");
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
pub(crate) fn source(wire: &Source<'_>, own: &Arc<str>, review: &mut Review<'_>) -> SourceMatch {
    if !wire.namespace.is_empty() && !host_name::is_label(wire.namespace) {
        review.error(
            "sourceNamespace",
            wire.namespace,
            "not a valid name of a namespace",
        );
    }
    SourceMatch {
        port: read::optional_port(review, "port", wire.port),
        gateways: gateways(review, wire.gateways, own),
        labels: read::checked_labels(review, "sourceLabels", wire.labels),
        namespace: read::optional(wire.namespace),
    }
}

fn tls(
    wire: &wire::TlsRoute,
    hosts: &[String],
    gateways_only: bool,
    namespace: &Arc<str>,
    review: &mut Review<'_>,
) -> Option<TlsRoute> {
    if wire.matches.is_empty() {
        review.error("match", NO_VALUE, "a tls rule needs a match with sniHosts");
    }
    let matches = review.each("match", &wire.matches, |review, wire| {
        if wire.sni_hosts.is_empty() {
            review.error("sniHosts", NO_VALUE, "at least one is required");
        }
        let caller = Source {
            port: wire.port,
            gateways: &wire.gateways,
            labels: &wire.source_labels,
            namespace: &wire.source_namespace,
        };
        Some(TlsMatch {
            sni: review.each("sniHosts", &wire.sni_hosts, |review, host| {
                sni(review, host, hosts, gateways_only)
            }),
            subnets: read::subnets(review, "destinationSubnets", &wire.destination_subnets),
            source: source(&caller, namespace, review),
        })
    });
    Some(TlsRoute {
        matches,
        destinations: destinations(&wire.route, namespace, review),
    })
}

/// Whether a name is that of a cluster, as gateways with AUTO_PASSTHROUGH hear it: `outbound_.80_.v1_.host`.
fn names_cluster(host: &str) -> bool {
    host.strip_prefix("outbound_.")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn sni(
    review: &mut Review<'_>,
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
        review.warn("", host, what);
        return Some(pattern);
    }
    if let Some(fault) =
        host_name::fault_of_pattern(host).filter(|_| !(gateways_only && names_cluster(host)))
    {
        review.error("", host, fault);
        return None;
    }
    if !hosts
        .iter()
        .any(|of| HostPattern::parse(of).covers(&pattern))
    {
        let hosts = hosts.join(", ");
        review.error(
            "",
            host,
            format!("is not one of the VirtualService's hosts ({hosts})"),
        );
    }
    Some(pattern)
}

fn tcp(wire: &wire::TcpRoute, namespace: &Arc<str>, review: &mut Review<'_>) -> Option<TcpRoute> {
    let matches = review.each("match", &wire.matches, |review, wire| {
        let caller = Source {
            port: wire.port,
            gateways: &wire.gateways,
            labels: &wire.source_labels,
            namespace: &wire.source_namespace,
        };
        let subnets = read::subnets(review, "destinationSubnets", &wire.destination_subnets);
        if !wire.source_subnet.is_empty() {
            review.within("sourceSubnet", |review| {
                read::subnet(review, &wire.source_subnet)
            });
        }
        Some(TcpMatch {
            subnets,
            source: source(&caller, namespace, review),
        })
    });
    Some(TcpRoute {
        matches,
        destinations: destinations(&wire.route, namespace, review),
    })
}

fn destinations(
    wire: &[wire::RouteDestination],
    namespace: &str,
    review: &mut Review<'_>,
) -> Vec<WeightedDestination> {
    if wire.is_empty() {
        review.error("route", NO_VALUE, "at least one destination is required");
    }
    check_weights(review, wire.iter().map(|one| one.weight));
    review.each("route", wire, |review, one| {
        let destination =
            read::destination(review, "destination", one.destination.as_ref(), namespace);
        Some(WeightedDestination {
            weight: weight(review, one.weight)?,
            destination: destination?,
        })
    })
}

/// Several destinations need a sum above 0; a single one is taken whatever its weight.
pub(crate) fn check_weights(review: &mut Review<'_>, weights: impl ExactSizeIterator<Item = i32>) {
    if weights.len() > 1 && weights.map(i64::from).sum::<i64>() == 0 {
        review.error(
            "route",
            NO_VALUE,
            "the weights of several destinations must not all be 0",
        );
    }
}

/// One weight.
pub(crate) fn weight(review: &mut Review<'_>, weight: i32) -> Option<u32> {
    let positive = u32::try_from(weight).ok();
    if positive.is_none() {
        review.error("weight", weight, "must not be negative");
    }
    positive
}
