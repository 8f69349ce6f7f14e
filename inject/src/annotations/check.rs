//! What values of annotations must look like, by Istio's rules. The errors are lower-case phrases.

use egret_config::cidr::CidrSet;
use serde_json::{Map, Value};

use crate::json;

/// `*`, or address ranges with commas between them; empty means none.
///
/// # Errors
/// What is expected.
pub fn ranges(text: &str) -> Result<(), String> {
    match text {
        "*" => Ok(()),
        text => excluded_ranges(text),
    }
}

/// Address ranges with commas between them; empty means none.
///
/// # Errors
/// What is expected.
pub fn excluded_ranges(text: &str) -> Result<(), String> {
    const EXPECTED: &str = "expected address ranges such as 10.0.0.0/8 with commas between them";
    let wrong = |reason: &str| format!("{reason}: {EXPECTED}");
    if text.is_empty() {
        return Ok(());
    }
    if text == "*" {
        return Err(wrong("`*` excludes everything"));
    }
    if text.split(',').any(str::is_empty) {
        return Err(wrong("an element is empty"));
    }
    match CidrSet::parse(text) {
        Ok(_) => Ok(()),
        Err(errors) => {
            let first = errors.first().map(ToString::to_string);
            Err(wrong(&first.unwrap_or_default()))
        }
    }
}

/// `*`, or ports with commas between them; empty means none.
///
/// # Errors
/// What is expected.
pub fn all_or_ports(text: &str) -> Result<(), String> {
    match text {
        "*" => Ok(()),
        text => ports(text),
    }
}

/// Ports with commas between them; empty means none.
///
/// # Errors
/// What is expected.
pub fn ports(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Ok(());
    }
    for element in text.split(',') {
        if element.trim().parse::<u16>().is_err() {
            let expected = "expected port numbers with commas between them";
            return Err(format!("`{}` is no port: {expected}", element.trim()));
        }
    }
    Ok(())
}

/// A port; 0 is one, too.
///
/// # Errors
/// What is expected.
pub fn port(text: &str) -> Result<u16, String> {
    let port = text.trim().parse();
    port.map_err(|_| "expected a port number, or 0 for none".to_owned())
}

/// A whole number.
///
/// # Errors
/// What is expected.
pub fn number(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| "expected a whole number".to_owned())
}

/// A boolean, as Go's `strconv.ParseBool` reads it.
///
/// # Errors
/// What is expected.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// A quantity of Kubernetes: a decimal number with a suffix such as `m`, `Mi` or `e3`.
///
/// # Errors
/// What is expected.
pub fn quantity(text: &str) -> Result<String, String> {
    const SUFFIXES: [&str; 16] = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let is_number = number.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && number.parse::<f64>().is_ok();
    let exponent = suffix.strip_prefix(['e', 'E']);
    let is_exponent = exponent.is_some_and(|exponent| exponent.parse::<i16>().is_ok());
    if is_number && (SUFFIXES.contains(&suffix) || is_exponent) {
        return Ok(text.to_owned());
    }
    Err("expected a quantity such as 100m, 2 or 128Mi".to_owned())
}

/// A JSON object of objects.
///
/// # Errors
/// What is expected.
pub fn objects(text: &str) -> Result<Map<String, Value>, String> {
    const EXPECTED: &str = "expected JSON such as {\"name\":{...}}";
    match json::value(text) {
        Ok(Value::Object(objects)) if objects.values().all(Value::is_object) => Ok(objects),
        Ok(_) => Err(EXPECTED.to_owned()),
        Err(error) => Err(format!("{error}: {EXPECTED}")),
    }
}
