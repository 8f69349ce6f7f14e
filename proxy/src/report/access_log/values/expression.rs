//! Values of expressions.

use std::borrow::Cow;

use egret_config::expression::{self, Expression};

use crate::report::access_log::call::Call;
use crate::report::access_log::value::Value;
use crate::report::attributes::CallAttributes;
use crate::report::expression_text::{date, text, to_json};

/// The value of an expression for a call; missing where it has none.
pub(super) fn value<'c>(expression: &'c Expression, typed: bool, call: &Call<'c>) -> Value<'c> {
    let attributes = CallAttributes::of(call.facts, call.now);
    let Ok(value) = expression.evaluate(&attributes) else {
        return Value::Missing;
    };
    if typed && let Some(json) = json(&value) {
        return json;
    }
    match text(&value) {
        Some(text) => Value::Text(Cow::Owned(text.into_owned())),
        None => Value::Missing,
    }
}

/// A number, a boolean, a list or a date with its type in JSON; nothing for others.
fn json(value: &expression::Value<'_>) -> Option<Value<'static>> {
    use expression::Value as V;
    let json = match value {
        V::Null => return Some(Value::Missing),
        V::Bool(_) | V::Int(_) | V::Uint(_) | V::Double(_) | V::List(_) => {
            to_json(value).to_string()
        }
        V::Timestamp(nanos) => {
            return Some(Value::Text(Cow::Owned(date(*nanos, "Z").into_bytes())));
        }
        V::String(_) | V::Bytes(_) | V::Duration(_) => return None,
    };
    Some(Value::Json(json.into()))
}
