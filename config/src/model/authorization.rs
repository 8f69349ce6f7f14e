//! AuthorizationPolicies: the workloads that they select. egret does not enforce them, and reports those that select it.

use std::sync::Arc;

use crate::labels::Labels;
use crate::model::meta::Meta;
use crate::model::read;
use crate::wire::envelope::Metadata;
use crate::wire::security::AuthorizationPolicy as Wire;

/// The label that binds a workload to a Gateway of the Kubernetes Gateway API.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// The annotation that keeps a policy from being enforced by Istio.
const DRY_RUN: &str = "istio.io/dry-run";

/// An AuthorizationPolicy, without its rules.
#[derive(Clone, Debug)]
pub struct AuthorizationPolicy {
    /// The object.
    pub meta: Arc<Meta>,
    /// `selector.matchLabels`; empty selects every workload of the namespace.
    pub selector: Labels,
    /// `targetRefs`, or the older `targetRef`; when there is one, `selector` does not count.
    pub targets: Vec<Target>,
    /// Whether it can refuse a call: `AUDIT` and the annotation `istio.io/dry-run` only record what would be.
    pub refuses: bool,
}

/// An object that a policy is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Gateway of the Kubernetes Gateway API, in the policy's namespace, by name.
    Gateway(Arc<str>),
    /// A GatewayClass: every gateway, for a policy of the root namespace.
    GatewayClass,
    /// A Service or ServiceEntry (enforced by waypoints), or a kind that Istio does not have.
    Other,
}

impl AuthorizationPolicy {
    /// Whether Istio would enforce it at a workload. The rules are those of Istio's `ShouldAttachPolicy`: a policy of the
    /// root namespace is for every namespace; `targetRefs` bind gateways of the Gateway API only.
    pub fn applies_to(&self, namespace: &str, labels: &Labels, root_namespace: &str) -> bool {
        let own = &*self.meta.name.namespace;
        if self.targets.is_empty() {
            return (own == namespace || own == root_namespace) && self.selector.select(labels);
        }
        let Some(gateway) = labels.value(GATEWAY_NAME) else {
            return false;
        };
        self.targets.iter().any(|target| match target {
            Target::Gateway(name) => own == namespace && **name == *gateway,
            Target::GatewayClass => own == root_namespace,
            Target::Other => false,
        })
    }

    /// Whether Istio would enforce it at some sidecar or gateway. Those that target Services are for waypoints.
    pub fn applies_somewhere(&self) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| *target != Target::Other)
    }
}

/// Reads an AuthorizationPolicy. Nothing in it can be wrong here: rules are not read.
pub(crate) fn parse(wire: &Wire, metadata: &Metadata, meta: &Arc<Meta>) -> AuthorizationPolicy {
    let selector = wire.selector.as_ref();
    let dry_run = metadata
        .annotations
        .get(DRY_RUN)
        .is_some_and(|value| value == "true");
    AuthorizationPolicy {
        meta: Arc::clone(meta),
        selector: selector.map_or_else(Labels::default, |selector| {
            read::labels(&selector.match_labels)
        }),
        targets: wire
            .target_refs
            .iter()
            .chain(&wire.target_ref)
            .map(|target| match (&*target.group, &*target.kind) {
                ("gateway.networking.k8s.io", "Gateway") => {
                    Target::Gateway(target.name.as_str().into())
                }
                ("gateway.networking.k8s.io", "GatewayClass") => Target::GatewayClass,
                _ => Target::Other,
            })
            .collect(),
        refuses: wire.action != "AUDIT" && !dry_run,
    }
}
