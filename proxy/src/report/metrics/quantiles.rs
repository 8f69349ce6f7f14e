//! Quantiles of histograms, as far as their buckets show them.

use crate::report::metrics::histogram::HistogramValue;

/// The quantiles that Envoy shows, in percent.
pub const PERCENT: [f64; 10] = [0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 100.0];

/// The value below which so many percent of all values are; `None` where there is none. Within a bucket values count as
/// spread evenly, and those above all bounds as the last bound.
pub fn quantile(histogram: &HistogramValue, percent: f64) -> Option<f64> {
    let total = histogram.count();
    if total == 0 {
        return None;
    }
    let wanted = percent / 100.0 * total as f64;
    let mut below = 0.0;
    let bounds = &histogram.buckets.bounds;
    for (place, count) in histogram.counts.iter().enumerate() {
        let count = *count as f64;
        if count > 0.0 && below + count >= wanted {
            let lower = place.checked_sub(1).map_or(0.0, |before| bounds[before]);
            let upper = bounds.get(place).copied().unwrap_or(lower);
            return Some(lower + (upper - lower) * (wanted - below) / count);
        }
        below += count;
    }
    bounds.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::metrics::histogram::{Buckets, Histogram};

    #[test]
    fn quantiles_lie_in_their_buckets() {
        let histogram = Histogram::new(&Buckets::new(&[1.0, 5.0, 10.0], 1.0));
        assert_eq!(quantile(&histogram.value(), 50.0), None);
        for value in [1, 4, 4, 4, 100] {
            histogram.record(value);
        }
        let of = |percent| quantile(&histogram.value(), percent).expect("values");
        assert_eq!((of(0.0), of(20.0)), (0.0, 1.0));
        assert!((1.0..5.0).contains(&of(50.0)), "{}", of(50.0));
        assert_eq!((of(80.0), of(100.0)), (5.0, 10.0));
    }
}
