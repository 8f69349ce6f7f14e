//! DestinationRules: the policy of a host, and of its subsets.

use std::sync::Arc;

use crate::host::HostPattern;
use crate::labels::Labels;
use crate::model::meta::{ExportTo, Meta};
use crate::model::policy::traffic_policy::{Context, PortPolicies, policies};
use crate::model::secret::Secrets;
use crate::model::{host_name, read};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::destination_rule as wire;

/// A DestinationRule.
#[derive(Clone, Debug)]
pub struct DestinationRule {
    /// The object.
    pub meta: Arc<Meta>,
    /// The host it is for, completed if it was short.
    pub host: HostPattern,
    /// Policy of the host and of its ports; `None` when the rule has no `trafficPolicy`.
    pub policy: Option<PortPolicies>,
    /// Subsets, in order, unique by name.
    pub subsets: Vec<Subset>,
    /// Who sees it; `None` means MeshConfig `defaultDestinationRuleExportTo`.
    pub export_to: Option<ExportTo>,
    /// `workloadSelector`: only these workloads (then the rule is private to its namespace).
    pub selector: Option<Labels>,
}

/// One subset.
#[derive(Clone, Debug)]
pub struct Subset {
    /// The name that destinations use.
    pub name: Arc<str>,
    /// Labels that its endpoints have.
    pub labels: Labels,
    /// Its own policy.
    pub policy: Option<PortPolicies>,
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
    if let Some(reason) = host_name::problem_of_pattern(&wire.host) {
        diagnostics.error("host", &wire.host, reason);
    }
    let selector = wire.workload_selector.as_ref().map(|selector| {
        if selector.match_labels.is_empty() {
            let message = "without labels it selects every workload of the namespace";
            diagnostics.warn("workloadSelector", NO_VALUE, message);
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
