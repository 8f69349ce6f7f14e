//! Weights of destinations, of rules of every protocol.

use crate::problem::{Diagnostics, NO_VALUE};

/// Several destinations need a sum above 0; a single one is taken whatever its weight.
pub(in crate::model) fn check(
    diagnostics: &mut Diagnostics<'_>,
    weights: impl ExactSizeIterator<Item = i32>,
) {
    if weights.len() > 1 && weights.map(i64::from).sum::<i64>() == 0 {
        diagnostics.error(
            "route",
            NO_VALUE,
            "the weights of several destinations must not all be 0",
        );
    }
}

/// One weight.
pub(in crate::model) fn weight(diagnostics: &mut Diagnostics<'_>, weight: i32) -> Option<u32> {
    let positive = u32::try_from(weight).ok();
    if positive.is_none() {
        diagnostics.error("weight", weight, "must not be negative");
    }
    positive
}
