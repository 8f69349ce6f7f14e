//! Whether a pod is injected, and why not; the same for `inject` and for the webhook.

use serde_json::{Map, Value};

use crate::names;
use crate::notice::Notices;
use crate::proxy_config::shown;
use crate::record;
use crate::settings::Settings;
use crate::tree::{at, elements, position, text};

/// Namespaces of Kubernetes itself.
const SYSTEM_NAMESPACES: [&str; 4] = [
    "kube-system",
    "kube-public",
    "kube-node-lease",
    "local-path-storage",
];

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The pod is injected.
    Inject,
    /// The pod stays as it is, for this reason: a lower-case phrase.
    Skip(String),
}

/// Decides about a pod of a namespace. Istio's order: the host's network, system namespaces, the label or the annotation,
/// selectors, the policy.
pub fn decide(
    pod: &Value,
    namespace: &str,
    settings: &Settings,
    notices: &mut Notices,
) -> Decision {
    if at(pod, &["spec", "hostNetwork"]) == Some(&Value::Bool(true)) {
        let message = (
            "not injected: its rules would be those of the node",
            "set the label sidecar.istio.io/inject: \"false\"",
        );
        notices.warn("spec.hostNetwork", "true", message);
        return skip("it uses the host's network");
    }
    if SYSTEM_NAMESPACES.contains(&namespace) {
        return skip(format!("{namespace} is a namespace of Kubernetes"));
    }
    if text(pod, &["spec", "os", "name"]) == Some("windows") {
        notices.warn(
            "spec.os.name",
            "windows",
            "not injected: egret runs on Linux",
        );
        return skip("it runs on Windows");
    }
    let (wished, source) = wish(pod, notices);
    let labels = at(pod, &["metadata", "labels"]).and_then(Value::as_object);
    match wished.or_else(|| selected(labels, settings)) {
        Some(false) if wished.is_some() => {
            return skip(format!("{source} sidecar.istio.io/inject is \"false\""));
        }
        Some(false) => return skip("neverInjectSelector selects it"),
        None if !settings.is_enabled => {
            return skip("injection is disabled and nothing asks for it");
        }
        Some(true) | None => {}
    }
    if is_foreign(pod) {
        let message = (
            "not injected: another injector has added its proxy",
            "remove that proxy first, with the tool that added it",
        );
        notices.warn(format!("annotation {}", names::STATUS), "", message);
        return skip("another injector has added its proxy");
    }
    Decision::Inject
}

fn skip(reason: impl Into<String>) -> Decision {
    Decision::Skip(reason.into())
}

/// What the label says, or else the annotation, and which of them.
fn wish(pod: &Value, notices: &mut Notices) -> (Option<bool>, &'static str) {
    for (part, source) in [("labels", "label"), ("annotations", "annotation")] {
        let Some(value) = at(pod, &["metadata", part, names::INJECT]) else {
            continue;
        };
        let wished = match value.as_str() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some("") => None,
            _ => {
                let message = (
                    "neither \"true\" nor \"false\": it does not count",
                    "write \"true\" or \"false\", in quotes",
                );
                notices.warn(
                    format!("{source} {}", names::INJECT),
                    &shown(value),
                    message,
                );
                None
            }
        };
        return (wished, source);
    }
    (None, "")
}

fn selected(labels: Option<&Map<String, Value>>, settings: &Settings) -> Option<bool> {
    if settings.never_inject.iter().any(|one| one.selects(labels)) {
        return Some(false);
    }
    let is_selected = settings.always_inject.iter().any(|one| one.selects(labels));
    is_selected.then_some(true)
}

/// Whether there is a proxy that another injector has added.
fn is_foreign(pod: &Value) -> bool {
    let has_status = at(pod, &["metadata", "annotations", names::STATUS]).is_some();
    has_status
        && record::read(pod).is_none()
        && ["containers", "initContainers"].iter().any(|list| {
            let containers = elements(at(pod, &["spec", list]));
            position(containers, names::PROXY).is_some()
        })
}
