//! What rules ask of where a call comes from, whatever the call is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::labels::Labels;
use crate::model::{host_name, read};
use crate::name::ObjectName;
use crate::problem::Diagnostics;

/// A name in `gateways`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GatewayName {
    /// `mesh`: the sidecars.
    Mesh,
    /// A Gateway.
    Gateway {
        /// Namespace (the VirtualService's own for a bare name) and name.
        name: ObjectName,
        /// Written without a namespace: falls back to the root namespace when its own has no such Gateway.
        bare: bool,
    },
}

impl GatewayName {
    /// Whether it means the sidecars.
    pub fn is_mesh(&self) -> bool {
        *self == Self::Mesh
    }
}

/// The conditions of a match on the workload and the port of a call; they do not depend on its bytes.
#[derive(Clone, Debug, Default)]
pub struct SourceMatch {
    /// `port`.
    pub port: Option<u16>,
    /// `gateways`; empty is the VirtualService's.
    pub gateways: Vec<GatewayName>,
    /// `sourceLabels`.
    pub labels: Labels,
    /// `sourceNamespace`.
    pub namespace: Option<Arc<str>>,
}

/// A workload and a port of it, for which rules are compiled.
#[derive(Clone, Copy)]
pub struct SourceContext<'p> {
    /// The port that `port` means: the listener's on a sidecar, the server's on a gateway.
    pub port: u16,
    /// The workload's labels.
    pub labels: &'p Labels,
    /// The workload's namespace.
    pub namespace: &'p str,
    /// Whether a name in `gateways` means this sidecar or gateway.
    pub here: &'p dyn Fn(&GatewayName) -> bool,
}

impl SourceMatch {
    /// Whether calls of a workload's port satisfy it. `sourceLabels` and `sourceNamespace` count beside `gateways`.
    pub fn holds(&self, context: &SourceContext<'_>) -> bool {
        let Self {
            port,
            gateways,
            labels,
            namespace,
        } = self;
        port.is_none_or(|port| port == context.port)
            && (gateways.is_empty() || gateways.iter().any(context.here))
            && labels.select(context.labels)
            && namespace
                .as_ref()
                .is_none_or(|own| **own == *context.namespace)
    }

    /// Whether whatever satisfies `narrower` satisfies this too. `gateways` are those of the VirtualService of both.
    pub fn covers(&self, narrower: &Self, gateways_of_both: &[GatewayName]) -> bool {
        let Self {
            port,
            gateways,
            labels,
            namespace,
        } = self;
        let named = match &narrower.gateways[..] {
            [] => gateways_of_both,
            named => named,
        };
        port.is_none_or(|port| narrower.port == Some(port))
            && (gateways.is_empty() || named.iter().all(|name| gateways.contains(name)))
            && labels.select(&narrower.labels)
            && (namespace.is_none() || *namespace == narrower.namespace)
    }

    /// This of a root, and that of its delegate, in one; `None` when the root does not let the delegate's through.
    pub fn merge(&self, leaf: &Self) -> Option<Self> {
        let Self {
            port,
            gateways,
            labels,
            namespace,
        } = self;
        let of_root = |name: &GatewayName| gateways.contains(name);
        let conflicts = matches!((port, leaf.port), (Some(root), Some(leaf)) if *root != leaf)
            || (namespace.is_some() && *namespace != leaf.namespace)
            || (!gateways.is_empty() && !leaf.gateways.iter().all(of_root))
            || leaf
                .labels
                .0
                .iter()
                .any(|(key, value)| labels.0.get(key).is_some_and(|root| root != value));
        if conflicts {
            return None;
        }
        let both = labels.0.iter().chain(&leaf.labels.0);
        Some(Self {
            port: leaf.port.or(*port),
            gateways: match &leaf.gateways[..] {
                [] => gateways.clone(),
                leaf => leaf.to_vec(),
            },
            labels: Labels(
                both.map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            ),
            namespace: leaf.namespace.clone().or_else(|| namespace.clone()),
        })
    }
}

/// The value in `gateways` that means the sidecars.
const MESH: &str = "mesh";

/// The conditions on the client in the match blocks of all kinds of rules.
pub(crate) struct Source<'a> {
    pub(crate) port: u32,
    pub(crate) gateways: &'a [String],
    pub(crate) labels: &'a BTreeMap<String, String>,
    pub(crate) namespace: &'a str,
}

/// Reads the conditions of a match block on the client.
pub(crate) fn parse(
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

/// Names of gateways, in all of Istio's forms.
pub(super) fn gateways(
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
