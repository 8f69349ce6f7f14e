//! The argument of `COALESCE`.

use serde_json::{Map, Value};

use crate::log_format::arguments::Command;
use crate::log_format::error::FormatError;

/// Finds an operator by its name, its argument and its limit.
type Find = fn(&str, &str, Option<usize>) -> Result<Command, FormatError>;

/// Reads `{"operators": [...]}`, whose items are names or objects with `command`, `param` and `max_length`.
///
/// # Errors
/// What has another form, and operators that are none.
pub(super) fn parse(text: &str, find: Find) -> Result<Vec<Command>, FormatError> {
    let error = |reason: &str| FormatError::new(text, reason);
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let reason = format!("the argument of COALESCE is JSON: {error}");
        FormatError::new(text, reason)
    })?;
    let Some(operators) = value.get("operators").and_then(Value::as_array) else {
        return Err(error("the argument of COALESCE has a list `operators`"));
    };
    if operators.is_empty() {
        return Err(error("`operators` has no item"));
    }
    let each = operators.iter().map(|entry| match entry {
        Value::String(name) => find(name, "", None),
        Value::Object(entry) => item_command(entry, find),
        _ => Err(error("an item of `operators` is a name or an object")),
    });
    each.collect()
}

fn item_command(entry: &Map<String, Value>, find: Find) -> Result<Command, FormatError> {
    let whole = || serde_json::to_string(entry).unwrap_or_default();
    let wrong = |reason| FormatError::new(whole(), reason);
    let Some(name) = entry.get("command").and_then(Value::as_str) else {
        return Err(wrong("an item of `operators` has a text `command`"));
    };
    let argument = match entry.get("param") {
        None => "",
        Some(Value::String(argument)) => argument,
        Some(_) => return Err(wrong("`param` is a text")),
    };
    let limit = match entry.get("max_length") {
        None => None,
        Some(limit) => match limit.as_u64() {
            Some(limit @ 1..) => Some(usize::try_from(limit).unwrap_or(usize::MAX)),
            _ => return Err(wrong("`max_length` is a positive number")),
        },
    };
    find(name, argument, limit)
}
