//! Functions: sizes, conversions, and tests of texts.

use std::borrow::Cow;

use crate::expression::error::EvaluationError;
use crate::expression::node::{Texts, Unary};
use crate::expression::time;
use crate::expression::value::Value;

/// What a function gives.
type Returned<'v> = Result<Value<'v>, EvaluationError>;

/// A function of one value.
pub(super) fn unary(function: Unary, value: Value<'_>) -> Returned<'_> {
    match function {
        Unary::Dyn => Ok(value),
        Unary::Size => size(&value),
        Unary::Bool => bool(&value),
        Unary::Int => int(&value),
        Unary::Uint => uint(&value),
        Unary::Double => double(&value),
        Unary::String => string(value),
        Unary::Bytes => match value {
            Value::String(Cow::Borrowed(text)) => Ok(Value::Bytes(text.as_bytes().into())),
            Value::String(Cow::Owned(text)) => Ok(Value::Bytes(text.into_bytes().into())),
            Value::Bytes(_) => Ok(value),
            _ => Err(EvaluationError::Types),
        },
        Unary::Duration => match value {
            Value::String(text) => time::parse_duration(&text),
            Value::Duration(_) => Ok(value),
            _ => Err(EvaluationError::Types),
        },
        Unary::Timestamp => match value {
            Value::String(text) => time::parse_timestamp(&text),
            Value::Int(seconds) => time::timestamp(i128::from(seconds).checked_mul(1_000_000_000)),
            Value::Timestamp(_) => Ok(value),
            _ => Err(EvaluationError::Types),
        },
        Unary::FullYear
        | Unary::Month
        | Unary::Date
        | Unary::DayOfMonth
        | Unary::DayOfWeek
        | Unary::DayOfYear
        | Unary::Hours
        | Unary::Minutes
        | Unary::Seconds
        | Unary::Milliseconds => time::part(function, &value),
    }
}

/// A function of two texts.
pub(super) fn texts(
    function: Texts,
    text: &Value<'_>,
    other: &Value<'_>,
) -> Result<bool, EvaluationError> {
    let (Value::String(text), Value::String(other)) = (text, other) else {
        return Err(EvaluationError::Types);
    };
    let other = &**other;
    Ok(match function {
        Texts::StartsWith => text.starts_with(other),
        Texts::EndsWith => text.ends_with(other),
        Texts::Contains => text.contains(other),
    })
}

/// Characters of a text, bytes, or elements.
fn size<'v>(value: &Value<'_>) -> Returned<'v> {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        _ => return Err(EvaluationError::Types),
    };
    let size = i64::try_from(size).map_err(|_| EvaluationError::Overflow)?;
    Ok(Value::Int(size))
}

fn bool<'v>(value: &Value<'_>) -> Returned<'v> {
    match value {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::String(text) => match &**text {
            "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
            _ => Err(EvaluationError::Range),
        },
        _ => Err(EvaluationError::Types),
    }
}

fn int<'v>(value: &Value<'_>) -> Returned<'v> {
    let number = match value {
        Value::Int(number) => *number,
        Value::Uint(number) => i64::try_from(*number).map_err(|_| EvaluationError::Overflow)?,
        // 2^63 is the first that does not fit, and a double.
        Value::Double(number) if number.abs() < 9_223_372_036_854_775_808.0 => *number as i64,
        Value::Double(_) => return Err(EvaluationError::Overflow),
        Value::String(text) => text.parse().map_err(|_| EvaluationError::Range)?,
        Value::Timestamp(nanos) => {
            i64::try_from(nanos.div_euclid(1_000_000_000)).map_err(|_| EvaluationError::Overflow)?
        }
        _ => return Err(EvaluationError::Types),
    };
    Ok(Value::Int(number))
}

fn uint<'v>(value: &Value<'_>) -> Returned<'v> {
    let number = match value {
        Value::Uint(number) => *number,
        Value::Int(number) => u64::try_from(*number).map_err(|_| EvaluationError::Overflow)?,
        Value::Double(number) if *number > -1.0 && *number < 18_446_744_073_709_551_616.0 => {
            *number as u64
        }
        Value::Double(_) => return Err(EvaluationError::Overflow),
        Value::String(text) => text.parse().map_err(|_| EvaluationError::Range)?,
        _ => return Err(EvaluationError::Types),
    };
    Ok(Value::Uint(number))
}

fn double<'v>(value: &Value<'_>) -> Returned<'v> {
    let number = match value {
        Value::Double(number) => *number,
        Value::Int(number) => *number as f64,
        Value::Uint(number) => *number as f64,
        Value::String(text) => text.parse().map_err(|_| EvaluationError::Range)?,
        _ => return Err(EvaluationError::Types),
    };
    Ok(Value::Double(number))
}

fn string(value: Value<'_>) -> Returned<'_> {
    Ok(Value::from(match value {
        Value::String(_) => return Ok(value),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => double_text(number),
        Value::Bytes(bytes) => {
            String::from_utf8(bytes.into_owned()).map_err(|_| EvaluationError::Range)?
        }
        Value::Duration(nanos) => time::duration_text(nanos),
        Value::Timestamp(nanos) => time::timestamp_text(nanos)?,
        Value::Null | Value::List(_) => return Err(EvaluationError::Types),
    }))
}

/// With an exponent where the number would be long without.
fn double_text(number: f64) -> String {
    let size = number.abs();
    let long = size.is_finite() && size != 0.0 && !(1e-5..1e21).contains(&size);
    match long {
        true => format!("{number:e}"),
        false => number.to_string(),
    }
}
