//! Expressions, what they are for one call, and what is no expression.

use std::borrow::Cow;

use super::*;

mod attributes;
mod errors;
mod hostile;
mod language;
mod time;

/// A call with few facts.
struct Call;

impl Attributes for Call {
    fn get(&self, attribute: &Attribute) -> Option<Value<'_>> {
        Some(match attribute {
            Attribute::RequestPath => Value::from("/status/500?a=b"),
            Attribute::RequestUrlPath => Value::from("/status/500"),
            Attribute::RequestMethod => Value::from("GET"),
            Attribute::RequestHost => Value::from("httpbin.org"),
            Attribute::RequestSize => Value::Int(12),
            Attribute::RequestDuration => Value::Duration(1_500_000_000),
            // 2024-02-29T23:59:58.75Z
            Attribute::RequestTime => Value::Timestamp(1_709_251_198_750_000_000),
            Attribute::RequestHeader(name) if name == "x-team" => Value::from("blue"),
            Attribute::RequestHeader(name) if name == "user-agent" => Value::from("curl/8"),
            Attribute::ResponseCode => Value::Int(500),
            Attribute::ResponseFlags => Value::Int(0x40),
            Attribute::ResponseHeader(name) if name == "x-answer" => Value::from("42"),
            Attribute::ConnectionMtls => Value::Bool(false),
            Attribute::ConnectionId => Value::Uint(7),
            Attribute::UpstreamRequestAttemptCount => Value::Uint(0),
            _ => return None,
        })
    }
}

/// A value as CEL writes it, or the error.
fn display(value: Result<Value<'_>, EvaluationError>) -> String {
    match value {
        Err(error) => format!("error: {error}"),
        Ok(value) => written(&value),
    }
}

fn written(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => format!("{number}u"),
        Value::Double(number) => format!("{number:?}"),
        Value::String(text) => format!("{text:?}"),
        Value::Bytes(bytes) => format!("b{bytes:?}"),
        Value::Duration(nanos) => format!("duration {nanos}"),
        Value::Timestamp(nanos) => format!("timestamp {nanos}"),
        Value::List(list) => {
            let elements: Vec<_> = list.iter().map(written).collect();
            format!("[{}]", elements.join(", "))
        }
    }
}

/// The value of a text for the call.
fn value(text: &str) -> String {
    match Expression::parse(text) {
        Err(error) => format!("parse error: {error}"),
        Ok(expression) => display(expression.evaluate(&Call)),
    }
}

#[track_caller]
fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(value(text), *expected, "{text}");
    }
}
