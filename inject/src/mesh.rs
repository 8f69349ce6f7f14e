//! MeshConfig, as far as injection needs it.

use egret_config::port::well_known;
use serde_json::Value;

use crate::notice::Notices;
use crate::proxy_config::{ProxyConfig, shown};
use crate::tree::{at, text};
use crate::yaml;

/// What the mesh says for all pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Mesh {
    /// `proxyListenPort`.
    pub outbound_port: u16,
    /// `proxyInboundListenPort`.
    pub inbound_port: u16,
    /// `enablePrometheusMerge`.
    pub merges_metrics: bool,
    /// `trustDomain`.
    pub trust_domain: String,
    /// `defaultConfig`.
    pub proxy: ProxyConfig,
}

impl Default for Mesh {
    fn default() -> Self {
        Self {
            outbound_port: well_known::OUTBOUND,
            inbound_port: well_known::INBOUND,
            merges_metrics: true,
            trust_domain: "cluster.local".to_owned(),
            proxy: ProxyConfig::default(),
        }
    }
}

impl Mesh {
    /// Reads a MeshConfig, or the ConfigMap that holds one. Fields that injection does not need are passed over.
    pub fn read(document: &Value, notices: &mut Notices) -> Self {
        let mut mesh = Self::default();
        let inner;
        let config = match text(document, &["data", "mesh"]) {
            None => document,
            Some(data) => match yaml::read(data) {
                Ok(tree) => {
                    inner = tree.value;
                    &inner
                }
                Err((_, message)) => {
                    notices.error("data.mesh", "", message);
                    return mesh;
                }
            },
        };
        let port = |key: &str, default: u16, notices: &mut Notices| {
            let Some(value) = config.get(key).filter(|value| !value.is_null()) else {
                return default;
            };
            let port = value.as_u64().and_then(|port| port.try_into().ok());
            if port.is_none() {
                notices.error(key, &shown(value), "expected a port number");
            }
            port.filter(|port| *port > 0).unwrap_or(default)
        };
        mesh.outbound_port = port("proxyListenPort", mesh.outbound_port, notices);
        mesh.inbound_port = port("proxyInboundListenPort", mesh.inbound_port, notices);
        if let Some(merges) = at(config, &["enablePrometheusMerge"]).and_then(Value::as_bool) {
            mesh.merges_metrics = merges;
        }
        if let Some(domain) = text(config, &["trustDomain"]).filter(|domain| !domain.is_empty()) {
            domain.clone_into(&mut mesh.trust_domain);
        }
        // What egret does not act on in the mesh's own defaults is `check`'s business, not each pod's.
        let mut own = Notices::default();
        let default = config.get("defaultConfig").unwrap_or(&Value::Null);
        mesh.proxy = ProxyConfig::read(default, "defaultConfig", &mut own);
        if own.has_errors() {
            notices.extend(own);
        }
        mesh
    }
}
