//! DestinationRule, read.

use std::sync::Arc;

use crate::model::meta::{ExportTo, Meta};
use crate::model::policy::blocks;
use crate::model::policy::types::{
    DestinationRule, Locality, PortPolicies, Subset, TrafficPolicy, Tunnel, Warmup,
};
use crate::model::secret::Secrets;
use crate::model::tls::ClientTls;
use crate::model::{host_name, read, tls};
use crate::problem::{Diagnostics, NO_VALUE};
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
    diagnostics: &mut Diagnostics<'_>,
) -> DestinationRule {
    let namespace = &meta.name.namespace;
    let context = Context { namespace, secrets };
    if let Some(fault) = host_name::fault_of_pattern(&wire.host) {
        diagnostics.error("host", &wire.host, fault);
    }
    let selector = wire.workload_selector.as_ref().map(|selector| {
        if selector.match_labels.is_empty() {
            let what = "without labels it selects every workload of the namespace";
            diagnostics.warn("workloadSelector", NO_VALUE, what);
        }
        read::selector(
            diagnostics,
            "workloadSelector.matchLabels",
            &selector.match_labels,
        )
    });
    let export_to = read::export_to(diagnostics, &wire.export_to, namespace, false);
    let own = ExportTo::Namespaces(vec![Arc::clone(namespace)]);
    if selector.is_some()
        && export_to
            .as_ref()
            .is_some_and(|export_to| *export_to != own)
    {
        let written = wire.export_to.join(", ");
        diagnostics.error("exportTo", written, "with a workloadSelector only `.`");
    }
    let mut names = Vec::new();
    DestinationRule {
        meta: Arc::clone(meta),
        host: read::completed(&wire.host, namespace),
        policy: policies(wire.traffic_policy.as_ref(), context, diagnostics),
        subsets: diagnostics.each("subsets", &wire.subsets, |diagnostics, wire| {
            if !host_name::is_label(&wire.name) {
                diagnostics.error(
                    "name",
                    &wire.name,
                    "expected a name of letters, digits and dashes",
                );
            } else if names.contains(&&wire.name) {
                diagnostics.error("name", &wire.name, "another subset has this name");
            }
            names.push(&wire.name);
            Some(Subset {
                name: wire.name.as_str().into(),
                labels: read::checked_labels(diagnostics, "labels", &wire.labels),
                policy: policies(wire.traffic_policy.as_ref(), context, diagnostics),
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
    diagnostics: &mut Diagnostics<'_>,
) -> Option<TrafficPolicy> {
    let secrets = Secrets::default();
    let context = Context {
        namespace,
        secrets: &secrets,
    };
    policies_at("defaultTrafficPolicy", Some(wire), context, diagnostics)
        .map(|policies| policies.all)
}

fn policies(
    wire: Option<&wire::TrafficPolicy>,
    context: Context<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<PortPolicies> {
    policies_at("trafficPolicy", wire, context, diagnostics)
}

fn policies_at(
    part: &str,
    wire: Option<&wire::TrafficPolicy>,
    context: Context<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<PortPolicies> {
    let wire = wire?;
    diagnostics.within(part, |diagnostics| {
        if *wire == wire::TrafficPolicy::default() {
            diagnostics.error(
                "",
                NO_VALUE,
                ("an empty policy", "leave it out or set something"),
            );
        }
        if wire.tunnel.is_some() && wire.proxy_protocol.is_some() {
            diagnostics.error(
                "proxyProtocol",
                NO_VALUE,
                "only one of tunnel and proxyProtocol",
            );
        }
        let tunnel = wire
            .tunnel
            .as_ref()
            .and_then(|wire| diagnostics.within("tunnel", |diagnostics| tunnel(wire, diagnostics)));
        let versions = [("V1", 1), ("V2", 2)];
        let proxy_protocol = wire.proxy_protocol.as_ref().and_then(|wire| {
            read::word(
                diagnostics,
                "proxyProtocol.version",
                &wire.version,
                &versions,
            )
        });
        let mut numbers = Vec::new();
        let ports = diagnostics.each(
            "portLevelSettings",
            &wire.port_level_settings,
            |diagnostics, wire| port(wire, &mut numbers, context, diagnostics),
        );
        Some(PortPolicies {
            all: TrafficPolicy {
                load_balancer: blocks::load_balancer(wire.load_balancer.as_ref(), diagnostics),
                locality: locality(
                    wire.load_balancer.as_ref(),
                    wire.outlier_detection.is_some(),
                    diagnostics,
                ),
                warmup: warmup(wire.load_balancer.as_ref(), diagnostics),
                connection_pool: blocks::connection_pool(
                    wire.connection_pool.as_ref(),
                    diagnostics,
                ),
                outlier_detection: blocks::outlier_detection(
                    wire.outlier_detection.as_ref(),
                    diagnostics,
                ),
                tls: client_tls(wire.tls.as_ref(), context, diagnostics),
                tunnel,
                proxy_protocol,
                retry_budget: blocks::retry_budget(wire.retry_budget.as_ref(), diagnostics),
            },
            ports,
        })
    })
}

fn port(
    wire: &wire::PortTrafficPolicy,
    numbers: &mut Vec<u32>,
    context: Context<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<(u16, TrafficPolicy)> {
    let Some(selector) = &wire.port else {
        diagnostics.error("port", NO_VALUE, "required");
        return None;
    };
    let number = read::port(diagnostics, "port.number", selector.number)?;
    if numbers.contains(&selector.number) {
        diagnostics.error("port.number", number, "another entry is for this port");
    }
    numbers.push(selector.number);
    let policy = TrafficPolicy {
        load_balancer: blocks::load_balancer(wire.load_balancer.as_ref(), diagnostics),
        locality: locality(
            wire.load_balancer.as_ref(),
            wire.outlier_detection.is_some(),
            diagnostics,
        ),
        warmup: warmup(wire.load_balancer.as_ref(), diagnostics),
        connection_pool: blocks::connection_pool(wire.connection_pool.as_ref(), diagnostics),
        outlier_detection: blocks::outlier_detection(wire.outlier_detection.as_ref(), diagnostics),
        tls: client_tls(wire.tls.as_ref(), context, diagnostics),
        ..TrafficPolicy::default()
    };
    let only_port = wire::PortTrafficPolicy {
        port: wire.port.clone(),
        ..wire::PortTrafficPolicy::default()
    };
    if *wire == only_port {
        diagnostics.error(
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

fn warmup(wire: Option<&wire::LoadBalancer>, diagnostics: &mut Diagnostics<'_>) -> Option<Warmup> {
    diagnostics.within("loadBalancer", |diagnostics| {
        blocks::warmup(wire?, diagnostics)
    })
}

/// What stands beside the choice of an endpoint: which are near. `ejects` says whether the policy detects outliers,
/// without which nothing fails over.
fn locality(
    wire: Option<&wire::LoadBalancer>,
    ejects: bool,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Locality> {
    let wire = wire?;
    let setting = wire.locality_lb_setting.as_ref()?;
    let fails_over = !setting.failover.is_empty() || !setting.failover_priority.is_empty();
    if fails_over && !ejects {
        let what = (
            "nothing fails over without outlierDetection in the same policy",
            "add it",
        );
        diagnostics.warn("loadBalancer.localityLbSetting", NO_VALUE, what);
    }
    diagnostics.within("loadBalancer.localityLbSetting", |diagnostics| {
        blocks::locality(Some(setting), diagnostics)
    })
}

fn client_tls(
    wire: Option<&wire::ClientTls>,
    context: Context<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Option<ClientTls>> {
    let wire = wire?;
    Some(diagnostics.within("tls", |diagnostics| {
        tls::client::parse(wire, diagnostics, context.secrets, context.namespace)
    }))
}

fn tunnel(wire: &wire::Tunnel, diagnostics: &mut Diagnostics<'_>) -> Option<Tunnel> {
    let post = read::word(
        diagnostics,
        "protocol",
        &wire.protocol,
        &[("CONNECT", false), ("POST", true)],
    );
    let host = wire.target_host.as_str();
    if host.parse::<std::net::IpAddr>().is_err()
        && let Some(fault) = host_name::fault_of_name(host)
    {
        diagnostics.error("targetHost", host, fault);
    }
    let target_port = read::port(diagnostics, "targetPort", wire.target_port);
    Some(Tunnel {
        post: post?,
        target_host: host.into(),
        target_port: target_port?,
    })
}
