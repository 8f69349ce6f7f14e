//! A pod with what injection adds.

use serde_json::{Map, Value, json};

use crate::annotations::{Annotations, Template};
use crate::containers;
use crate::decide::{Decision, decide};
use crate::json;
use crate::names;
use crate::notice::{Notices, annotation};
use crate::overrides;
use crate::plan::{Owner, Plan};
use crate::probes::{self, Originals};
use crate::prometheus;
use crate::record::Record;
use crate::settings::Settings;
use crate::tree::{self, name, position};
use crate::uninject::uninject;
use crate::volumes;

/// What became of a pod.
#[derive(Debug)]
pub enum Outcome {
    /// The pod with the containers.
    Injected(Value),
    /// The pod stays as it is, for this reason: a lower-case phrase.
    Skipped(String),
    /// The pod is refused: there are errors among the problems.
    Refused,
}

/// Injects a pod: an object with `metadata` and `spec`, of a workload or on its own. A pod that was injected before is injected anew.
pub fn inject(pod: &Value, owner: &Owner, settings: &Settings, notices: &mut Notices) -> Outcome {
    if !pod.get("spec").is_some_and(Value::is_object) {
        return Outcome::Skipped("it has no spec".to_owned());
    }
    if let Decision::Skip(reason) = decide(pod, &owner.namespace, settings, notices) {
        return Outcome::Skipped(reason);
    }
    let base = uninject(pod).unwrap_or_else(|| pod.clone());
    let all = tree::at(&base, &["metadata", "annotations"]).and_then(Value::as_object);
    let annotations = Annotations::read(all, notices);
    let plan = Plan::new(&base, &annotations, settings, owner, notices);
    let injected = Injector {
        plan: &plan,
        record: Record {
            revision: settings.revision.clone(),
            ..Record::default()
        },
        notices,
    }
    .inject(base);
    match injected {
        Some(pod) if !notices.has_errors() => Outcome::Injected(pod),
        _ => Outcome::Refused,
    }
}

struct Injector<'a> {
    plan: &'a Plan<'a>,
    record: Record,
    notices: &'a mut Notices,
}

impl Injector<'_> {
    fn inject(mut self, mut pod: Value) -> Option<Value> {
        let canonical = [
            (names::CANONICAL_NAME, self.plan.canonical_name(&pod)),
            (
                names::CANONICAL_REVISION,
                Plan::canonical_revision(&pod).to_owned(),
            ),
        ];
        let root = pod.as_object_mut()?;
        self.note_missing(root, "", &["metadata"]);
        self.note_missing(
            tree::object(root, "metadata"),
            "metadata.",
            &["labels", "annotations"],
        );
        let spec = tree::object(root, "spec");
        self.note_missing(
            spec,
            "spec.",
            &[
                "containers",
                "initContainers",
                "volumes",
                "imagePullSecrets",
            ],
        );
        let authors = self.take_authors(spec);
        let originals = self.rewrite_probes(spec);
        self.add_volumes(spec);
        self.add_secrets(spec);
        let metadata = tree::object(root, "metadata");
        self.add_labels(metadata, canonical);
        let scrape = self.merge_metrics(tree::object(metadata, "annotations"));
        self.add_containers(tree::object(root, "spec"), &authors, &originals, scrape);
        let annotations = tree::object(tree::object(root, "metadata"), "annotations");
        self.add_annotations(annotations, &authors);
        self.forget_unused(root);
        Some(pod)
    }

    /// Notes which objects and lists are not there.
    fn note_missing(&mut self, parent: &Map<String, Value>, path: &str, keys: &[&str]) {
        for key in keys {
            let was_null = match parent.get(*key) {
                None => false,
                Some(Value::Null) => true,
                Some(_) => continue,
            };
            self.record
                .missing
                .insert(format!("{path}{key}"), was_null.into());
        }
    }

    /// Forgets those that were not needed.
    fn forget_unused(&mut self, root: &mut Map<String, Value>) {
        let missing = std::mem::take(&mut self.record.missing);
        for (path, was_null) in missing {
            let keys: Vec<&str> = path.split('.').collect();
            let is_there = keys.iter().try_fold(None, |value: Option<&Value>, key| {
                let value = match value {
                    None => root.get(*key),
                    Some(value) => value.get(key),
                };
                value.filter(|value| !value.is_null()).map(Some)
            });
            if is_there.is_some() {
                self.record.missing.insert(path, was_null);
            }
        }
        let status = self.record.text();
        let annotations = tree::object(tree::object(root, "metadata"), "annotations");
        annotations.insert(names::STATUS.to_owned(), Value::String(status));
    }

    /// Takes the author's containers with names of ours out of the pod, and gives them by list.
    fn take_authors(&mut self, spec: &mut Map<String, Value>) -> Map<String, Value> {
        let mut authors = Map::new();
        for list in ["containers", "initContainers"] {
            let Some(containers) = spec.get_mut(list).and_then(Value::as_array_mut) else {
                continue;
            };
            let mut taken = Vec::new();
            let mut index = 0;
            containers.retain(|container| {
                let own = name(container);
                let is_init = own == names::INIT && list == "initContainers" && self.has_init();
                let is_ours = own == names::PROXY || is_init;
                if is_ours {
                    self.record
                        .places
                        .push((list.to_owned(), own.to_owned(), index));
                    taken.push(container.clone());
                }
                index += 1;
                !is_ours
            });
            if !taken.is_empty() {
                authors.insert(list.to_owned(), Value::Array(taken));
            }
        }
        authors
    }

    fn has_init(&self) -> bool {
        self.plan.interception != crate::proxy_config::Interception::None
    }

    fn rewrite_probes(&mut self, spec: &mut Map<String, Value>) -> Originals {
        let settings = self.plan.settings;
        let rewrites = self
            .plan
            .annotations
            .rewrite_probes
            .unwrap_or(settings.rewrite_probes);
        let is_sidecar = self.plan.annotations.template == Template::Sidecar;
        if !rewrites || self.plan.status_port == 0 || !is_sidecar {
            return Originals::default();
        }
        let originals = probes::rewrite(spec, self.plan.status_port, self.notices);
        self.record.ports = originals.ports.clone();
        originals
    }

    fn add_volumes(&mut self, spec: &mut Map<String, Value>) {
        let own = tree::list(spec, "volumes");
        for volume in volumes::volumes(self.plan) {
            let volume_name = name(&volume).to_owned();
            if position(own, &volume_name).is_none() {
                self.record.volumes.push(volume_name);
                own.push(volume);
            } else if self
                .plan
                .annotations
                .user_volumes
                .contains_key(&volume_name)
            {
                let message = ("the pod has a volume of this name", "choose another name");
                self.notices.error(
                    annotation("sidecar.istio.io/userVolume"),
                    &volume_name,
                    message,
                );
            }
        }
    }

    fn add_secrets(&mut self, spec: &mut Map<String, Value>) {
        for secret in &self.plan.settings.image_pull_secrets {
            let own = tree::list(spec, "imagePullSecrets");
            if position(own, secret).is_none() {
                own.push(json!({ "name": secret }));
                self.record.image_pull_secrets.push(secret.clone());
            }
        }
    }

    fn add_labels(&mut self, metadata: &mut Map<String, Value>, labels: [(&str, String); 2]) {
        let own = tree::object(metadata, "labels");
        for (key, value) in labels {
            if !own.contains_key(key) && !value.is_empty() {
                own.insert(key.to_owned(), Value::String(value));
                self.record.labels.push(key.to_owned());
            }
        }
    }

    fn merge_metrics(&mut self, annotations: &mut Map<String, Value>) -> Option<String> {
        let own = self.plan.annotations.merges_metrics;
        if !own.unwrap_or(self.plan.settings.mesh.merges_metrics) {
            return None;
        }
        prometheus::merge(annotations, &mut self.record, self.plan.status_port)
    }

    fn add_containers(
        &mut self,
        spec: &mut Map<String, Value>,
        authors: &Map<String, Value>,
        originals: &Originals,
        scrape: Option<String>,
    ) {
        let plan = self.plan;
        let mut proxy = containers::proxy(plan);
        if let Some(author) = author(authors, names::PROXY) {
            proxy = overrides::merge(proxy, author);
        }
        if let Some(proxy) = proxy.as_object_mut() {
            let env = tree::list(proxy, "env");
            if let Some(text) = originals.variable() {
                tree::set_env(env, names::ENV_PROBERS, &text);
            }
            if let Some(text) = scrape {
                tree::set_env(env, names::ENV_PROMETHEUS, &text);
            }
        }
        let init = containers::init(plan).map(|init| match author(authors, names::INIT) {
            Some(author) => overrides::merge(init, author),
            None => init,
        });
        let has_init = init.is_some();
        if has_init || plan.is_native {
            let list = tree::list(spec, "initContainers");
            let index = if plan.is_native { 0 } else { list.len() };
            let native = plan.is_native.then(|| proxy.clone());
            list.splice(index..index, init.into_iter().chain(native));
        }
        if has_init {
            self.record.init_containers.push(names::INIT.to_owned());
        }
        if plan.is_native {
            self.record.init_containers.push(names::PROXY.to_owned());
            return;
        }
        self.record.containers.push(names::PROXY.to_owned());
        let list = tree::list(spec, "containers");
        let index = if plan.holds { 0 } else { list.len() };
        list.insert(index, proxy);
    }

    fn add_annotations(
        &mut self,
        annotations: &mut Map<String, Value>,
        authors: &Map<String, Value>,
    ) {
        let mut set =
            |key: &str, value: String| prometheus::set(annotations, &mut self.record, key, value);
        set(names::REVISION, self.plan.settings.revision.clone());
        if !authors.is_empty() {
            set(
                names::OVERRIDES,
                json::write(&Value::Object(authors.clone()), 0),
            );
        }
        for (key, value) in &self.plan.settings.injected_annotations {
            set(key, value.clone());
        }
        if let Some(first) = self.plan.app_containers.first() {
            for key in [names::DEFAULT_LOGS_CONTAINER, names::DEFAULT_CONTAINER] {
                if !annotations.contains_key(key) {
                    prometheus::set(annotations, &mut self.record, key, first.clone());
                }
            }
        }
        // Its text is known when all else is done.
        prometheus::set(annotations, &mut self.record, names::STATUS, String::new());
    }
}

/// The author's container of a name, in whichever list.
fn author<'v>(authors: &'v Map<String, Value>, wanted: &str) -> Option<&'v Value> {
    let lists = authors.values().filter_map(Value::as_array);
    lists.flatten().find(|container| name(container) == wanted)
}

#[cfg(test)]
mod tests;
