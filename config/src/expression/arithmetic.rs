//! `+ - * / %` and `-`: numbers that overflow are errors, and so are mixed types.

use crate::expression::error::EvaluationError;
use crate::expression::node::Operator;
use crate::expression::time;
use crate::expression::value::Value;

/// What a calculation gives.
type Calculated<'v> = Result<Value<'v>, EvaluationError>;

/// The value of an operator between two values.
pub(super) fn arithmetic<'v>(
    operator: Operator,
    left: Value<'v>,
    right: Value<'v>,
) -> Calculated<'v> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => int(operator, left, right).map(Value::Int),
        (Value::Uint(left), Value::Uint(right)) => uint(operator, left, right).map(Value::Uint),
        (Value::Double(left), Value::Double(right)) => double(operator, left, right),
        (left, right) => match operator {
            Operator::Add => added(left, right),
            Operator::Subtract => subtracted(&left, &right),
            Operator::Multiply | Operator::Divide | Operator::Remainder => {
                Err(EvaluationError::Types)
            }
        },
    }
}

/// The value of `-`.
pub(super) fn negated<'v>(value: &Value<'_>) -> Calculated<'v> {
    match value {
        Value::Int(number) => number
            .checked_neg()
            .map(Value::Int)
            .ok_or(EvaluationError::Overflow),
        Value::Double(number) => Ok(Value::Double(-number)),
        _ => Err(EvaluationError::Types),
    }
}

fn int(operator: Operator, left: i64, right: i64) -> Result<i64, EvaluationError> {
    let value = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide | Operator::Remainder if right == 0 => {
            return Err(EvaluationError::Division);
        }
        Operator::Divide => left.checked_div(right),
        Operator::Remainder => left.checked_rem(right),
    };
    value.ok_or(EvaluationError::Overflow)
}

fn uint(operator: Operator, left: u64, right: u64) -> Result<u64, EvaluationError> {
    let value = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide | Operator::Remainder if right == 0 => {
            return Err(EvaluationError::Division);
        }
        Operator::Divide => left.checked_div(right),
        Operator::Remainder => left.checked_rem(right),
    };
    value.ok_or(EvaluationError::Overflow)
}

fn double<'v>(operator: Operator, left: f64, right: f64) -> Calculated<'v> {
    Ok(Value::Double(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Remainder => return Err(EvaluationError::Types),
    }))
}

fn added<'v>(left: Value<'v>, right: Value<'v>) -> Calculated<'v> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => {
            let mut text = left.into_owned();
            text.push_str(&right);
            Ok(Value::from(text))
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            let mut bytes = left.into_owned();
            bytes.extend_from_slice(&right);
            Ok(Value::Bytes(bytes.into()))
        }
        (Value::List(mut left), Value::List(right)) => {
            left.extend(right);
            Ok(Value::List(left))
        }
        (Value::Timestamp(time), Value::Duration(length))
        | (Value::Duration(length), Value::Timestamp(time)) => {
            time::timestamp(time.checked_add(length))
        }
        (Value::Duration(left), Value::Duration(right)) => time::duration(left.checked_add(right)),
        _ => Err(EvaluationError::Types),
    }
}

fn subtracted<'v>(left: &Value<'_>, right: &Value<'_>) -> Calculated<'v> {
    match (left, right) {
        (Value::Timestamp(left), Value::Timestamp(right)) => {
            time::duration(left.checked_sub(*right))
        }
        (Value::Timestamp(time), Value::Duration(length)) => {
            time::timestamp(time.checked_sub(*length))
        }
        (Value::Duration(left), Value::Duration(right)) => time::duration(left.checked_sub(*right)),
        _ => Err(EvaluationError::Types),
    }
}
