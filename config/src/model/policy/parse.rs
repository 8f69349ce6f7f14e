//! DestinationRule, read.

use std::sync::Arc;

use crate::model::host_name;
use crate::model::meta::ExportTo;
use crate::model::meta::Meta;
use crate::model::policy::DestinationRule;
use crate::model::policy::Locality;
use crate::model::policy::PortPolicies;
use crate::model::policy::Subset;
use crate::model::policy::TrafficPolicy;
use crate::model::policy::Tunnel;
use crate::model::policy::Warmup;
use crate::model::policy::blocks;
use crate::model::read;
use crate::model::secret::Secrets;
use crate::model::tls;
use crate::model::tls::ClientTls;
use crate::problem::NO_VALUE;
use crate::problem::Review;
use crate::wire::destination_rule as wire;

/// What a policy's blocks may refer to.
#[derive(Clone, Copy)]
struct Context<'a> {
    namespace: &'a str,
    secrets: &'a Secrets,
}

/// Reads a DestinationRule. What comes back counts only if the review passed.
pub(crate) fn parse(
    wire: &wire::DestinationRule,
    meta: &Arc<Meta>,
    secrets: &Secrets,
    review: &mut Review<'_>,
) -> DestinationRule {
    let namespace = &meta.name.namespace;
    let context = Context { namespace, secrets };
    if let Some(fault) = host_name::fault_of_pattern(&wire.host) {
        review.error("host", &wire.host, fault);
    }
    let selector = wire.workload_selector.as_ref().map(|selector| {
        if selector.match_labels.is_empty() {
            let what = "without labels it selects every workload of the namespace";
            review.warn("workloadSelector", NO_VALUE, what);
        }
        read::selector(
            review,
            "workloadSelector.matchLabels",
            &selector.match_labels,
        )
    });
    let export_to = read::export_to(review, &wire.export_to, namespace, false);
    let own = ExportTo::Namespaces(vec![Arc::clone(namespace)]);
    if selector.is_some()
        && export_to
            .as_ref()
            .is_some_and(|export_to| *export_to != own)
    {
        let written = wire.export_to.join(", ");
        review.error("exportTo", written, "with a workloadSelector only `.`");
    }
    let mut names = Vec::new();
    DestinationRule {
        meta: Arc::clone(meta),
        host: read::completed(&wire.host, namespace),
        policy: policies(wire.traffic_policy.as_ref(), context, review),
        subsets: review.each("subsets", &wire.subsets, |review, wire| {
            if !host_name::is_label(&wire.name) {
                review.error(
                    "name",
                    &wire.name,
                    "expected a name of letters, digits and dashes",
                );
            } else if names.contains(&&wire.name) {
                review.error("name", &wire.name, "another subset has this name");
            }
            names.push(&wire.name);
            Some(Subset {
                name: wire.name.as_str().into(),
                labels: read::checked_labels(review, "labels", &wire.labels),
                policy: policies(wire.traffic_policy.as_ref(), context, review),
            })
        }),
        // A rule for some workloads is private to its namespace.
        export_to: if selector.is_some() {
            Some(own)
        } else {
            export_to
        },
        selector,
    }
}

/// Reads MeshConfig's `defaultTrafficPolicy`. Settings for single ports mean nothing there.
pub(crate) fn mesh(
    wire: &wire::TrafficPolicy,
    namespace: &str,
    review: &mut Review<'_>,
) -> Option<TrafficPolicy> {
    let secrets = Secrets::default();
    let context = Context {
        namespace,
        secrets: &secrets,
    };
    policies_at("defaultTrafficPolicy", Some(wire), context, review).map(|policies| policies.all)
}

fn policies(
    wire: Option<&wire::TrafficPolicy>,
    context: Context<'_>,
    review: &mut Review<'_>,
) -> Option<PortPolicies> {
    policies_at("trafficPolicy", wire, context, review)
}

fn policies_at(
    part: &str,
    wire: Option<&wire::TrafficPolicy>,
    context: Context<'_>,
    review: &mut Review<'_>,
) -> Option<PortPolicies> {
    let wire = wire?;
    review.within(part, |review| {
        if *wire == wire::TrafficPolicy::default() {
            review.error(
                "",
                NO_VALUE,
                ("an empty policy", "leave it out or set something"),
            );
        }
        if wire.tunnel.is_some() && wire.proxy_protocol.is_some() {
            review.error(
                "proxyProtocol",
                NO_VALUE,
                "only one of tunnel and proxyProtocol",
            );
        }
        let tunnel = wire
            .tunnel
            .as_ref()
            .and_then(|wire| review.within("tunnel", |review| tunnel(wire, review)));
        let versions = [("V1", 1), ("V2", 2)];
        let proxy_protocol = wire
            .proxy_protocol
            .as_ref()
            .and_then(|wire| read::word(review, "proxyProtocol.version", &wire.version, &versions));
        let mut numbers = Vec::new();
        let ports = review.each(
            "portLevelSettings",
            &wire.port_level_settings,
            |review, wire| port(wire, &mut numbers, context, review),
        );
        Some(PortPolicies {
            all: TrafficPolicy {
                load_balancer: blocks::load_balancer(wire.load_balancer.as_ref(), review),
                locality: locality(
                    wire.load_balancer.as_ref(),
                    wire.outlier_detection.is_some(),
                    review,
                ),
                warmup: warmup(wire.load_balancer.as_ref(), review),
                connection_pool: blocks::connection_pool(wire.connection_pool.as_ref(), review),
                outlier_detection: blocks::outlier_detection(
                    wire.outlier_detection.as_ref(),
                    review,
                ),
                tls: client_tls(wire.tls.as_ref(), context, review),
                tunnel,
                proxy_protocol,
                retry_budget: blocks::retry_budget(wire.retry_budget.as_ref(), review),
            },
            ports,
        })
    })
}

fn port(
    wire: &wire::PortTrafficPolicy,
    numbers: &mut Vec<u32>,
    context: Context<'_>,
    review: &mut Review<'_>,
) -> Option<(u16, TrafficPolicy)> {
    let Some(selector) = &wire.port else {
        review.error("port", NO_VALUE, "required");
        return None;
    };
    let number = read::port(review, "port.number", selector.number)?;
    if numbers.contains(&selector.number) {
        review.error("port.number", number, "another entry is for this port");
    }
    numbers.push(selector.number);
    let policy = TrafficPolicy {
        load_balancer: blocks::load_balancer(wire.load_balancer.as_ref(), review),
        locality: locality(
            wire.load_balancer.as_ref(),
            wire.outlier_detection.is_some(),
            review,
        ),
        warmup: warmup(wire.load_balancer.as_ref(), review),
        connection_pool: blocks::connection_pool(wire.connection_pool.as_ref(), review),
        outlier_detection: blocks::outlier_detection(wire.outlier_detection.as_ref(), review),
        tls: client_tls(wire.tls.as_ref(), context, review),
        ..TrafficPolicy::default()
    };
    let only_port = wire::PortTrafficPolicy {
        port: wire.port.clone(),
        ..wire::PortTrafficPolicy::default()
    };
    if *wire == only_port {
        review.error(
            "",
            NO_VALUE,
            (
                "an empty policy for a port",
                "leave it out or set something",
            ),
        );
    }
    Some((number, policy))
}

fn warmup(wire: Option<&wire::LoadBalancer>, review: &mut Review<'_>) -> Option<Warmup> {
    review.within("loadBalancer", |review| blocks::warmup(wire?, review))
}

/// What stands beside the choice of an endpoint: which are near. `ejects` says whether the policy detects outliers,
/// without which nothing fails over.
fn locality(
    wire: Option<&wire::LoadBalancer>,
    ejects: bool,
    review: &mut Review<'_>,
) -> Option<Locality> {
    let wire = wire?;
    let setting = wire.locality_lb_setting.as_ref()?;
    let fails_over = !setting.failover.is_empty() || !setting.failover_priority.is_empty();
    if fails_over && !ejects {
        let what = (
            "nothing fails over without outlierDetection in the same policy",
            "add it",
        );
        review.warn("loadBalancer.localityLbSetting", NO_VALUE, what);
    }
    review.within("loadBalancer.localityLbSetting", |review| {
        blocks::locality(Some(setting), review)
    })
}

fn client_tls(
    wire: Option<&wire::ClientTls>,
    context: Context<'_>,
    review: &mut Review<'_>,
) -> Option<Option<ClientTls>> {
    let wire = wire?;
    Some(review.within("tls", |review| {
        tls::client::parse(wire, review, context.secrets, context.namespace)
    }))
}

fn tunnel(wire: &wire::Tunnel, review: &mut Review<'_>) -> Option<Tunnel> {
    let post = read::word(
        review,
        "protocol",
        &wire.protocol,
        &[("CONNECT", false), ("POST", true)],
    );
    let host = wire.target_host.as_str();
    if host.parse::<std::net::IpAddr>().is_err()
        && let Some(fault) = host_name::fault_of_name(host)
    {
        review.error("targetHost", host, fault);
    }
    let target_port = read::port(review, "targetPort", wire.target_port);
    Some(Tunnel {
        post: post?,
        target_host: host.into(),
        target_port: target_port?,
    })
}
