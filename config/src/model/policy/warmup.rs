//! `warmup` of a load balancer.

use std::time::Duration;

use crate::model::read;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::destination_rule as wire;

/// `warmup`: how the share of an endpoint grows after it came. For ROUND_ROBIN and LEAST_REQUEST.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup {
    /// `duration` until it has its full share.
    pub duration: Duration,
    /// `minimumPercent` of its share, which it has from the beginning; default 10.
    pub percent_min: f64,
    /// `aggression`: 1 grows evenly, more grows faster in the beginning; default 1.
    pub aggression: f64,
}

/// Reads `warmup`, else its old form, `warmupDurationSecs`.
pub(crate) fn parse(
    wire: &wire::LoadBalancer,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Warmup> {
    let usual = |duration| Warmup {
        duration,
        percent_min: 10.0,
        aggression: 1.0,
    };
    let old = wire.warmup_duration_secs.as_ref();
    let old = read::positive_duration(diagnostics, "warmupDurationSecs", old).map(usual);
    let read = match &wire.warmup {
        None => old,
        Some(warmup) => diagnostics.within("warmup", |diagnostics| {
            if warmup.duration.is_none() {
                diagnostics.error("duration", NO_VALUE, "required");
            }
            let mut read =
                read::positive_duration(diagnostics, "duration", warmup.duration.as_ref())
                    .map(usual)?;
            if let Some(percent) = warmup.minimum_percent {
                if !(0.0..=100.0).contains(&percent) {
                    diagnostics.error("minimumPercent", percent, "expected 100 at most");
                }
                read.percent_min = percent;
            }
            if let Some(aggression) = warmup.aggression {
                if aggression.is_nan() || aggression < 1.0 {
                    diagnostics.error("aggression", aggression, "expected 1 at least");
                }
                read.aggression = aggression;
            }
            Some(read)
        }),
    };
    let simple = wire.simple.as_deref().unwrap_or_default();
    let idle = wire.consistent_hash.is_some() || matches!(simple, "RANDOM" | "PASSTHROUGH");
    if read.is_some() && idle {
        let message = (
            "has an effect with ROUND_ROBIN and LEAST_REQUEST only",
            "leave it out",
        );
        diagnostics.warn("warmup", NO_VALUE, message);
    }
    read
}
