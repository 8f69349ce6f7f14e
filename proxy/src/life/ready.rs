//! Named things that must finish before the process calls itself ready.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::lock::lock;

/// What readiness waits for. Clones share one state. With nothing to wait for, it is ready.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    missing: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Ready {
    /// A state that waits for nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds readiness back until the returned [`Pending`] is [`done`](Pending::done). Also used to become unready
    /// again, as while draining.
    pub fn wait_for(&self, what: &'static str) -> Pending {
        self.with(|missing| missing.insert(what));
        Pending {
            ready: self.clone(),
            what,
        }
    }

    /// What is still missing, in alphabetical order; empty when ready.
    pub fn missing(&self) -> Vec<&'static str> {
        self.with(|missing| missing.iter().copied().collect())
    }

    /// Whether nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.with(|missing| missing.is_empty())
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeSet<&'static str>) -> T) -> T {
        act(&mut lock(&self.missing))
    }
}

/// A thing that readiness waits for. Dropped without [`Pending::done`], as by an early return with an error, it stays
/// missing: what failed is not ready.
#[derive(Debug)]
#[must_use = "readiness waits until `done` is called"]
pub struct Pending {
    ready: Ready,
    what: &'static str,
}

impl Pending {
    /// The thing has finished.
    pub fn done(self) {
        self.ready.with(|missing| missing.remove(self.what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_all_are_done() {
        let ready = Ready::new();
        assert!(ready.is_ready());
        let listeners = ready.wait_for("listeners");
        let config = ready.wait_for("configuration");
        assert_eq!(ready.missing(), ["configuration", "listeners"]);
        listeners.done();
        assert!(!ready.is_ready());
        config.done();
        assert!(ready.is_ready());
    }

    #[test]
    fn what_failed_stays_missing() {
        let ready = Ready::new();
        drop(ready.wait_for("configuration"));
        assert_eq!(ready.missing(), ["configuration"]);
    }
}
