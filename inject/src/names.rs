//! Names of containers, volumes, annotations and labels. They are Istio's, so that its tools and dashboards find them.

/// The container that redirects the pod's connections and ends.
pub const INIT: &str = "istio-init";
/// The container of the proxy.
pub const PROXY: &str = "istio-proxy";

/// The volume with the pod's labels and annotations, from the downward API.
pub const VOLUME_PODINFO: &str = "istio-podinfo";
/// The volume with the last good configuration.
pub const VOLUME_CACHE: &str = "egret-cache";
/// The volume with the token for the hub.
pub const VOLUME_TOKEN: &str = "istio-token";

/// Whether a pod is injected: a label, or an annotation of older manifests.
pub const INJECT: &str = "sidecar.istio.io/inject";
/// What injection changed, as JSON.
pub const STATUS: &str = "sidecar.istio.io/status";
/// The author's own container of the name of one of ours, as JSON.
pub const OVERRIDES: &str = "proxy.istio.io/overrides";
/// The revision that injected.
pub const REVISION: &str = "istio.io/rev";
/// The author's ProxyConfig, as YAML.
pub const PROXY_CONFIG: &str = "proxy.istio.io/config";
/// Which template is used.
pub const TEMPLATES: &str = "inject.istio.io/templates";
/// Whether the proxy serves the application's metrics.
pub const MERGE_METRICS: &str = "prometheus.istio.io/merge-metrics";
/// The container that `kubectl exec` uses.
pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// The container that `kubectl logs` uses.
pub const DEFAULT_LOGS_CONTAINER: &str = "kubectl.kubernetes.io/default-logs-container";
/// The service that the pod belongs to, in telemetry.
pub const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
/// The revision of that service.
pub const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";

/// The variable of the proxy with the original probes.
pub const ENV_PROBERS: &str = "ISTIO_KUBE_APP_PROBERS";
/// The variable of the proxy with the original Prometheus annotations.
pub const ENV_PROMETHEUS: &str = "ISTIO_PROMETHEUS_ANNOTATIONS";

/// The user and group of the proxy.
pub const PROXY_ID: u32 = 1337;
