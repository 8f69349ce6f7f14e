//! `retryBudget` of a traffic policy.

use crate::problem::Diagnostics;
use crate::wire::destination_rule as wire;

/// `retryBudget`: retries at once, as a share of the requests under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// `percent`, 0 to 100; default 20.
    pub percent: f64,
    /// `minRetryConcurrency`: so many are always allowed; default 3.
    pub retries_min: u32,
}

/// Reads `retryBudget`.
pub(crate) fn parse(
    wire: Option<&wire::RetryBudget>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<RetryBudget> {
    let wire = wire?;
    let percent = wire.percent.unwrap_or(20.0);
    if !(0.0..=100.0).contains(&percent) {
        diagnostics.error(
            "retryBudget.percent",
            percent,
            "expected a percentage from 0 to 100",
        );
    }
    Some(RetryBudget {
        percent,
        retries_min: match wire.min_retry_concurrency {
            0 => 3,
            min => min,
        },
    })
}
