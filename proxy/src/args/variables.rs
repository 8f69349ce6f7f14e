//! Environment variables and values that several commands read.

use std::time::Duration;

use egret_config::value;

/// The variable of `--ignore-authorization-policies`.
pub(in crate::args) const IGNORE_POLICIES: &str = "EGRET_IGNORE_AUTHORIZATION_POLICIES";

/// A variable that is true or false.
pub(in crate::args) fn boolean(name: &str, text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err(format!("{name}: {text:?} is neither true nor false\n")),
    }
}

/// A flag's duration.
pub(in crate::args) fn duration(text: &str) -> Result<Duration, String> {
    value::duration(text).ok_or_else(|| "not a duration such as 5s, 500ms or 1m30s".to_owned())
}
