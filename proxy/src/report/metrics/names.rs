//! Values that strangers choose, bounded in number: the first ones are kept, later ones are `other`.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::lock::lock;

/// How many values of strangers are kept.
pub const STRANGERS_MAX: usize = 256;

/// What later ones are called.
pub const OTHER: &str = "other";

/// The values of one label that the process has. Each has one shared text, so that texts can be compared by address.
#[derive(Debug)]
pub struct BoundedNames {
    kept: Mutex<Kept>,
    /// No further stranger is kept.
    full: AtomicBool,
    other: Arc<str>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Kept {
    names: HashSet<Arc<str>>,
    strangers: usize,
}

/// The values that one worker knows of: it asks the process once for each, and once for all when no more are kept.
#[derive(Debug, Default)]
pub struct NameCache {
    names: HashMap<Arc<str>, Arc<str>>,
    complete: bool,
}

impl BoundedNames {
    /// No values yet. Each value that becomes `other` is added to `dropped`.
    pub fn new(dropped: Arc<AtomicU64>) -> Self {
        Self {
            kept: Mutex::default(),
            full: AtomicBool::new(false),
            other: OTHER.into(),
            dropped,
        }
    }

    /// The shared text of a value, or that of `other`. `is_known` says whether the configuration has the value, and then
    /// it is always kept.
    pub fn shared(
        &self,
        value: &str,
        cache: &mut NameCache,
        is_known: impl FnOnce() -> bool,
    ) -> Arc<str> {
        if let Some(shared) = cache.names.get(value) {
            return Arc::clone(shared);
        }
        let known = is_known();
        if !known && self.full.load(Ordering::Acquire) && cache.complete {
            return self.drop_value();
        }
        match self.keep(value, known, cache) {
            Some(shared) => {
                cache.names.insert(Arc::clone(&shared), Arc::clone(&shared));
                shared
            }
            None => self.drop_value(),
        }
    }

    fn keep(&self, value: &str, known: bool, cache: &mut NameCache) -> Option<Arc<str>> {
        let mut kept = lock(&self.kept);
        if let Some(shared) = kept.names.get(value) {
            return Some(Arc::clone(shared));
        }
        if !known {
            if kept.strangers >= STRANGERS_MAX {
                cache.complete(&kept.names);
                return None;
            }
            kept.strangers += 1;
            let full = kept.strangers >= STRANGERS_MAX;
            self.full.store(full, Ordering::Release);
        }
        let shared: Arc<str> = value.into();
        kept.names.insert(Arc::clone(&shared));
        Some(shared)
    }

    fn drop_value(&self) -> Arc<str> {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.other)
    }
}

impl NameCache {
    #[allow(clippy::iter_over_hash_type, reason = "all are copied")]
    fn complete(&mut self, names: &HashSet<Arc<str>>) {
        for name in names {
            self.names.insert(Arc::clone(name), Arc::clone(name));
        }
        self.complete = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> (BoundedNames, Arc<AtomicU64>) {
        let dropped = Arc::<AtomicU64>::default();
        (BoundedNames::new(Arc::clone(&dropped)), dropped)
    }

    #[test]
    fn the_first_strangers_are_kept_on_all_workers_and_what_is_known_always() {
        let (names, dropped) = names();
        let (mut one, mut other) = (NameCache::default(), NameCache::default());
        assert_eq!(&*names.shared("known", &mut one, || true), "known");
        for number in 0..STRANGERS_MAX {
            let name = format!("{number}.test");
            assert_eq!(*names.shared(&name, &mut one, || false), *name);
        }
        for cache in [&mut one, &mut other] {
            for _ in 0..2 {
                assert_eq!(&*names.shared("late.test", cache, || false), "other");
                assert_eq!(&*names.shared("0.test", cache, || false), "0.test");
                assert_eq!(&*names.shared("255.test", cache, || false), "255.test");
                assert_eq!(&*names.shared("new.known", cache, || true), "new.known");
            }
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn a_value_has_one_text() {
        let (names, _) = names();
        let (mut one, mut other) = (NameCache::default(), NameCache::default());
        let shared = names.shared("a.test", &mut one, || false);
        assert!(Arc::ptr_eq(
            &shared,
            &names.shared("a.test", &mut other, || false)
        ));
    }
}
