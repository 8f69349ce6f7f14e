//! What rules ask of where a call comes from, whatever the call is.

use std::sync::Arc;

use crate::labels::Labels;
use crate::name::ObjectName;

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

/// What a match asks of the workload and the port that a call passes, whatever the bytes say.
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

/// A workload and a port of it, where rules are compiled for.
#[derive(Clone, Copy)]
pub struct Place<'p> {
    /// The port that `port` means: the listener's on a sidecar, the server's on a gateway.
    pub port: u16,
    /// The workload's labels.
    pub labels: &'p Labels,
    /// The workload's namespace.
    pub namespace: &'p str,
    /// Whether a name in `gateways` means this place.
    pub here: &'p dyn Fn(&GatewayName) -> bool,
}

impl SourceMatch {
    /// Whether calls of a place meet it. `sourceLabels` and `sourceNamespace` count beside `gateways`.
    pub fn holds(&self, place: &Place<'_>) -> bool {
        let Self {
            port,
            gateways,
            labels,
            namespace,
        } = self;
        port.is_none_or(|port| port == place.port)
            && (gateways.is_empty() || gateways.iter().any(place.here))
            && labels.select(place.labels)
            && namespace
                .as_ref()
                .is_none_or(|own| **own == *place.namespace)
    }

    /// Whether whatever meets `narrower` meets this too. `gateways` are those of the VirtualService of both.
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
