//! Traffic policies, with settings of their own for some ports.

use crate::model::policy::connection_pool::{self, ConnectionPool};
use crate::model::policy::load_balancer::{self, LoadBalancer};
use crate::model::policy::localities::{self, Locality};
use crate::model::policy::outlier_detection::{self, OutlierDetection};
use crate::model::policy::retry_budget::{self, RetryBudget};
use crate::model::policy::tunnel::{self, Tunnel};
use crate::model::policy::warmup::{self, Warmup};
use crate::model::secret::Secrets;
use crate::model::tls::ClientTls;
use crate::model::{read, tls};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::destination_rule as wire;

/// The blocks of one traffic policy; each is `None` when not written, so that blocks can be merged.
#[derive(Clone, Debug, Default)]
pub struct TrafficPolicy {
    /// `loadBalancer`.
    pub load_balancer: Option<LoadBalancer>,
    /// `loadBalancer.localityLbSetting`; belongs to the block above.
    pub locality: Option<Locality>,
    /// `loadBalancer.warmup`; belongs to the same block.
    pub warmup: Option<Warmup>,
    /// `connectionPool`.
    pub connection_pool: Option<ConnectionPool>,
    /// `outlierDetection`.
    pub outlier_detection: Option<OutlierDetection>,
    /// `tls`; `Some(None)` is mode DISABLE.
    pub tls: Option<Option<ClientTls>>,
    /// `tunnel`.
    pub tunnel: Option<Tunnel>,
    /// `proxyProtocol` version, 1 or 2.
    pub proxy_protocol: Option<u8>,
    /// `retryBudget`.
    pub retry_budget: Option<RetryBudget>,
}

/// A policy with settings of its own for some ports.
#[derive(Clone, Debug, Default)]
pub struct PortPolicies {
    /// For ports without an entry.
    pub all: TrafficPolicy,
    /// `portLevelSettings`, by service port number.
    pub ports: Vec<(u16, TrafficPolicy)>,
}

/// What a policy's blocks may refer to.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) namespace: &'a str,
    pub(super) secrets: &'a Secrets,
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

/// Reads `trafficPolicy`.
pub(super) fn policies(
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
        let tunnel = wire.tunnel.as_ref().and_then(|wire| {
            diagnostics.within("tunnel", |diagnostics| tunnel::parse(wire, diagnostics))
        });
        let versions = [("V1", 1), ("V2", 2)];
        let proxy_protocol = wire.proxy_protocol.as_ref().and_then(|wire| {
            read::enum_value(
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
                load_balancer: load_balancer::parse(wire.load_balancer.as_ref(), diagnostics),
                locality: locality(
                    wire.load_balancer.as_ref(),
                    wire.outlier_detection.is_some(),
                    diagnostics,
                ),
                warmup: warmup(wire.load_balancer.as_ref(), diagnostics),
                connection_pool: connection_pool::parse(wire.connection_pool.as_ref(), diagnostics),
                outlier_detection: outlier_detection::parse(
                    wire.outlier_detection.as_ref(),
                    diagnostics,
                ),
                tls: client_tls(wire.tls.as_ref(), context, diagnostics),
                tunnel,
                proxy_protocol,
                retry_budget: retry_budget::parse(wire.retry_budget.as_ref(), diagnostics),
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
        load_balancer: load_balancer::parse(wire.load_balancer.as_ref(), diagnostics),
        locality: locality(
            wire.load_balancer.as_ref(),
            wire.outlier_detection.is_some(),
            diagnostics,
        ),
        warmup: warmup(wire.load_balancer.as_ref(), diagnostics),
        connection_pool: connection_pool::parse(wire.connection_pool.as_ref(), diagnostics),
        outlier_detection: outlier_detection::parse(wire.outlier_detection.as_ref(), diagnostics),
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
        warmup::parse(wire?, diagnostics)
    })
}

/// What stands beside the choice of an endpoint: which are near. `ejects` is whether the policy detects outliers,
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
        let message = (
            "nothing fails over without outlierDetection in the same policy",
            "add it",
        );
        diagnostics.warn("loadBalancer.localityLbSetting", NO_VALUE, message);
    }
    diagnostics.within("loadBalancer.localityLbSetting", |diagnostics| {
        localities::parse(Some(setting), diagnostics)
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
