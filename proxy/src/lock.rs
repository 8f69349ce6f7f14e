//! Locks whose poison is passed over. A panic ends its task and not the process, and what a lock guards here is whole at
//! every point that could panic; so a lock stays in use after one.

use std::sync::{LockResult, Mutex, MutexGuard, PoisonError};

/// Locks a mutex.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    unpoisoned(mutex.lock())
}

/// What a lock or a condition variable gives, poisoned or not.
pub fn unpoisoned<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::RwLock;

    use super::*;

    #[test]
    fn locks_stay_in_use_after_a_panic() {
        let (mutex, rw_lock) = (Mutex::new(1), RwLock::new(2));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _guards = (lock(&mutex), unpoisoned(rw_lock.write()));
            panic!("on purpose");
        }));
        assert!(panicked.is_err() && mutex.is_poisoned() && rw_lock.is_poisoned());
        assert_eq!((*lock(&mutex), *unpoisoned(rw_lock.read())), (1, 2));
    }
}
