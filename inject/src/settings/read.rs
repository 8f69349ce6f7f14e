//! Settings from the values of a file. A key that nothing reads is an error.

use serde_json::Value;

use crate::annotations::check;
use crate::mesh::Mesh;
use crate::notice::Notices;
use crate::proxy_config::shown;
use crate::settings::{NativeSidecar, Selector, Settings};

/// Values of Istio's charts that mean nothing here.
const UNUSED: &[&str] = &[
    "global.caAddress",
    "global.configCluster",
    "global.defaultPodDisruptionBudget",
    "global.defaultResources",
    "global.externalIstiod",
    "global.istioNamespace",
    "global.istiod",
    "global.jwtPolicy",
    "global.mountMtlsCerts",
    "global.omitSidecarInjectorConfigMap",
    "global.oneNamespace",
    "global.operatorManageWebhooks",
    "global.pilotCertProvider",
    "global.platform",
    "global.priorityClassName",
    "global.proxy.clusterDomain",
    "global.proxy.componentLogLevel",
    "global.proxy.enableCoreDump",
    "global.proxy.outlierLogPath",
    "global.proxy.tracer",
    "global.remotePilotAddress",
    "global.sds",
    "global.sts",
    "global.tracer",
    "global.variant",
    "global.waypoint",
    "pilot",
    "sidecarInjectorWebhook.enableNamespacesByDefault",
    "sidecarInjectorWebhook.reinvocationPolicy",
];

/// Objects whose keys are settings.
const SECTIONS: &[&str] = &[
    "",
    "egret",
    "global",
    "global.logging",
    "global.multiCluster",
    "global.proxy",
    "global.proxy.startupProbe",
    "global.proxy_init",
    "sidecarInjectorWebhook",
];

/// Reads settings; those that are not set have their defaults. Problems name the path of the value.
pub fn read(values: &Value, notices: &mut Notices) -> Settings {
    let mut reader = Reader {
        settings: Settings::default(),
        hub: None,
        tag: None,
        has_image: false,
    };
    reader.section("", values, notices);
    let Reader {
        mut settings,
        hub,
        tag,
        has_image,
    } = reader;
    if !has_image {
        if let Some(tag) = tag {
            settings.image = format!("egret:{tag}");
        }
        if let Some(hub) = hub {
            settings.image = format!("{hub}/{}", settings.image);
        }
    }
    settings
}

struct Reader {
    settings: Settings,
    hub: Option<String>,
    tag: Option<String>,
    has_image: bool,
}

/// Why a value is not taken.
enum Refusal {
    Unknown,
    Expected(String),
}

impl From<&str> for Refusal {
    fn from(text: &str) -> Self {
        Self::Expected(text.to_owned())
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self::Expected(text)
    }
}

type Taken = Result<(), Refusal>;

impl Reader {
    fn section(&mut self, path: &str, values: &Value, notices: &mut Notices) {
        let object = match values {
            Value::Null => return,
            Value::Object(object) => object,
            other => return notices.error(path, &shown(other), "expected an object"),
        };
        for (key, value) in object {
            let path = match path {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            if SECTIONS.contains(&path.as_str()) {
                self.section(&path, value, notices);
            } else if UNUSED.contains(&path.as_str()) {
                notices.warn(path, "", ("not used by egret", "remove it"));
            } else if path == "meshConfig" {
                self.settings.mesh = Mesh::read(value, notices);
            } else if !value.is_null() {
                match self.value(&path, value) {
                    Ok(()) => {}
                    Err(Refusal::Unknown) => {
                        let hint = "see docs/injection.md for the settings that exist";
                        notices.error(path, "", ("no such setting", hint));
                    }
                    Err(Refusal::Expected(expected)) => {
                        notices.error(path, &shown(value), expected)
                    }
                }
            }
        }
    }

    fn value(&mut self, path: &str, value: &Value) -> Taken {
        let settings = &mut self.settings;
        match path {
            "image" => {
                self.has_image = true;
                text(value, &mut settings.image)
            }
            "revision" => text(value, &mut settings.revision),
            "global.hub" => some_text(value, &mut self.hub),
            "global.tag" => {
                self.tag = Some(shown(value));
                Ok(())
            }
            "global.imagePullPolicy" => some_text(value, &mut settings.image_pull_policy),
            "global.imagePullSecrets" => names(value, &mut settings.image_pull_secrets),
            "global.logAsJson" => boolean(value, &mut settings.log_as_json),
            "global.logging.level" => text(value, &mut settings.agent_log_level),
            "global.meshID" => text(value, &mut settings.mesh_id),
            "global.network" => text(value, &mut settings.network),
            "global.multiCluster.clusterName" => non_empty(value, &mut settings.cluster),
            "global.multiCluster.enabled" => Ok(()),
            "global.proxy_init.image" => image(value, &mut settings.init_image),
            "global.proxy_init.resources" => object(value, &mut settings.init_resources),
            "global.proxy_init.forceApplyIptables" => boolean(value, &mut settings.forces_rules),
            "sidecarInjectorWebhook.rewriteAppHTTPProbe" => {
                boolean(value, &mut settings.rewrite_probes)
            }
            "sidecarInjectorWebhook.neverInjectSelector" => {
                selectors(value, &mut settings.never_inject)
            }
            "sidecarInjectorWebhook.alwaysInjectSelector" => {
                selectors(value, &mut settings.always_inject)
            }
            "sidecarInjectorWebhook.injectedAnnotations" => {
                pairs(value, &mut settings.injected_annotations)
            }
            "egret.configSource" => {
                let source = value
                    .as_str()
                    .filter(|text| ["files", "kubernetes", "hub"].contains(text));
                let source = source.ok_or("expected files, kubernetes or hub")?;
                settings.config_source = Some(source.to_owned());
                Ok(())
            }
            "egret.hub" => some_text(value, &mut settings.hub),
            "egret.hubCA" => some_text(value, &mut settings.hub_ca),
            "egret.nativeSidecar" => {
                let native = NativeSidecar::parse(&shown(value));
                settings.native = native.ok_or("expected true, false or auto")?;
                Ok(())
            }
            "egret.resources" => {
                let mut resources = None;
                object(value, &mut resources)?;
                settings.resources = resources.unwrap_or_default();
                Ok(())
            }
            path => match path.strip_prefix("global.proxy.") {
                Some(key) => self.proxy(key, value),
                None => Err(Refusal::Unknown),
            },
        }
    }

    fn proxy(&mut self, key: &str, value: &Value) -> Taken {
        let settings = &mut self.settings;
        match key {
            "autoInject" => match value.as_str() {
                Some("enabled") => Ok(()),
                Some("disabled") => {
                    settings.is_enabled = false;
                    Ok(())
                }
                _ => Err("expected enabled or disabled".into()),
            },
            "image" => image(value, &mut settings.proxy_image),
            "logLevel" => text(value, &mut settings.log_level),
            "privileged" => boolean(value, &mut settings.is_privileged),
            "capNetBindService" => boolean(value, &mut settings.binds_low_ports),
            "holdApplicationUntilProxyStarts" => boolean(value, &mut settings.hold),
            "includeIPRanges" => checked(value, check::ranges, &mut settings.include_ip_ranges),
            "excludeIPRanges" => checked(
                value,
                check::excluded_ranges,
                &mut settings.exclude_ip_ranges,
            ),
            "includeInboundPorts" => checked(
                value,
                check::all_or_ports,
                &mut settings.include_inbound_ports,
            ),
            "excludeInboundPorts" => {
                checked(value, check::ports, &mut settings.exclude_inbound_ports)
            }
            "includeOutboundPorts" => {
                checked(value, check::ports, &mut settings.include_outbound_ports)
            }
            "excludeOutboundPorts" => {
                checked(value, check::ports, &mut settings.exclude_outbound_ports)
            }
            "statusPort" => {
                let port = value.as_u64().and_then(|port| port.try_into().ok());
                settings.status_port = Some(port.ok_or("expected a port number")?);
                Ok(())
            }
            "readinessInitialDelaySeconds" => number(value, &mut settings.readiness_initial_delay),
            "readinessPeriodSeconds" => number(value, &mut settings.readiness_period),
            "readinessFailureThreshold" => number(value, &mut settings.readiness_failures),
            "startupProbe.enabled" => {
                let mut is_enabled = true;
                boolean(value, &mut is_enabled)?;
                settings.startup_failures = settings.startup_failures.filter(|_| is_enabled);
                Ok(())
            }
            "startupProbe.failureThreshold" => match &mut settings.startup_failures {
                Some(failures) => number(value, failures),
                None => Ok(()),
            },
            "resources" => {
                let mut resources = None;
                object(value, &mut resources)?;
                settings.resources = resources.unwrap_or_default();
                Ok(())
            }
            "lifecycle" => object(value, &mut settings.lifecycle),
            "seccompProfile" => object(value, &mut settings.seccomp_profile),
            _ => Err(Refusal::Unknown),
        }
    }
}

fn text(value: &Value, place: &mut String) -> Taken {
    value.as_str().ok_or("expected a string")?.clone_into(place);
    Ok(())
}

fn non_empty(value: &Value, place: &mut String) -> Taken {
    match value.as_str() {
        Some("") => Ok(()),
        _ => text(value, place),
    }
}

fn some_text(value: &Value, place: &mut Option<String>) -> Taken {
    let text = value.as_str().ok_or("expected a string")?;
    *place = Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(())
}

/// An image counts when it is a whole reference; Istio's `proxyv2` is a part of one.
fn image(value: &Value, place: &mut Option<String>) -> Taken {
    some_text(value, place)?;
    *place = place.take().filter(|image| image.contains('/'));
    Ok(())
}

fn boolean(value: &Value, place: &mut bool) -> Taken {
    *place = match shown(value).as_str() {
        "true" => true,
        "false" | "" => false,
        _ => return Err("expected true or false".into()),
    };
    Ok(())
}

fn number(value: &Value, place: &mut u32) -> Taken {
    let number = value.as_u64().and_then(|number| number.try_into().ok());
    *place = number.ok_or("expected a whole number")?;
    Ok(())
}

fn object(value: &Value, place: &mut Option<Value>) -> Taken {
    if !value.is_object() {
        return Err("expected an object".into());
    }
    *place = Some(value.clone())
        .filter(|value| value.as_object().is_some_and(|object| !object.is_empty()));
    Ok(())
}

fn checked(value: &Value, check: impl Fn(&str) -> Result<(), String>, place: &mut String) -> Taken {
    // One port without quotes is a number.
    let text = shown(value);
    check(&text)?;
    *place = text;
    Ok(())
}

fn names(value: &Value, place: &mut Vec<String>) -> Taken {
    const EXPECTED: &str = "expected a list of names";
    *place = Vec::new();
    for one in value.as_array().ok_or(EXPECTED)? {
        let name = one.as_str().or_else(|| one.get("name")?.as_str());
        place.push(name.ok_or(EXPECTED)?.to_owned());
    }
    Ok(())
}

fn selectors(value: &Value, place: &mut Vec<Selector>) -> Taken {
    let list = value
        .as_array()
        .ok_or("expected a list of label selectors")?;
    *place = list.iter().map(Selector::read).collect::<Result<_, _>>()?;
    Ok(())
}

fn pairs(value: &Value, place: &mut Vec<(String, String)>) -> Taken {
    const EXPECTED: &str = "expected names and strings";
    let object = value.as_object().ok_or(EXPECTED)?;
    *place = Vec::new();
    for (key, value) in object {
        place.push((key.clone(), value.as_str().ok_or(EXPECTED)?.to_owned()));
    }
    Ok(())
}
