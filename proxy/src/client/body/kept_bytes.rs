//! How much of requests' bodies the process keeps at a time, so that they can be sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::report::metrics::limits::{Limit, LimitHits};

/// Room for kept bodies, shared by all workers.
#[derive(Clone, Debug)]
pub struct KeptBytes(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    free: AtomicUsize,
    hits: Arc<LimitHits>,
}

/// The room that one body takes. Given back when dropped.
#[derive(Debug)]
pub struct KeptRoom {
    budget: KeptBytes,
    taken: usize,
}

impl KeptBytes {
    /// Room for `max` bytes. A body that finds none is counted in `hits`.
    pub fn new(max: usize, hits: Arc<LimitHits>) -> Self {
        Self(Arc::new(Budget {
            free: AtomicUsize::new(max),
            hits,
        }))
    }

    /// The room of a body of which nothing is kept yet.
    pub fn room(&self) -> KeptRoom {
        KeptRoom {
            budget: self.clone(),
            taken: 0,
        }
    }
}

impl KeptRoom {
    /// How many bytes it has.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Room for `count` more bytes; `false` when there is none.
    pub fn grow(&mut self, count: usize) -> bool {
        let Budget { free, hits } = &*self.budget.0;
        let taken = free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
            free.checked_sub(count)
        });
        if taken.is_err() {
            hits.count(Limit::KeptBodies);
            return false;
        }
        self.taken += count;
        true
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self) {
        let Budget { free, .. } = &*self.budget.0;
        free.fetch_add(self.taken, Ordering::Relaxed);
        self.taken = 0;
    }
}

impl Drop for KeptRoom {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_shared_and_comes_back() {
        let kept = KeptBytes::new(10, Arc::default());
        let (mut one, mut other) = (kept.room(), kept.room());
        assert!(one.grow(6) && other.grow(4));
        assert!(!other.grow(1), "all is taken");
        assert_eq!((one.taken(), other.taken()), (6, 4));
        other.clear();
        assert!(one.grow(4) && !other.grow(1));
        drop(one);
        assert!(other.grow(10));
        assert_eq!(kept.0.hits.hits(Limit::KeptBodies), 2);
    }
}
