//! The value of a tree for one call, by the rules of CEL.

use std::cmp::Ordering;

use crate::expression::arithmetic::{arithmetic, negated};
use crate::expression::attribute::Attributes;
use crate::expression::error::EvaluationError;
use crate::expression::functions::{texts, unary};
use crate::expression::node::{Comparison, Node};
use crate::expression::value::{NoOrder, Value};

/// What an evaluation gives.
type Evaluated<'v> = Result<Value<'v>, EvaluationError>;

/// Evaluates a tree. It is no deeper than the parser lets it be.
pub(super) fn evaluate<'v>(node: &'v Node, facts: &'v impl Attributes) -> Evaluated<'v> {
    match node {
        Node::Literal(value) => Ok(value.borrowed()),
        Node::Attribute(attribute) => facts.get(attribute).ok_or(EvaluationError::Absent),
        Node::Unknown => Err(EvaluationError::Absent),
        Node::Has(attribute) => Ok(Value::Bool(facts.get(attribute).is_some())),
        Node::Not(one) => match evaluate(one, facts)? {
            Value::Bool(value) => Ok(Value::Bool(!value)),
            _ => Err(EvaluationError::Types),
        },
        Node::Negate(one) => negated(&evaluate(one, facts)?),
        Node::All(parts) => joined(parts, facts, false),
        Node::Any(parts) => joined(parts, facts, true),
        Node::Compare(comparison, both) => {
            let left = evaluate(&both[0], facts)?;
            let right = evaluate(&both[1], facts)?;
            compared(*comparison, &left, &right).map(Value::Bool)
        }
        Node::Arithmetic(operator, both) => {
            let left = evaluate(&both[0], facts)?;
            arithmetic(*operator, left, evaluate(&both[1], facts)?)
        }
        Node::In(both) => contained(&both[0], &both[1], facts).map(Value::Bool),
        Node::Conditional(parts) => match evaluate(&parts[0], facts)? {
            Value::Bool(true) => evaluate(&parts[1], facts),
            Value::Bool(false) => evaluate(&parts[2], facts),
            _ => Err(EvaluationError::Types),
        },
        Node::List(elements) => {
            let values = elements.iter().map(|element| evaluate(element, facts));
            values.collect::<Result<_, _>>().map(Value::List)
        }
        Node::Index(both) => indexed(evaluate(&both[0], facts)?, &evaluate(&both[1], facts)?),
        Node::Matches(one, regex) => match evaluate(one, facts)? {
            Value::String(text) => Ok(Value::Bool(regex.is_match(text.as_bytes()))),
            _ => Err(EvaluationError::Types),
        },
        Node::Unary(function, one) => unary(*function, evaluate(one, facts)?),
        Node::Texts(function, both) => {
            let left = evaluate(&both[0], facts)?;
            texts(*function, &left, &evaluate(&both[1], facts)?).map(Value::Bool)
        }
    }
}

/// Parts joined by `&&` (decided by false) or `||` (decided by true). A part that decides outweighs errors of others.
fn joined<'v>(parts: &'v [Node], facts: &'v impl Attributes, decisive: bool) -> Evaluated<'v> {
    let mut error = None;
    for part in parts {
        match evaluate(part, facts) {
            Ok(Value::Bool(value)) if value == decisive => return Ok(Value::Bool(decisive)),
            Ok(Value::Bool(_)) => {}
            Ok(_) => error = error.or(Some(EvaluationError::Types)),
            Err(failure) => error = error.or(Some(failure)),
        }
    }
    error.map_or(Ok(Value::Bool(!decisive)), Err)
}

fn compared(
    comparison: Comparison,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Result<bool, EvaluationError> {
    let order = || left.order(right).map_err(|NoOrder| EvaluationError::Types);
    Ok(match comparison {
        Comparison::Equal => left == right,
        Comparison::Unequal => left != right,
        Comparison::Less => order()? == Some(Ordering::Less),
        Comparison::LessOrEqual => order()?.is_some_and(Ordering::is_le),
        Comparison::Greater => order()? == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order()?.is_some_and(Ordering::is_ge),
    })
}

/// Whether a list has a value. Elements that are written out need no list of their own.
fn contained(needle: &Node, list: &Node, facts: &impl Attributes) -> Result<bool, EvaluationError> {
    let needle = evaluate(needle, facts)?;
    let Node::List(elements) = list else {
        return match evaluate(list, facts)? {
            Value::List(values) => Ok(values.contains(&needle)),
            _ => Err(EvaluationError::Types),
        };
    };
    let mut contained = false;
    for element in elements {
        contained |= evaluate(element, facts)? == needle;
    }
    Ok(contained)
}

fn indexed<'v>(list: Value<'v>, index: &Value<'_>) -> Evaluated<'v> {
    let Value::List(mut list) = list else {
        return Err(EvaluationError::Types);
    };
    let index = match index {
        Value::Int(index) => usize::try_from(*index).ok(),
        Value::Uint(index) => usize::try_from(*index).ok(),
        Value::Double(index) if index.fract() == 0.0 => {
            // At most as large as a list, so that the cast is exact.
            (0.0..1e9).contains(index).then_some(*index as usize)
        }
        _ => return Err(EvaluationError::Types),
    };
    match index.filter(|index| *index < list.len()) {
        Some(index) => Ok(list.swap_remove(index)),
        None => Err(EvaluationError::Range),
    }
}
