//! What operators set for all pods, under the names of Istio's values.

mod read;
mod selector;
mod set;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::mesh::Mesh;
pub use crate::settings::read::read;
pub use crate::settings::selector::Selector;
pub use crate::settings::set::set;

/// Kubernetes' first minor version whose API server is taken to serve native sidecars to all its kubelets, which may be
/// three minor versions older: the feature is on by default since 1.29.
const NATIVE_SINCE: u32 = 32;

/// The first minor version that has native sidecars by default.
const NATIVE_KNOWN_SINCE: u32 = 29;

/// Whether the proxy is an init container that goes on running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NativeSidecar {
    /// Where Kubernetes' version is known and is 1.32 or later.
    #[default]
    Auto,
    /// Wherever Kubernetes' version does not forbid it.
    On,
    /// Nowhere.
    Off,
}

impl NativeSidecar {
    /// Reads `true`, `false` or `auto`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "true" => Some(Self::On),
            "false" => Some(Self::Off),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }

    /// Whether it is native under Kubernetes 1.`minor`. Servers before 1.29 refuse or drop the fields.
    pub fn is_native(self, minor: Option<u32>) -> bool {
        match self {
            Self::Off => false,
            Self::On => minor.is_none_or(|minor| minor >= NATIVE_KNOWN_SINCE),
            Self::Auto => minor.is_some_and(|minor| minor >= NATIVE_SINCE),
        }
    }
}

/// The settings. Names of Istio's values stand behind the fields.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The image of both containers (`image`; else `egret` of `global.hub` and `global.tag`).
    pub image: String,
    /// Another image of the init container (`global.proxy_init.image` with a `/`).
    pub init_image: Option<String>,
    /// Another image of the proxy (`global.proxy.image` with a `/`).
    pub proxy_image: Option<String>,
    /// `global.imagePullPolicy`.
    pub image_pull_policy: Option<String>,
    /// Names of Secrets (`global.imagePullSecrets`).
    pub image_pull_secrets: Vec<String>,
    /// Whether pods are injected that nothing says anything about (`global.proxy.autoInject`).
    pub is_enabled: bool,
    /// `sidecarInjectorWebhook.neverInjectSelector`.
    pub never_inject: Vec<Selector>,
    /// `sidecarInjectorWebhook.alwaysInjectSelector`.
    pub always_inject: Vec<Selector>,
    /// `sidecarInjectorWebhook.injectedAnnotations`.
    pub injected_annotations: Vec<(String, String)>,
    /// `sidecarInjectorWebhook.rewriteAppHTTPProbe`.
    pub rewrite_probes: bool,
    /// `revision`.
    pub revision: String,
    /// `global.proxy.includeIPRanges`.
    pub include_ip_ranges: String,
    /// `global.proxy.excludeIPRanges`.
    pub exclude_ip_ranges: String,
    /// `global.proxy.includeInboundPorts`.
    pub include_inbound_ports: String,
    /// `global.proxy.excludeInboundPorts`.
    pub exclude_inbound_ports: String,
    /// `global.proxy.includeOutboundPorts`.
    pub include_outbound_ports: String,
    /// `global.proxy.excludeOutboundPorts`.
    pub exclude_outbound_ports: String,
    /// `global.proxy.statusPort`.
    pub status_port: Option<u16>,
    /// Seconds (`global.proxy.readinessInitialDelaySeconds`).
    pub readiness_initial_delay: u32,
    /// Seconds (`global.proxy.readinessPeriodSeconds`).
    pub readiness_period: u32,
    /// `global.proxy.readinessFailureThreshold`.
    pub readiness_failures: u32,
    /// `global.proxy.startupProbe`: seconds that a start may take; `None` without such a probe.
    pub startup_failures: Option<u32>,
    /// `global.proxy.holdApplicationUntilProxyStarts`.
    pub hold: bool,
    /// `global.proxy.logLevel`.
    pub log_level: String,
    /// `global.logging.level`.
    pub agent_log_level: String,
    /// `global.logAsJson`.
    pub log_as_json: bool,
    /// `global.proxy.privileged`.
    pub is_privileged: bool,
    /// `global.proxy.capNetBindService`.
    pub binds_low_ports: bool,
    /// `global.proxy.lifecycle`, in the place of ours.
    pub lifecycle: Option<Value>,
    /// `global.proxy.seccompProfile`.
    pub seccomp_profile: Option<Value>,
    /// `egret.resources`, `global.proxy.resources`.
    pub resources: Value,
    /// `global.proxy_init.resources`.
    pub init_resources: Option<Value>,
    /// `global.proxy_init.forceApplyIptables`.
    pub forces_rules: bool,
    /// `global.multiCluster.clusterName`.
    pub cluster: String,
    /// `global.network`.
    pub network: String,
    /// `global.meshID`; empty means the trust domain.
    pub mesh_id: String,
    /// `egret.configSource`.
    pub config_source: Option<String>,
    /// `egret.hub`: host and port.
    pub hub: Option<String>,
    /// `egret.hubCA`: a certificate as PEM, or a file.
    pub hub_ca: Option<String>,
    /// `egret.nativeSidecar`, `--native-sidecar`.
    pub native: NativeSidecar,
    /// The minor version of Kubernetes; `None` where it is not known.
    pub kubernetes_minor: Option<u32>,
    /// MeshConfig.
    pub mesh: Mesh,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            image: concat!("egret:", env!("CARGO_PKG_VERSION")).to_owned(),
            init_image: None,
            proxy_image: None,
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            is_enabled: true,
            never_inject: Vec::new(),
            always_inject: Vec::new(),
            injected_annotations: Vec::new(),
            rewrite_probes: true,
            revision: "default".to_owned(),
            include_ip_ranges: "*".to_owned(),
            exclude_ip_ranges: String::new(),
            include_inbound_ports: "*".to_owned(),
            exclude_inbound_ports: String::new(),
            include_outbound_ports: String::new(),
            exclude_outbound_ports: String::new(),
            status_port: None,
            readiness_initial_delay: 0,
            readiness_period: 15,
            readiness_failures: 4,
            startup_failures: Some(600),
            hold: false,
            log_level: "warning".to_owned(),
            agent_log_level: "default:info".to_owned(),
            log_as_json: false,
            is_privileged: false,
            binds_low_ports: false,
            lifecycle: None,
            seccomp_profile: None,
            resources: json!({
                "limits": {"cpu": "2", "memory": "256Mi"},
                "requests": {"cpu": "10m", "memory": "32Mi"},
            }),
            init_resources: None,
            forces_rules: false,
            cluster: "Kubernetes".to_owned(),
            network: String::new(),
            mesh_id: String::new(),
            config_source: None,
            hub: None,
            hub_ca: None,
            native: NativeSidecar::Auto,
            kubernetes_minor: None,
            mesh: Mesh::default(),
        }
    }
}

/// The lines of settings, by path; empty where they do not come from a file.
pub type Lines = HashMap<String, u32>;
