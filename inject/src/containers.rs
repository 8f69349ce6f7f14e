//! The containers that a pod gets.

mod init;
mod proxy;

use serde_json::{Map, Value, json};

use crate::annotations::Resources;
use crate::plan::Plan;

pub use crate::containers::init::init;
pub use crate::containers::proxy::proxy;

/// The container's resources: the annotations' alone, if there are any.
fn resources(own: &Resources, default: &Value) -> Value {
    let section = |cpu: &Option<String>, memory: &Option<String>| {
        let mut section = Map::new();
        let mut add = |key: &str, value: &Option<String>| {
            if let Some(value) = value {
                section.insert(key.to_owned(), json!(value));
            }
        };
        add("cpu", cpu);
        add("memory", memory);
        section
    };
    let mut resources = Map::new();
    let sections = [
        ("limits", section(&own.cpu_limit, &own.memory_limit)),
        ("requests", section(&own.cpu, &own.memory)),
    ];
    for (key, section) in sections {
        if !section.is_empty() {
            resources.insert(key.to_owned(), Value::Object(section));
        }
    }
    match resources.is_empty() {
        true => default.clone(),
        false => Value::Object(resources),
    }
}

/// The image: the pod's own, one of the settings for this container, or that of both.
fn image<'p>(plan: &'p Plan<'_>, own: &'p Option<String>) -> &'p str {
    let annotation = plan.annotations.image.as_ref();
    annotation.or(own.as_ref()).unwrap_or(&plan.settings.image)
}

/// Adds what both containers may have.
fn add_common(container: &mut Map<String, Value>, plan: &Plan<'_>, resources: Value) {
    if let Some(policy) = &plan.settings.image_pull_policy {
        container.insert("imagePullPolicy".to_owned(), json!(policy));
    }
    if resources
        .as_object()
        .is_some_and(|resources| !resources.is_empty())
    {
        container.insert("resources".to_owned(), resources);
    }
}

/// Adds the seccomp profile of the settings to a security context.
fn add_seccomp(context: &mut Value, plan: &Plan<'_>) {
    if let Some(profile) = &plan.settings.seccomp_profile {
        context["seccompProfile"] = profile.clone();
    }
}
