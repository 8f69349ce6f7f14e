//! How long calls took, for percentiles.

use std::time::Duration;

/// Buckets of an octave: a bucket's bounds are 19 % apart, so that its middle is within 9.1 % of what is in it.
const PER_OCTAVE: f64 = 4.0;

/// Nanoseconds below which all calls are in the first bucket: about 4 microseconds.
const FLOOR: f64 = 4096.0;

/// The last bucket begins at about 4 minutes and has all that is longer.
const LAST: u8 = 103;

/// Counts by buckets on a logarithmic scale. Only buckets with calls take memory.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    /// Buckets by number, with their counts.
    buckets: Vec<(u8, u32)>,
    shortest: Duration,
    longest: Duration,
}

impl Latencies {
    /// Counts a call.
    pub fn record(&mut self, duration: Duration) {
        let is_first = self.buckets.is_empty();
        let bucket = bucket(duration);
        match self
            .buckets
            .binary_search_by_key(&bucket, |(known, _)| *known)
        {
            Ok(found) => {
                let count = &mut self.buckets[found].1;
                *count = count.saturating_add(1);
            }
            Err(place) => self.buckets.insert(place, (bucket, 1)),
        }
        self.shortest = match is_first {
            true => duration,
            false => self.shortest.min(duration),
        };
        self.longest = self.longest.max(duration);
    }

    /// Adds those of another worker.
    pub fn add(&mut self, other: &Self) {
        if other.buckets.is_empty() {
            return;
        }
        if self.buckets.is_empty() {
            self.clone_from(other);
            return;
        }
        for (bucket, more) in &other.buckets {
            match self
                .buckets
                .binary_search_by_key(bucket, |(known, _)| *known)
            {
                Ok(found) => {
                    let count = &mut self.buckets[found].1;
                    *count = count.saturating_add(*more);
                }
                Err(place) => self.buckets.insert(place, (*bucket, *more)),
            }
        }
        self.shortest = self.shortest.min(other.shortest);
        self.longest = self.longest.max(other.longest);
    }

    /// The duration that this share of the calls, from 0 to 1, did not exceed; within 10 %. `None` without calls.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let all: u64 = self
            .buckets
            .iter()
            .map(|(_, count)| u64::from(*count))
            .sum();
        let rank = ((all as f64 * share).ceil() as u64).max(1);
        let mut sum = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            sum += u64::from(*count);
            sum >= rank
        });
        let (bucket, _) = found?;
        Some(middle(*bucket).clamp(self.shortest, self.longest))
    }
}

fn bucket(duration: Duration) -> u8 {
    let nanos = duration.as_nanos() as f64;
    if nanos <= FLOOR {
        return 0;
    }
    // A cast of a float saturates.
    (((nanos / FLOOR).log2() * PER_OCTAVE) as u8).min(LAST)
}

/// The geometric mean of a bucket's bounds.
fn middle(bucket: u8) -> Duration {
    let octaves = (f64::from(bucket) + 0.5) / PER_OCTAVE;
    Duration::from_nanos((FLOOR * octaves.exp2()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        for millis in millis {
            latencies.record(Duration::from_millis(millis));
        }
        latencies
    }

    fn is_near(estimate: Option<Duration>, millis: f64) -> bool {
        let estimate = estimate.expect("calls").as_secs_f64() * 1000.0;
        (estimate / millis - 1.0).abs() < 0.1
    }

    #[test]
    fn percentiles_are_within_a_tenth() {
        for millis in [1, 2, 3, 7, 10, 42, 99, 250, 999, 5_000, 60_000, 240_000] {
            let same = of([millis; 20]);
            assert!(is_near(same.quantile(0.5), millis as f64), "{millis}");
            let mixed = of(std::iter::repeat_n(millis, 98).chain([1, 400_000]));
            assert!(is_near(mixed.quantile(0.5), millis as f64), "{millis}");
        }
        let all = of(1..=1000);
        assert!(is_near(all.quantile(0.5), 500.0), "{all:?}");
        assert!(is_near(all.quantile(0.99), 990.0), "{all:?}");
        let mut micros = Latencies::default();
        for _ in 0..3 {
            micros.record(Duration::from_micros(70));
        }
        assert!(is_near(micros.quantile(0.99), 0.07));
    }

    #[test]
    fn no_estimate_is_outside_of_what_was_measured() {
        assert_eq!(Latencies::default().quantile(0.5), None);
        for duration in [
            Duration::ZERO,
            Duration::from_nanos(5),
            Duration::from_millis(100),
            Duration::from_secs(3_600),
            Duration::MAX,
        ] {
            let mut one = Latencies::default();
            one.record(duration);
            assert_eq!(one.quantile(0.5), Some(duration));
        }
    }

    #[test]
    fn workers_add_up() {
        let mut sum = Latencies::default();
        sum.add(&of([10; 50]));
        sum.add(&Latencies::default());
        sum.add(&of([1000; 50]));
        assert!(is_near(sum.quantile(0.5), 10.0) && is_near(sum.quantile(0.51), 1000.0));
    }
}
