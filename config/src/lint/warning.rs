//! The warning of a lint about an object.

use crate::model::meta::Meta;
use crate::problem::{Problem, Severity};

/// A problem of an object: a warning, since Istio accepts it.
pub(super) fn warning(
    meta: &Meta,
    field: impl Into<String>,
    value: &str,
    what_happens: impl Into<String>,
    hint: impl Into<String>,
) -> Problem {
    Problem::new(
        Severity::Warning,
        meta.location.clone(),
        (what_happens, hint),
    )
    .of(meta.title())
    .at(field, value)
}
