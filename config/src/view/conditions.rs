//! Short forms of conditions.

use crate::model::condition::Condition;

/// The short form of all conditions of a rule, the path first.
pub(super) fn summary(conditions: &[Condition]) -> String {
    let mut parts: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    if !matches!(conditions.first(), Some(Condition::Path(_))) {
        parts.insert(0, "/*".to_owned());
    }
    parts.join(" ")
}

pub(super) fn joined<T: ToString>(list: &[T]) -> String {
    let list: Vec<_> = list.iter().map(ToString::to_string).collect();
    list.join(", ")
}
