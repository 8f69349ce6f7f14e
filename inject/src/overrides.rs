//! The author's own fields for a container of ours.

use serde_json::{Map, Value};

use crate::tree::{name, position};

/// Lists whose elements are joined by name.
const BY_NAME: [&str; 3] = ["env", "volumeMounts", "ports"];

/// The image that means ours.
const AUTO: &str = "auto";

/// Our container with the author's fields over ours. `env`, `volumeMounts` and `ports` are joined by name, other lists are replaced,
/// and `image: auto` is ours.
#[must_use]
pub fn merge(ours: Value, author: &Value) -> Value {
    let (Value::Object(mut ours), Value::Object(author)) = (ours, author) else {
        return author.clone();
    };
    for (key, value) in author {
        let is_auto = key == "image" && matches!(value.as_str(), Some(AUTO | ""));
        if is_auto {
            continue;
        }
        match (ours.get_mut(key), value) {
            (Some(Value::Array(own)), Value::Array(list)) if BY_NAME.contains(&key.as_str()) => {
                join(own, list)
            }
            (Some(Value::Object(own)), Value::Object(object)) => join_objects(own, object),
            _ => {
                ours.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(ours)
}

fn join(own: &mut Vec<Value>, list: &[Value]) {
    let count = own.len();
    for value in list {
        let ours = own
            .get(..count)
            .and_then(|ours| position(ours, name(value)));
        match ours.filter(|_| !name(value).is_empty()) {
            Some(index) => own[index] = value.clone(),
            None => own.push(value.clone()),
        }
    }
}

/// Handlers of a probe exclude each other, as sources of a volume do: the author's replaces ours.
const HANDLERS: [&str; 4] = ["httpGet", "tcpSocket", "grpc", "exec"];

fn join_objects(own: &mut Map<String, Value>, author: &Map<String, Value>) {
    if HANDLERS.iter().any(|key| author.contains_key(*key)) {
        own.retain(|key, _| !HANDLERS.contains(&key.as_str()) || author.contains_key(key));
    }
    for (key, value) in author {
        match (own.get_mut(key), value) {
            (Some(Value::Object(own)), Value::Object(object)) => join_objects(own, object),
            _ => {
                own.insert(key.clone(), value.clone());
            }
        }
    }
}
