//! Environment variables that several commands read.

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
