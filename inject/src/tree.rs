//! Access to untyped objects. Unknown fields stay where they are.

use serde_json::{Map, Value};

use crate::scalar::{self, Scalar};

/// The value at a path of keys.
pub fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// The string at a path of keys. A plain scalar that is no string counts as one: a namespace `n` is a boolean of YAML 1.1.
pub fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    match scalar::read(at(value, path)?.as_str()?) {
        Scalar::Text(text) | Scalar::Plain(text) => Some(text),
    }
}

/// The object below `key`; made if there is none. A value of another type is replaced.
pub fn object<'v>(parent: &'v mut Map<String, Value>, key: &str) -> &'v mut Map<String, Value> {
    let child = parent.entry(key).or_insert(Value::Null);
    if !child.is_object() {
        *child = Value::Object(Map::new());
    }
    match child {
        Value::Object(object) => object,
        _ => unreachable_object(),
    }
}

/// The list below `key`; made if there is none. A value of another type is replaced.
pub fn list<'v>(parent: &'v mut Map<String, Value>, key: &str) -> &'v mut Vec<Value> {
    let child = parent.entry(key).or_insert(Value::Null);
    if !child.is_array() {
        *child = Value::Array(Vec::new());
    }
    match child {
        Value::Array(list) => list,
        _ => unreachable_object(),
    }
}

#[cold]
fn unreachable_object() -> ! {
    unreachable!("the value was made of this type a line above")
}

/// The elements of a list; none if it is no list.
pub fn elements(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The `name` of an element of a list.
pub fn name(value: &Value) -> &str {
    value
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The place of the element with this `name`.
pub fn position(list: &[Value], wanted: &str) -> Option<usize> {
    list.iter().position(|element| name(element) == wanted)
}

/// Sets the variable of a container; a variable of this name is replaced.
pub fn set_env(env: &mut Vec<Value>, name: &str, value: &str) {
    let variable = serde_json::json!({"name": name, "value": value});
    match position(env, name) {
        Some(index) => env[index] = variable,
        None => env.push(variable),
    }
}
