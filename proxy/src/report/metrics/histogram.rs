//! Histograms: counters of buckets, and a sum.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Envoy's default bounds, which Istio's metrics have, too.
pub const BOUNDS_DEFAULT: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// The bounds of a histogram's buckets, and the unit in which values are counted.
#[derive(Debug)]
pub struct Buckets {
    /// The bounds as they are shown, growing.
    pub bounds: Box<[f64]>,
    /// Units of a counted value in one of a shown value.
    scale: f64,
    /// The bounds in units of counted values.
    counted: Box<[u64]>,
}

/// One histogram. One thread adds to it; others may read it at any time.
#[derive(Debug)]
pub struct Histogram {
    buckets: Arc<Buckets>,
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram holds at a moment, or several of them together.
#[derive(Clone, Debug)]
pub struct HistogramValue {
    /// The bounds.
    pub buckets: Arc<Buckets>,
    /// Values up to each bound and above the one before; the last count is that of values above all bounds.
    pub counts: Vec<u64>,
    /// The sum of all values, in counted units.
    sum: u64,
}

impl Buckets {
    /// Buckets with these bounds, for values that are counted in units of which `scale` make one. Bounds that are not
    /// finite, or not greater than the one before, are left out.
    pub fn new(bounds: &[f64], scale: f64) -> Arc<Self> {
        let mut growing: Vec<f64> = Vec::new();
        for bound in bounds.iter().copied().filter(|bound| bound.is_finite()) {
            if growing.last().is_none_or(|last| bound > *last) {
                growing.push(bound);
            }
        }
        Arc::new(Self {
            counted: growing.iter().map(|bound| (bound * scale) as u64).collect(),
            bounds: growing.into(),
            scale,
        })
    }
}

impl Histogram {
    /// An empty histogram.
    pub fn new(buckets: &Arc<Buckets>) -> Self {
        let counts = (0..=buckets.bounds.len()).map(|_| AtomicU64::new(0));
        Self {
            counts: counts.collect(),
            buckets: Arc::clone(buckets),
            sum: AtomicU64::new(0),
        }
    }

    /// Adds a value. Only one thread may do so.
    pub fn record(&self, value: u64) {
        let bucket = self.buckets.counted.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            add(count, 1);
        }
        add(&self.sum, value);
    }

    /// What it holds now.
    pub fn value(&self) -> HistogramValue {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HistogramValue {
            buckets: Arc::clone(&self.buckets),
            counts: self.counts.iter().map(load).collect(),
            sum: load(&self.sum),
        }
    }
}

impl HistogramValue {
    /// Adds what another one with the same bounds holds.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.wrapping_add(*more);
        }
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// How many values it holds.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all values, as they are shown.
    pub fn sum(&self) -> f64 {
        self.sum as f64 / self.buckets.scale
    }
}

/// Adds to a counter that one thread writes: without the cost of a counter that several write.
pub fn add(counter: &AtomicU64, more: u64) {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before.wrapping_add(more), Ordering::Relaxed);
}

/// Takes from a gauge that one thread writes.
pub fn subtract(gauge: &AtomicU64, less: u64) {
    let before = gauge.load(Ordering::Relaxed);
    gauge.store(before.wrapping_sub(less), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let buckets = Buckets::new(&[0.5, 1.0, 5.0], 1000.0);
        for (value, bucket) in [(0, 0), (500, 0), (501, 1), (1000, 1), (5000, 2), (5001, 3)] {
            let histogram = Histogram::new(&buckets);
            histogram.record(value);
            let mut expected = [0; 4];
            expected[bucket] = 1;
            assert_eq!(histogram.value().counts, expected, "{value}");
        }
    }

    #[test]
    fn sums_keep_fractions_and_merge() {
        let buckets = Buckets::new(&[1.0], 1000.0);
        let (one, other) = (Histogram::new(&buckets), Histogram::new(&buckets));
        one.record(1500);
        other.record(250);
        let mut value = one.value();
        value.merge(&other.value());
        assert_eq!((value.count(), value.sum()), (2, 1.75));
        assert_eq!(value.counts, [1, 1]);
    }

    #[test]
    fn bounds_grow() {
        let buckets = Buckets::new(&[1.0, 1.0, f64::NAN, 0.5, 2.0, f64::INFINITY], 1.0);
        assert_eq!(*buckets.bounds, [1.0, 2.0]);
    }
}
