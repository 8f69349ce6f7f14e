//! A pod without what injection added.

use serde_json::{Map, Value};

use crate::json;
use crate::names;
use crate::probes::{self, Originals};
use crate::record::{self, Record};
use crate::tree::{self, at, elements, name};

/// The pod as its author wrote it. A pod that this injector has not injected stays as it is: `None`.
pub fn uninject(pod: &Value) -> Option<Value> {
    let record = record::read(pod)?;
    let mut pod = pod.clone();
    let originals = Originals {
        probers: probers(&pod),
        ports: record.ports.clone(),
    };
    let overrides = at(&pod, &["metadata", "annotations", names::OVERRIDES])
        .and_then(Value::as_str)
        .and_then(|text| json::value(text).ok());
    let root = pod.as_object_mut()?;
    if let Some(spec) = root.get_mut("spec").and_then(Value::as_object_mut) {
        remove(spec, "initContainers", &record.init_containers);
        remove(spec, "containers", &record.containers);
        remove(spec, "volumes", &record.volumes);
        remove(spec, "imagePullSecrets", &record.image_pull_secrets);
        restore_containers(spec, &record, overrides.as_ref());
        probes::restore(spec, &originals);
    }
    if let Some(metadata) = root.get_mut("metadata").and_then(Value::as_object_mut) {
        remove_keys(metadata, "labels", &record.labels);
        remove_keys(metadata, "annotations", &record.annotations);
        for (key, value) in &record.replaced {
            tree::object(metadata, "annotations").insert(key.clone(), value.clone());
        }
    }
    remove_missing(root, &record);
    Some(pod)
}

/// The original probes, from the variable of the proxy.
fn probers(pod: &Value) -> std::collections::BTreeMap<String, Value> {
    let lists = ["containers", "initContainers"];
    let containers = lists
        .iter()
        .flat_map(|list| elements(at(pod, &["spec", list])));
    let proxies = containers.filter(|container| name(container) == names::PROXY);
    let variables = proxies.flat_map(|proxy| elements(proxy.get("env")));
    let own = variables.filter(|variable| name(variable) == names::ENV_PROBERS);
    let texts = own.filter_map(|variable| variable.get("value")?.as_str());
    let objects = texts.filter_map(|text| match json::value(text) {
        Ok(Value::Object(probers)) => Some(probers),
        _ => None,
    });
    objects.flatten().collect()
}

fn remove(spec: &mut Map<String, Value>, list: &str, names: &[String]) {
    if let Some(list) = spec.get_mut(list).and_then(Value::as_array_mut) {
        list.retain(|element| !names.iter().any(|own| own == name(element)));
    }
}

fn restore_containers(spec: &mut Map<String, Value>, record: &Record, overrides: Option<&Value>) {
    let mut places = record.places.clone();
    places.sort_by_key(|(_, _, index)| *index);
    for (list, own, index) in places {
        let authors = elements(overrides.and_then(|overrides| overrides.get(&list)));
        if let Some(container) = authors.iter().find(|container| name(container) == own) {
            let list = tree::list(spec, &list);
            list.insert(index.min(list.len()), container.clone());
        }
    }
}

fn remove_keys(metadata: &mut Map<String, Value>, part: &str, keys: &[String]) {
    if let Some(object) = metadata.get_mut(part).and_then(Value::as_object_mut) {
        for key in keys {
            object.shift_remove(key);
        }
    }
}

/// Removes objects and lists that injection made, the inner ones first, unless something else is in them now.
fn remove_missing(root: &mut Map<String, Value>, record: &Record) {
    let mut missing: Vec<(&String, &Value)> = record.missing.iter().collect();
    missing.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    for (path, was_null) in missing {
        let (parent, key) = match path.split_once('.') {
            Some((parent, key)) => (root.get_mut(parent).and_then(Value::as_object_mut), key),
            None => (Some(&mut *root), path.as_str()),
        };
        let Some(parent) = parent else { continue };
        let is_empty = match parent.get(key) {
            Some(Value::Object(object)) => object.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            _ => false,
        };
        match was_null {
            _ if !is_empty => {}
            Value::Bool(true) => {
                parent.insert(key.to_owned(), Value::Null);
            }
            _ => {
                parent.shift_remove(key);
            }
        }
    }
}
