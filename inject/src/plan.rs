//! What one pod gets: its annotations over the settings.

use egret_config::port::well_known;
use serde_json::Value;

use crate::annotations::{Annotations, Template};
use crate::names;
use crate::notice::{Notices, annotation};
use crate::proxy_config::{Interception, ProxyConfig};
use crate::settings::{NativeSidecar, Settings};
use crate::tree::{at, elements, name, text};

/// The object that makes a pod, or the pod itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name; empty where it has none yet.
    pub name: String,
    /// The namespace; empty means `default`.
    pub namespace: String,
}

/// What one pod gets.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The pod's annotations.
    pub annotations: &'a Annotations,
    /// The pod's owner.
    pub owner: &'a Owner,
    /// ProxyConfig, the pod's over the mesh's.
    pub config: ProxyConfig,
    /// How connections are redirected.
    pub interception: Interception,
    /// Whether the proxy is a native sidecar.
    pub is_native: bool,
    /// Whether the application's containers start when the proxy is ready.
    pub holds: bool,
    /// The agent's port; 0 means that nobody asks it.
    pub status_port: u16,
    /// The user of the proxy that its author sets.
    pub author_uid: Option<u64>,
    /// The names of the application's containers.
    pub app_containers: Vec<String>,
    /// The name of the workload, for telemetry.
    pub workload: String,
}

impl<'a> Plan<'a> {
    /// Makes the plan for a pod that has no containers of ours.
    pub fn new(
        pod: &Value,
        annotations: &'a Annotations,
        settings: &'a Settings,
        owner: &'a Owner,
        notices: &mut Notices,
    ) -> Self {
        let config = annotations.config.clone().over(&settings.mesh.proxy);
        let is_gateway = annotations.template == Template::Gateway;
        let interception = annotations.interception.or(config.interception);
        let is_native = !is_gateway && is_native(annotations, settings, notices);
        let containers = elements(at(pod, &["spec", "containers"])).iter();
        let init_containers = elements(at(pod, &["spec", "initContainers"])).iter();
        let author = containers
            .clone()
            .chain(init_containers)
            .find(|one| name(one) == names::PROXY);
        let label = text(
            pod,
            &["metadata", "labels", "service.istio.io/workload-name"],
        );
        Self {
            interception: match interception {
                _ if is_gateway => Interception::None,
                mode => mode.unwrap_or_default(),
            },
            is_native,
            holds: config.hold.unwrap_or(settings.hold) && !is_native,
            status_port: annotations
                .status_port
                .or(config.status_port)
                .or(settings.status_port)
                .unwrap_or(well_known::AGENT),
            author_uid: author
                .and_then(|one| at(one, &["securityContext", "runAsUser"]))
                .and_then(Value::as_u64),
            app_containers: containers
                .map(|one| name(one).to_owned())
                .filter(|one| one != names::PROXY)
                .collect(),
            workload: label
                .filter(|name| !name.is_empty())
                .unwrap_or(&owner.name)
                .to_owned(),
            settings,
            annotations,
            owner,
            config,
        }
    }

    /// Whether the proxy needs rights that user 1337 has not.
    pub fn is_root(&self) -> bool {
        self.interception == Interception::Tproxy || self.binds_low_ports()
    }

    /// Whether the proxy may bind ports below 1024.
    pub fn binds_low_ports(&self) -> bool {
        self.annotations
            .binds_low_ports
            .unwrap_or(self.settings.binds_low_ports)
    }

    /// Where the configuration comes from.
    pub fn config_source(&self) -> &str {
        match (&self.settings.config_source, &self.settings.hub) {
            (Some(source), _) => source,
            (None, Some(_)) => "hub",
            (None, None) => "kubernetes",
        }
    }

    /// Whether the proxy needs a token for the hub.
    pub fn uses_hub(&self) -> bool {
        self.config_source() == "hub"
    }

    /// The canonical name of the pod's service: Istio's label, the usual ones, else the owner's name; 63 characters at most.
    pub fn canonical_name(&self, pod: &Value) -> String {
        let labels = [names::CANONICAL_NAME, "app.kubernetes.io/name", "app"];
        let name = first_label(pod, &labels).unwrap_or(&self.owner.name);
        let short: String = name.chars().take(63).collect();
        short.trim_matches(['-', '_', '.']).to_owned()
    }

    /// The canonical revision of the pod's service.
    pub fn canonical_revision(pod: &Value) -> &str {
        let labels = [
            names::CANONICAL_REVISION,
            "app.kubernetes.io/version",
            "version",
        ];
        first_label(pod, &labels).unwrap_or(egret_config::labels::CANONICAL_REVISION_DEFAULT)
    }
}

fn first_label<'p>(pod: &'p Value, labels: &[&str]) -> Option<&'p str> {
    let mut found = labels
        .iter()
        .filter_map(|label| text(pod, &["metadata", "labels", label]));
    found.find(|label| !label.is_empty())
}

fn is_native(annotations: &Annotations, settings: &Settings, notices: &mut Notices) -> bool {
    let minor = settings.kubernetes_minor;
    let Some(wished) = annotations.native else {
        return settings.native.is_native(minor);
    };
    let is_native = wished && NativeSidecar::On.is_native(minor);
    if wished && !is_native {
        let message = (
            "this version of Kubernetes has no native sidecars: the proxy is an ordinary container",
            "remove the annotation",
        );
        notices.warn(
            annotation("sidecar.istio.io/nativeSidecar"),
            "true",
            message,
        );
    }
    is_native
}
