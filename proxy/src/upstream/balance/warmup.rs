//! The growing share of a new endpoint (Envoy's slow start). Pure: the time is passed in.

use egret_config::model::policy::Warmup;
use tokio::time::Instant;

use crate::upstream::endpoints::Endpoint;

/// The shares of endpoints at a moment.
#[derive(Clone, Copy, Debug)]
pub enum Shares {
    /// Each has its whole one.
    Whole,
    /// Some are new.
    Growing(Warmup, Instant),
}

impl Shares {
    /// The share of an endpoint relative to the others.
    pub fn of(&self, endpoint: &Endpoint) -> u64 {
        let weight = u64::from(endpoint.weight);
        match self {
            Self::Whole => weight,
            Self::Growing(warmup, now) => {
                let percent = endpoint.since.get().map_or(100, |since| {
                    percent(warmup, now.saturating_duration_since(since).as_secs_f64())
                });
                weight * percent
            }
        }
    }
}

/// The current share of an endpoint of this age, at least 1.
fn percent(warmup: &Warmup, age: f64) -> u64 {
    let time = (age / warmup.duration.as_secs_f64()).clamp(0.0, 1.0);
    let grown = time.powf(warmup.aggression.recip()) * 100.0;
    (grown.max(warmup.percent_min).round() as u64).clamp(1, 100)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use egret_config::address::EndpointAddress;

    use super::*;

    #[test]
    fn a_share_grows_from_the_least_to_the_whole() {
        let warmup = |percent_min, aggression| Warmup {
            duration: Duration::from_secs(100),
            percent_min,
            aggression,
        };
        for (policy, age, expected) in [
            (warmup(10.0, 1.0), 0.0, 10),
            (warmup(10.0, 1.0), 9.0, 10),
            (warmup(10.0, 1.0), 30.0, 30),
            (warmup(10.0, 1.0), 100.0, 100),
            (warmup(10.0, 1.0), 1000.0, 100),
            (warmup(10.0, 2.0), 25.0, 50),
            (warmup(0.0, 1.0), 0.0, 1),
            (warmup(100.0, 1.0), 0.0, 100),
        ] {
            assert_eq!(percent(&policy, age), expected, "{policy:?} {age}");
        }
    }

    #[test]
    fn an_endpoint_that_was_always_there_has_its_whole_share() {
        let address = EndpointAddress::Ip(([10, 0, 0, 1], 80).into());
        let endpoint = Endpoint::new(address, 3, 0);
        let warmup = Warmup {
            duration: Duration::from_secs(10),
            percent_min: 10.0,
            aggression: 1.0,
        };
        let now = Instant::now();
        let shares = Shares::Growing(warmup, now);
        assert_eq!(
            (Shares::Whole.of(&endpoint), shares.of(&endpoint)),
            (3, 300)
        );
        endpoint.since.set(Some(now));
        assert_eq!((Shares::Whole.of(&endpoint), shares.of(&endpoint)), (3, 30));
    }
}
