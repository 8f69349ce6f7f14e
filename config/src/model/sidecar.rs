//! Sidecars: what a workload's namespace imports, and what happens to unknown calls.

mod egress;
mod ingress;
mod port;

use std::sync::Arc;

use crate::host;
use crate::labels::Labels;
use crate::model::meta::Meta;
use crate::model::outbound_policy::OutboundPolicy;
use crate::model::sidecar::egress::UsedListeners;
use crate::model::{host_name, read};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::sidecar as wire;

pub use crate::model::sidecar::egress::{EgressListener, EgressPort, Import, ImportFrom};

/// A Sidecar.
#[derive(Clone, Debug)]
pub struct Sidecar {
    /// The object.
    pub meta: Arc<Meta>,
    /// `workloadSelector.labels`; `None` is every workload of the namespace.
    pub selector: Option<Labels>,
    /// Egress listeners; empty means one that imports `*/*`.
    pub egress: Vec<EgressListener>,
    /// `outboundTrafficPolicy`; `None` inherits the mesh's.
    pub outbound_policy: Option<OutboundPolicy>,
    /// `outboundTrafficPolicy.egressProxy`: host (completed), port, subset.
    pub egress_proxy: Option<EgressProxy>,
}

/// `egressProxy`: where unknown calls go instead of their original destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressProxy {
    /// The service's host.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
    /// A subset of it.
    pub subset: Option<Arc<str>>,
}

/// Reads a Sidecar. What comes back counts only if the review passed.
pub(crate) fn parse(
    wire: &wire::Sidecar,
    meta: &Arc<Meta>,
    diagnostics: &mut Diagnostics<'_>,
) -> Sidecar {
    let selects_only = wire::Sidecar {
        workload_selector: wire.workload_selector.clone(),
        ..wire::Sidecar::default()
    };
    if *wire == selects_only {
        diagnostics.error(
            "",
            NO_VALUE,
            (
                "an empty Sidecar",
                "set egress, ingress or outboundTrafficPolicy",
            ),
        );
    }
    let selector = wire.workload_selector.as_ref().map(|selector| {
        if selector.labels.is_empty() {
            diagnostics.warn(
                "workloadSelector",
                NO_VALUE,
                "without labels it selects every workload of the namespace",
            );
        }
        read::selector(diagnostics, "workloadSelector.labels", &selector.labels)
    });
    ingress::check(wire, diagnostics);
    let last = wire.egress.len().saturating_sub(1);
    let mut index = 0;
    let mut ports = UsedListeners::default();
    let namespace = &meta.name.namespace;
    let egress = diagnostics.each("egress", &wire.egress, |diagnostics, wire| {
        if wire.port.is_none() && index != last {
            diagnostics.error(
                "port",
                NO_VALUE,
                (
                    "only the last egress listener may be without a port",
                    "move it to the end",
                ),
            );
        }
        index += 1;
        egress::parse(wire, namespace, &mut ports, diagnostics)
    });
    let mut sidecar = Sidecar {
        meta: Arc::clone(meta),
        selector: selector.filter(|labels| !labels.is_empty()),
        egress,
        outbound_policy: None,
        egress_proxy: None,
    };
    if let Some(policy) = &wire.outbound_traffic_policy {
        diagnostics.within("outboundTrafficPolicy", |diagnostics| {
            outbound(&mut sidecar, policy, &meta.name.namespace, diagnostics);
        });
    }
    sidecar
}

/// A policy without a mode means REGISTRY_ONLY: that is the enumeration's zero.
fn outbound(
    sidecar: &mut Sidecar,
    wire: &wire::OutboundTrafficPolicy,
    namespace: &str,
    diagnostics: &mut Diagnostics<'_>,
) {
    let modes = [
        ("REGISTRY_ONLY", OutboundPolicy::RegistryOnly),
        ("ALLOW_ANY", OutboundPolicy::AllowAny),
    ];
    sidecar.outbound_policy = read::enum_value(diagnostics, "mode", &wire.mode, &modes);
    let Some(proxy) = &wire.egress_proxy else {
        return;
    };
    if sidecar.outbound_policy != Some(OutboundPolicy::AllowAny) {
        diagnostics.error(
            "egressProxy",
            NO_VALUE,
            ("needs mode ALLOW_ANY", "write it, or leave egressProxy out"),
        );
    }
    diagnostics.within("egressProxy", |diagnostics| {
        if let Some(reason) = host_name::problem_of_name(&proxy.host) {
            diagnostics.error("host", &proxy.host, reason);
        }
        if !proxy.subset.is_empty() && !host_name::is_label(&proxy.subset) {
            diagnostics.error(
                "subset",
                &proxy.subset,
                "not a valid name of a subset: expected letters, digits and dashes",
            );
        }
        let number = proxy.port.as_ref().map_or(0, |port| port.number);
        let Some(port) = read::port(diagnostics, "port.number", number) else {
            return;
        };
        sidecar.egress_proxy = Some(EgressProxy {
            host: host::complete(&proxy.host, namespace),
            port,
            subset: read::optional(&proxy.subset),
        });
    });
}
