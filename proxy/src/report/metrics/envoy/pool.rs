//! Connections to upstreams that wait for the next request.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::report::metrics::histogram::{add, subtract};

/// What one worker counts of its pools.
#[derive(Debug, Default)]
pub struct PoolCounters {
    /// Connections that carry no request.
    idle: AtomicU64,
}

/// Whether a connection carries no request, as it is counted. Nothing is counted before it is known where.
#[derive(Debug, Default)]
pub struct Idle {
    counters: OnceCell<Arc<PoolCounters>>,
    is_idle: Cell<bool>,
}

impl PoolCounters {
    /// Connections that carry no request now.
    pub fn idle(&self) -> u64 {
        self.idle.load(Ordering::Relaxed)
    }
}

impl Idle {
    /// Counts in these counters from now on.
    pub fn count_in(&self, counters: &Arc<PoolCounters>) {
        let counters = self.counters.get_or_init(|| Arc::clone(counters));
        if self.is_idle.get() {
            add(&counters.idle, 1);
        }
    }

    /// The connection carries a request, or carries none.
    pub fn set(&self, is_idle: bool) {
        if self.is_idle.replace(is_idle) == is_idle {
            return;
        }
        let Some(counters) = self.counters.get() else {
            return;
        };
        match is_idle {
            true => add(&counters.idle, 1),
            false => subtract(&counters.idle, 1),
        }
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_counted_while_it_idles() {
        let counters = Arc::<PoolCounters>::default();
        let one = Idle::default();
        one.set(true);
        one.count_in(&counters);
        assert_eq!(counters.idle(), 1);
        one.set(true);
        assert_eq!(counters.idle(), 1);
        one.set(false);
        assert_eq!(counters.idle(), 0);
        one.set(true);
        drop(one);
        assert_eq!(counters.idle(), 0);
    }
}
