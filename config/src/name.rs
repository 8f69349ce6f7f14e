//! Who an object is: its kind, namespace and name.

use std::fmt;
use std::sync::Arc;

/// The namespace that holds mesh-wide objects unless MeshConfig `rootNamespace` changes it.
pub const ROOT_NAMESPACE: &str = "istio-system";

/// The namespace of objects that name none, as `kubectl apply` would have it.
pub const DEFAULT_NAMESPACE: &str = "default";

/// The kinds of objects that egret reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `networking.istio.io` ServiceEntry.
    ServiceEntry,
    /// `networking.istio.io` WorkloadEntry.
    WorkloadEntry,
    /// `networking.istio.io` VirtualService.
    VirtualService,
    /// `networking.istio.io` DestinationRule.
    DestinationRule,
    /// `networking.istio.io` Gateway.
    Gateway,
    /// `networking.istio.io` Sidecar.
    Sidecar,
    /// `security.istio.io` AuthorizationPolicy, which is read and not enforced.
    AuthorizationPolicy,
    /// `telemetry.istio.io` Telemetry.
    Telemetry,
    /// Istio's MeshConfig, bare or inside a ConfigMap.
    MeshConfig,
    /// Kubernetes `v1` Service.
    Service,
    /// Kubernetes `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// Kubernetes `v1` Pod.
    Pod,
    /// Kubernetes `v1` Secret.
    Secret,
    /// Kubernetes `v1` ConfigMap; only one with a mesh configuration means something to egret.
    ConfigMap,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 14] = [
        Self::ServiceEntry,
        Self::WorkloadEntry,
        Self::VirtualService,
        Self::DestinationRule,
        Self::Gateway,
        Self::Sidecar,
        Self::AuthorizationPolicy,
        Self::Telemetry,
        Self::MeshConfig,
        Self::Service,
        Self::EndpointSlice,
        Self::Pod,
        Self::Secret,
        Self::ConfigMap,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Namespace and name. Ordered by name first, then namespace, as Istio orders objects of one age.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// The namespace, never empty.
    pub namespace: Arc<str>,
    /// The name within the namespace and kind.
    pub name: Arc<str>,
}

impl ObjectName {
    /// Puts a namespace and a name together.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl Ord for ObjectName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.name, &self.namespace).cmp(&(&other.name, &other.namespace))
    }
}

impl PartialOrd for ObjectName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
