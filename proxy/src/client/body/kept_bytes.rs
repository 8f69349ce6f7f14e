//! The memory for copies of request bodies, so that they can be sent again.

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

/// The room of one body. Given back when dropped.
#[derive(Debug)]
pub struct KeptRoom {
    budget: KeptBytes,
    used: usize,
}

impl KeptBytes {
    /// Room for `max` bytes. A body that does not fit is counted in `hits`.
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
            used: 0,
        }
    }
}

impl KeptRoom {
    /// How many bytes it has.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Claims `count` more bytes; `false` when there is no room.
    pub fn grow(&mut self, count: usize) -> bool {
        let Budget { free, hits } = &*self.budget.0;
        let claimed = free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
            free.checked_sub(count)
        });
        if claimed.is_err() {
            hits.count(Limit::KeptBodies);
            return false;
        }
        self.used += count;
        true
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self) {
        let Budget { free, .. } = &*self.budget.0;
        free.fetch_add(self.used, Ordering::Relaxed);
        self.used = 0;
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
        assert!(!other.grow(1), "no room is left");
        assert_eq!((one.used(), other.used()), (6, 4));
        other.clear();
        assert!(one.grow(4) && !other.grow(1));
        drop(one);
        assert!(other.grow(10));
        assert_eq!(kept.0.hits.hits(Limit::KeptBodies), 2);
    }
}
