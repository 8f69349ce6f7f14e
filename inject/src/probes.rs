//! Probes and lifecycle hooks of the application, which the proxy answers for it.
//!
//! The kubelet cannot reach a redirected port as itself. It asks the agent's port instead, and the agent asks the application.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::json;
use crate::names;
use crate::notice::Notices;
use crate::proxy_config::shown;
use crate::tree::{at, elements, name};

/// Probes, with the last part of their new paths.
const PROBES: [(&str, &str); 3] = [
    ("readinessProbe", "readyz"),
    ("livenessProbe", "livez"),
    ("startupProbe", "startupz"),
];

/// Hooks, with the last part of their new paths.
const HOOKS: [(&str, &str); 2] = [("preStop", "prestopz"), ("postStart", "poststartz")];

/// The ways to ask an application that the agent knows.
const HANDLERS: [&str; 3] = ["httpGet", "tcpSocket", "grpc"];

/// The original probes of a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Originals {
    /// By new path: the handler with its port as a number, and `timeoutSeconds`.
    pub probers: BTreeMap<String, Value>,
    /// Ports that were no numbers, by new path.
    pub ports: Map<String, Value>,
}

impl Originals {
    /// The value of the variable that the agent reads; `None` where there is no probe.
    pub fn variable(&self) -> Option<String> {
        if self.probers.is_empty() {
            return None;
        }
        let object: Map<String, Value> = self.probers.clone().into_iter().collect();
        Some(json::write(&Value::Object(object), 0))
    }
}

/// Points the probes and hooks of all containers but ours to `port`, and gives the original ones.
pub fn rewrite(spec: &mut Map<String, Value>, port: u16, notices: &mut Notices) -> Originals {
    let mut originals = Originals::default();
    for list in ["initContainers", "containers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let own = name(container).to_owned();
            if own == names::INIT || own == names::PROXY {
                continue;
            }
            let ports = elements(container.get("ports")).to_vec();
            each_handler(container, &own, |handler, path, field| {
                let rewriter = Rewriter {
                    ports: &ports,
                    port,
                };
                match rewriter.rewrite(handler, path) {
                    Ok(None) => {}
                    Ok(Some((prober, name))) => {
                        originals.probers.insert(path.to_owned(), prober);
                        if let Some(name) = name {
                            originals.ports.insert(path.to_owned(), name);
                        }
                    }
                    Err(port) => {
                        let message = (
                            "no port of this container has the name: the probe stays as it is, and the proxy may redirect it",
                            "name a port of the container's ports",
                        );
                        notices.warn(format!("{list}.{own}.{field}"), &port, message);
                    }
                }
            });
        }
    }
    originals
}

/// Puts the original probes and hooks back.
pub fn restore(spec: &mut Map<String, Value>, originals: &Originals) {
    for list in ["initContainers", "containers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let own = name(container).to_owned();
            each_handler(container, &own, |handler, path, _| {
                let is_ours = at_path(handler) == Some(path);
                let Some(prober) = originals.probers.get(path).filter(|_| is_ours) else {
                    return;
                };
                for kind in HANDLERS {
                    let Some(mut original) = prober.get(kind).cloned() else {
                        continue;
                    };
                    if let (Some(object), Some(port)) =
                        (original.as_object_mut(), originals.ports.get(path))
                    {
                        object.insert("port".to_owned(), port.clone());
                    }
                    if kind != "httpGet" {
                        handler.shift_remove("httpGet");
                    }
                    handler.insert(kind.to_owned(), original);
                }
            });
        }
    }
}

fn at_path(handler: &Map<String, Value>) -> Option<&str> {
    handler.get("httpGet")?.get("path")?.as_str()
}

/// Calls `each` with each probe and hook of a container, the new path, and the field.
fn each_handler(
    container: &mut Value,
    name: &str,
    mut each: impl FnMut(&mut Map<String, Value>, &str, &str),
) {
    for (field, end) in PROBES {
        if let Some(probe) = container.get_mut(field).and_then(Value::as_object_mut) {
            each(probe, &format!("/app-health/{name}/{end}"), field);
        }
    }
    for (field, end) in HOOKS {
        let hook = container
            .get_mut("lifecycle")
            .and_then(|lifecycle| lifecycle.get_mut(field));
        if let Some(hook) = hook.and_then(Value::as_object_mut) {
            each(
                hook,
                &format!("/app-lifecycle/{name}/{end}"),
                &format!("lifecycle.{field}"),
            );
        }
    }
}

struct Rewriter<'a> {
    ports: &'a [Value],
    port: u16,
}

impl Rewriter<'_> {
    /// Changes a probe, and gives the original with its port as a number, and the port if it was none. Nothing for probes that need
    /// no network.
    ///
    /// # Errors
    /// The port that no port of the container has as its name.
    fn rewrite(
        &self,
        handler: &mut Map<String, Value>,
        path: &str,
    ) -> Result<Option<(Value, Option<Value>)>, String> {
        let is_there = |kind: &&str| handler.get(*kind).is_some_and(Value::is_object);
        let Some(kind) = HANDLERS.into_iter().find(is_there) else {
            return Ok(None);
        };
        // Hooks know HTTP and TCP alone.
        if kind == "grpc" && path.starts_with("/app-lifecycle/") {
            return Ok(None);
        }
        let mut original = handler.get(kind).cloned().unwrap_or_default();
        let port = original.get("port").cloned().unwrap_or_default();
        let number = self.number(&port).ok_or_else(|| shown(&port))?;
        let name = (port != number).then_some(port);
        original["port"] = number;
        let mut prober = json!({ kind: original });
        if let Some(timeout) = handler
            .get("timeoutSeconds")
            .filter(|timeout| !timeout.is_null())
        {
            prober["timeoutSeconds"] = timeout.clone();
        }
        if kind != "httpGet" {
            handler.shift_remove(kind);
        }
        let get = handler.entry("httpGet").or_insert_with(|| json!({}));
        get["path"] = path.into();
        get["port"] = self.port.into();
        if at(get, &["scheme"]).and_then(Value::as_str) == Some("HTTPS") {
            get["scheme"] = "HTTP".into();
        }
        Ok(Some((prober, name)))
    }

    /// The number of a port: itself, that of the container's port of this name, or the digits of a string.
    fn number(&self, port: &Value) -> Option<Value> {
        let text = match port {
            Value::Number(_) => return Some(port.clone()),
            port => port.as_str()?,
        };
        let named = self.ports.iter().find(|own| name(own) == text);
        match named.and_then(|own| own.get("containerPort")) {
            Some(number) => Some(number.clone()),
            None => Some(text.parse::<u16>().ok()?.into()),
        }
    }
}
