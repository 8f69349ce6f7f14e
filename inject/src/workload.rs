//! The pods of objects of any kind.

use egret_config::name::DEFAULT_NAMESPACE;
use serde_json::Value;

use crate::plan::Owner;
use crate::tree::{at, text};

/// Kinds with a pod, the beginnings of their API versions, and the path of the pod.
const KINDS: &[(&str, &[&str], &[&str])] = &[
    ("Pod", &["v1"], &[]),
    ("Deployment", &["apps/", "extensions/"], TEMPLATE),
    ("StatefulSet", &["apps/"], TEMPLATE),
    ("DaemonSet", &["apps/", "extensions/"], TEMPLATE),
    ("ReplicaSet", &["apps/", "extensions/"], TEMPLATE),
    ("ReplicationController", &["v1"], TEMPLATE),
    ("Job", &["batch/"], TEMPLATE),
    (
        "CronJob",
        &["batch/"],
        &["spec", "jobTemplate", "spec", "template"],
    ),
    ("Rollout", &["argoproj.io/"], TEMPLATE),
    ("DeploymentConfig", &["apps.openshift.io/", "v1"], TEMPLATE),
];

const TEMPLATE: &[&str] = &["spec", "template"];

/// A pod of a document.
#[derive(Debug)]
pub struct Site<'v> {
    /// The pod: an object with `metadata` and `spec`.
    pub pod: &'v mut Value,
    /// The object that makes it.
    pub owner: Owner,
    /// `Kind namespace/name` of the object.
    pub title: String,
    /// The path of the pod in the document, as `/items/0/spec/template`.
    pub path: String,
}

/// Calls `each` with each pod of a document; lists are looked into.
pub fn each_pod(document: &mut Value, each: &mut dyn FnMut(Site<'_>)) {
    visit(document, "", String::new(), each);
}

fn visit(object: &mut Value, default_kind: &str, path: String, each: &mut dyn FnMut(Site<'_>)) {
    let kind = text(object, &["kind"]).unwrap_or(default_kind).to_owned();
    if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        if let Some(kind) = kind.strip_suffix("List") {
            for (index, item) in items.iter_mut().enumerate() {
                visit(item, kind, format!("{path}/items/{index}"), each);
            }
        }
        return;
    }
    let version = text(object, &["apiVersion"]).unwrap_or_default();
    let is_of = |versions: &[&str]| {
        let is_own =
            |own: &&str| version == *own || (own.ends_with('/') && version.starts_with(own));
        version.is_empty() || versions.iter().any(is_own)
    };
    let found = KINDS
        .iter()
        .find(|(own, versions, _)| *own == kind && is_of(versions));
    let Some((_, _, steps)) = found else {
        return;
    };
    let owner = match kind.as_str() {
        "Pod" => owner_of_pod(object),
        _ => Owner {
            api_version: version.to_owned(),
            kind: kind.clone(),
            name: text(object, &["metadata", "name"])
                .unwrap_or_default()
                .to_owned(),
            namespace: namespace(object),
        },
    };
    let own_name =
        text(object, &["metadata", "name"]).or(text(object, &["metadata", "generateName"]));
    let title = match (namespace(object).as_str(), own_name.unwrap_or_default()) {
        ("", name) => format!("{kind} {DEFAULT_NAMESPACE}/{name}"),
        (namespace, name) => format!("{kind} {namespace}/{name}"),
    };
    let path = steps
        .iter()
        .fold(path, |path, step| format!("{path}/{step}"));
    let pod = steps
        .iter()
        .try_fold(object, |object, step| object.get_mut(*step));
    if let Some(pod) = pod.filter(|pod| pod.get("spec").is_some_and(Value::is_object)) {
        each(Site {
            pod,
            owner,
            title,
            path,
        });
    }
}

fn namespace(object: &Value) -> String {
    text(object, &["metadata", "namespace"])
        .unwrap_or_default()
        .to_owned()
}

/// The workload that a pod belongs to, as far as the pod says it: Istio's rules.
pub fn owner_of_pod(pod: &Value) -> Owner {
    let own = text(pod, &["metadata", "name"]).unwrap_or_default();
    let mut owner = Owner {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        name: own.to_owned(),
        namespace: namespace(pod),
    };
    let is_generated =
        text(pod, &["metadata", "generateName"]).is_some_and(|name| !name.is_empty());
    let owners = at(pod, &["metadata", "ownerReferences"]).and_then(Value::as_array);
    let mut controllers = owners.into_iter().flatten();
    let controller = controllers.find(|one| one.get("controller") == Some(&Value::Bool(true)));
    let Some(controller) = controller.filter(|_| is_generated) else {
        return owner;
    };
    let part = |key: &str| text(controller, &[key]).unwrap_or_default();
    let label =
        |key: &str| text(pod, &["metadata", "labels", key]).filter(|label| !label.is_empty());
    let without = |hash: &str| part("name").strip_suffix(hash)?.strip_suffix('-');
    let (kind, name, version) = match part("kind") {
        "ReplicaSet" => {
            let deployment = label("pod-template-hash").and_then(without);
            let rollout = label("rollouts-pod-template-hash").and_then(without);
            match (deployment, rollout) {
                (Some(name), _) => ("Deployment", name, part("apiVersion")),
                (None, Some(name)) => ("Rollout", name, "argoproj.io/v1alpha1"),
                (None, None) => ("ReplicaSet", part("name"), part("apiVersion")),
            }
        }
        "ReplicationController" => match label("deploymentconfig") {
            Some(name) => ("DeploymentConfig", name, part("apiVersion")),
            None => ("ReplicationController", part("name"), part("apiVersion")),
        },
        "Job" => match cron_job(part("name")) {
            Some(name) => ("CronJob", name, "batch/v1"),
            None => ("Job", part("name"), part("apiVersion")),
        },
        kind => (kind, part("name"), part("apiVersion")),
    };
    kind.clone_into(&mut owner.kind);
    name.clone_into(&mut owner.name);
    version.clone_into(&mut owner.api_version);
    owner
}

/// The CronJob of a Job whose name ends in the minutes or seconds of its time.
fn cron_job(job: &str) -> Option<&str> {
    let (name, time) = job.rsplit_once('-')?;
    let is_time = (8..=10).contains(&time.len()) && time.bytes().all(|c| c.is_ascii_digit());
    (is_time && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests;
