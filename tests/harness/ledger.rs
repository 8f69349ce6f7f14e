//! An append-only list that one side writes and another waits on: log lines, requests seen, connections.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::DEADLINE;

/// A shared list of things that happened, in order. Clones are handles to the same list.
#[derive(Debug)]
pub struct Ledger<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    entries: Mutex<Vec<T>>,
    grown: Condvar,
}

impl<T> Clone for Ledger<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared {
                entries: Mutex::new(Vec::new()),
                grown: Condvar::new(),
            }),
        }
    }
}

impl<T: Clone> Ledger<T> {
    /// Appends one entry and wakes everyone who waits.
    pub fn push(&self, entry: T) {
        self.lock().push(entry);
        self.shared.grown.notify_all();
    }

    /// Everything that has happened so far.
    #[must_use]
    pub fn all(&self) -> Vec<T> {
        self.lock().clone()
    }

    /// The number of entries so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing has happened yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first entry, now or later, that `wanted` accepts.
    ///
    /// # Errors
    /// When none came within [`DEADLINE`].
    pub fn await_one(&self, wanted: impl Fn(&T) -> bool) -> anyhow::Result<T> {
        self.await_from(0, wanted)
    }

    /// Like [`Self::await_one`], but only entries from position `start` on count.
    ///
    /// # Errors
    /// When none came within [`DEADLINE`].
    pub fn await_from(&self, start: usize, wanted: impl Fn(&T) -> bool) -> anyhow::Result<T> {
        let end = Instant::now() + DEADLINE;
        let mut entries = self.lock();
        loop {
            if let Some(found) = entries.iter().skip(start).find(|entry| wanted(entry)) {
                return Ok(found.clone());
            }
            let left = end
                .checked_duration_since(Instant::now())
                .context("nothing that fits came in time")?;
            entries = self
                .shared
                .grown
                .wait_timeout(entries, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(entries, _)| entries);
        }
    }

    /// Waits until the list is longer than `known` or `limit` has passed, whichever is first.
    pub fn await_growth(&self, known: usize, limit: Duration) {
        let entries = self.lock();
        drop(
            self.shared
                .grown
                .wait_timeout_while(entries, limit, |entries| entries.len() <= known),
        );
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.shared
            .entries
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
