//! What a pod's author sets for one pod: Istio's annotations.

pub mod check;
mod levels;

use serde_json::{Map, Value};

use crate::names;
use crate::notice::{Notices, annotation};
use crate::proxy_config::{Interception, ProxyConfig, shown};
use crate::yaml;

pub use crate::annotations::levels::finest_level;

/// Which containers a pod gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Template {
    /// The init container and the proxy, as sidecar.
    #[default]
    Sidecar,
    /// The proxy as gateway.
    Gateway,
}

/// Resources of both containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// `proxyCPU`: a request.
    pub cpu: Option<String>,
    /// `proxyMemory`: a request.
    pub memory: Option<String>,
    /// `proxyCPULimit`.
    pub cpu_limit: Option<String>,
    /// `proxyMemoryLimit`.
    pub memory_limit: Option<String>,
}

/// The annotations of a pod; those that are not set are `None`.
#[derive(Clone, Debug, Default)]
pub struct Annotations {
    /// `includeOutboundIPRanges`.
    pub include_outbound_ip_ranges: Option<String>,
    /// `excludeOutboundIPRanges`.
    pub exclude_outbound_ip_ranges: Option<String>,
    /// `includeInboundPorts`.
    pub include_inbound_ports: Option<String>,
    /// `excludeInboundPorts`.
    pub exclude_inbound_ports: Option<String>,
    /// `includeOutboundPorts`.
    pub include_outbound_ports: Option<String>,
    /// `excludeOutboundPorts`.
    pub exclude_outbound_ports: Option<String>,
    /// `excludeInterfaces`.
    pub exclude_interfaces: Option<String>,
    /// `istio.io/reroute-virtual-interfaces`, else `kubevirtInterfaces`.
    pub virtual_interfaces: Option<String>,
    /// `interceptionMode`.
    pub interception: Option<Interception>,
    /// `proxyCPU` and its like.
    pub resources: Resources,
    /// `proxyImage`.
    pub image: Option<String>,
    /// `logLevel`.
    pub log_level: Option<String>,
    /// `agentLogLevel`.
    pub agent_log_level: Option<String>,
    /// `status.sidecar.istio.io/port`; 0 means none.
    pub status_port: Option<u16>,
    /// `initialDelaySeconds`.
    pub readiness_initial_delay: Option<u32>,
    /// `periodSeconds`.
    pub readiness_period: Option<u32>,
    /// `failureThreshold`.
    pub readiness_failures: Option<u32>,
    /// `rewriteAppHTTPProbers`.
    pub rewrite_probes: Option<bool>,
    /// `nativeSidecar`.
    pub native: Option<bool>,
    /// `capNetBindService`.
    pub binds_low_ports: Option<bool>,
    /// `userVolume`: volumes by name.
    pub user_volumes: Map<String, Value>,
    /// `userVolumeMount`: mounts of the proxy by the names of their volumes.
    pub user_mounts: Map<String, Value>,
    /// `proxy.istio.io/config`.
    pub config: ProxyConfig,
    /// `prometheus.istio.io/merge-metrics`.
    pub merges_metrics: Option<bool>,
    /// `inject.istio.io/templates`.
    pub template: Template,
}

/// Prefixes of annotations that are all known; an unknown one is a mistake of its author.
const PREFIXES: &[&str] = &[
    "sidecar.istio.io/",
    "traffic.sidecar.istio.io/",
    "status.sidecar.istio.io/",
    "readiness.status.sidecar.istio.io/",
    "inject.istio.io/",
];

/// Annotations of Istio that mean nothing here.
const UNUSED: &[&str] = &[
    "readiness.status.sidecar.istio.io/applicationPorts",
    "sidecar.istio.io/bootstrapOverride",
    "sidecar.istio.io/controlPlaneAuthPolicy",
    "sidecar.istio.io/discoveryAddress",
    "sidecar.istio.io/enableCoreDump",
    "sidecar.istio.io/extraStatTags",
    "sidecar.istio.io/proxyImageType",
    "sidecar.istio.io/statsCompression",
    "sidecar.istio.io/statsEvictionInterval",
    "sidecar.istio.io/statsFlushInterval",
    "sidecar.istio.io/statsInclusionPrefixes",
    "sidecar.istio.io/statsInclusionRegexps",
    "sidecar.istio.io/statsInclusionSuffixes",
];

/// Annotations that others read: the decision, the proxy, or nobody by intention.
const ELSEWHERE: &[&str] = &[
    names::INJECT,
    names::STATUS,
    "sidecar.istio.io/componentLogLevel",
    "sidecar.istio.io/statsHistogramBuckets",
];

impl Annotations {
    /// Reads the annotations of a pod.
    pub fn read(all: Option<&Map<String, Value>>, notices: &mut Notices) -> Self {
        let mut read = Self::default();
        let mut kubevirt = None;
        for (name, value) in all.into_iter().flatten() {
            if !is_ours(name) {
                continue;
            }
            let Some(text) = value
                .as_str()
                .filter(|text| !text.starts_with(crate::scalar::MARK))
            else {
                let message = ("annotations are strings", "write the value in quotes");
                notices.error(annotation(name), &shown(value), message);
                continue;
            };
            match read.set(name, text, notices) {
                Ok(true) => {}
                Ok(false) if name == "traffic.sidecar.istio.io/kubevirtInterfaces" => {
                    kubevirt = Some(text.to_owned());
                }
                Ok(false) if UNUSED.contains(&name.as_str()) => {
                    notices.warn(annotation(name), text, ("not used by egret", "remove it"));
                }
                Ok(false) if ELSEWHERE.contains(&name.as_str()) => {}
                Ok(false) => {
                    let hint = "see docs/injection.md for the annotations that exist";
                    notices.warn(
                        annotation(name),
                        text,
                        ("no such annotation: it has no effect", hint),
                    );
                }
                Err(message) => notices.error(annotation(name), text, message),
            }
        }
        read.virtual_interfaces = read.virtual_interfaces.or(kubevirt);
        read
    }

    /// Sets one. `false` for an annotation that is not one of these.
    fn set(&mut self, name: &str, text: &str, notices: &mut Notices) -> Result<bool, String> {
        let known = match name.split_once('/') {
            Some(("traffic.sidecar.istio.io", key)) => return self.set_traffic(key, text),
            Some(("readiness.status.sidecar.istio.io", key)) => {
                return self.set_readiness(key, text);
            }
            Some(("sidecar.istio.io", key)) => return self.set_sidecar(key, text),
            Some(_) => name,
            None => return Ok(false),
        };
        match known {
            "istio.io/reroute-virtual-interfaces" => {
                self.virtual_interfaces = Some(text.to_owned())
            }
            "status.sidecar.istio.io/port" => self.status_port = Some(check::port(text)?),
            names::MERGE_METRICS => self.merges_metrics = Some(check::boolean(text)?),
            names::TEMPLATES => self.template = template(text)?,
            names::PROXY_CONFIG => {
                let tree = yaml::read(text);
                let tree = tree.map_err(|(line, message)| format!("line {line}: {message}"))?;
                self.config = ProxyConfig::read(&tree.value, &annotation(name), notices);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_traffic(&mut self, key: &str, text: &str) -> Result<bool, String> {
        let place = match key {
            "includeOutboundIPRanges" => {
                check::ranges(text)?;
                &mut self.include_outbound_ip_ranges
            }
            "excludeOutboundIPRanges" => {
                check::excluded_ranges(text)?;
                &mut self.exclude_outbound_ip_ranges
            }
            "includeInboundPorts" => {
                check::all_or_ports(text)?;
                &mut self.include_inbound_ports
            }
            "excludeInboundPorts" => {
                check::ports(text)?;
                &mut self.exclude_inbound_ports
            }
            "includeOutboundPorts" => {
                check::ports(text)?;
                &mut self.include_outbound_ports
            }
            "excludeOutboundPorts" => {
                check::ports(text)?;
                &mut self.exclude_outbound_ports
            }
            "excludeInterfaces" => &mut self.exclude_interfaces,
            _ => return Ok(false),
        };
        *place = Some(text.to_owned());
        Ok(true)
    }

    fn set_readiness(&mut self, key: &str, text: &str) -> Result<bool, String> {
        let place = match key {
            "initialDelaySeconds" => &mut self.readiness_initial_delay,
            "periodSeconds" => &mut self.readiness_period,
            "failureThreshold" => &mut self.readiness_failures,
            _ => return Ok(false),
        };
        *place = Some(check::number(text)?);
        Ok(true)
    }

    fn set_sidecar(&mut self, key: &str, text: &str) -> Result<bool, String> {
        match key {
            "interceptionMode" => {
                let mode = Interception::parse(text).ok_or("expected REDIRECT, TPROXY or NONE")?;
                self.interception = Some(mode);
            }
            "proxyCPU" => self.resources.cpu = Some(check::quantity(text)?),
            "proxyMemory" => self.resources.memory = Some(check::quantity(text)?),
            "proxyCPULimit" => self.resources.cpu_limit = Some(check::quantity(text)?),
            "proxyMemoryLimit" => self.resources.memory_limit = Some(check::quantity(text)?),
            "proxyImage" => {
                if text.is_empty() {
                    return Err("expected an image".to_owned());
                }
                self.image = Some(text.to_owned());
            }
            "logLevel" | "agentLogLevel" => {
                finest_level(text, "off")?;
                let place = match key {
                    "logLevel" => &mut self.log_level,
                    _ => &mut self.agent_log_level,
                };
                *place = Some(text.to_owned());
            }
            "rewriteAppHTTPProbers" => self.rewrite_probes = Some(check::boolean(text)?),
            "nativeSidecar" => self.native = Some(check::boolean(text)?),
            "capNetBindService" => self.binds_low_ports = Some(check::boolean(text)?),
            "userVolume" => self.user_volumes = check::objects(text)?,
            "userVolumeMount" => self.user_mounts = check::objects(text)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn is_ours(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || [
            "istio.io/reroute-virtual-interfaces",
            names::MERGE_METRICS,
            names::PROXY_CONFIG,
        ]
        .contains(&name)
}

fn template(text: &str) -> Result<Template, String> {
    match text.trim() {
        "sidecar" | "egret" => Ok(Template::Sidecar),
        "gateway" => Ok(Template::Gateway),
        _ => Err("expected sidecar, egret or gateway".to_owned()),
    }
}

#[cfg(test)]
mod tests;
