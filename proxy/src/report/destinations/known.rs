//! The destinations of the process: those that came first, up to a limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use crate::lock::lock;
use crate::report::destinations::key::{DestinationKey, KeyParts};

/// How many destinations are kept.
pub const ROWS_MAX: usize = 10_000;

type Keys = HashMap<Box<[u8]>, Arc<DestinationKey>>;

/// The destinations of the process. A worker asks for each that it does not know; once there is no room, the answer needs
/// no lock.
#[derive(Debug)]
pub(super) struct KnownKeys {
    max: usize,
    keys: Mutex<Keys>,
    /// All of them, once there is no room for more.
    complete: OnceLock<Keys>,
}

impl KnownKeys {
    /// None yet, and room for so many.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            keys: Mutex::default(),
            complete: OnceLock::new(),
        }
    }

    /// The key that is encoded so; a new one where there is room; `None` where there is none.
    pub(super) fn shared(
        &self,
        encoded: &[u8],
        parts: &KeyParts<'_>,
    ) -> Option<Arc<DestinationKey>> {
        if let Some(complete) = self.complete.get() {
            return complete.get(encoded).cloned();
        }
        let mut keys = lock(&self.keys);
        // Another worker may have had the last place.
        if let Some(complete) = self.complete.get() {
            return complete.get(encoded).cloned();
        }
        if let Some(known) = keys.get(encoded) {
            return Some(Arc::clone(known));
        }
        let key = Arc::new(parts.to_key(keys.len()));
        keys.insert(encoded.into(), Arc::clone(&key));
        if keys.len() >= self.max {
            // Nobody else sets it: that needs the lock.
            let _ = self.complete.set(std::mem::take(&mut keys));
        }
        Some(key)
    }
}
