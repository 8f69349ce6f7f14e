//! Who reports: the labels that all of Istio's metrics of this process have in common.

use std::sync::Arc;

use egret_config::labels::CANONICAL_REVISION_DEFAULT;
use egret_config::snapshot::workload::Workload;

/// What a label says that has nothing to say.
pub const UNKNOWN: &str = "unknown";

/// What only the environment says about the workload that a proxy works for.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The name of the pod (`POD_NAME`).
    pub pod: Option<Arc<str>>,
    /// The name of the workload (`ISTIO_META_WORKLOAD_NAME`).
    pub workload: Option<Arc<str>>,
    /// The id of the Kubernetes cluster (`ISTIO_META_CLUSTER_ID`).
    pub cluster: Option<Arc<str>>,
    /// The id of the mesh (`ISTIO_META_MESH_ID`).
    pub mesh: Option<Arc<str>>,
}

/// The source of the calls, in the words of Istio's labels.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `source_workload`.
    pub workload: Arc<str>,
    /// `source_workload_namespace`.
    pub namespace: Arc<str>,
    /// `source_app`.
    pub app: Arc<str>,
    /// `source_version`.
    pub version: Arc<str>,
    /// `source_canonical_service`.
    pub canonical_service: Arc<str>,
    /// `source_canonical_revision`.
    pub canonical_revision: Arc<str>,
    /// `source_cluster`, and `destination_cluster` of pods that are known.
    pub cluster: Arc<str>,
}

impl Identity {
    /// Who a proxy for this workload is.
    pub fn of(workload: &Workload, surroundings: &Surroundings) -> Self {
        let labels = &workload.labels;
        let or_unknown = |value: Option<&str>| Arc::from(value.unwrap_or(UNKNOWN));
        let name = surroundings.workload.as_deref();
        Self {
            workload: or_unknown(name),
            namespace: Arc::clone(&workload.namespace),
            app: or_unknown(labels.value("app")),
            version: or_unknown(labels.value("version")),
            canonical_service: or_unknown(labels.canonical_service().or(name)),
            canonical_revision: labels.canonical_revision().into(),
            cluster: or_unknown(surroundings.cluster.as_deref()),
        }
    }

    /// Of nobody.
    pub fn unknown() -> Self {
        let unknown: Arc<str> = UNKNOWN.into();
        Self {
            workload: Arc::clone(&unknown),
            namespace: Arc::clone(&unknown),
            app: Arc::clone(&unknown),
            version: Arc::clone(&unknown),
            canonical_service: Arc::clone(&unknown),
            canonical_revision: CANONICAL_REVISION_DEFAULT.into(),
            cluster: unknown,
        }
    }
}
