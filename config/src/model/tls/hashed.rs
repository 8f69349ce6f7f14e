//! Values that are often looked up by their content.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A value whose hash is made once. Clones share the value, and are equal without a comparison of it: what
/// is looked up for each connection may hold whole certificates.
#[derive(Debug)]
pub struct Hashed<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    hash: u64,
    value: T,
}

impl<T: Hash> Hashed<T> {
    /// The value with its hash.
    pub fn new(value: T) -> Self {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        let hash = hasher.finish();
        Self(Arc::new(Inner { hash, value }))
    }
}

impl<T> Clone for Hashed<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Hashed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: PartialEq> PartialEq for Hashed<T> {
    fn eq(&self, other: &Self) -> bool {
        let same = Arc::ptr_eq(&self.0, &other.0);
        same || (self.0.hash == other.0.hash && self.0.value == other.0.value)
    }
}

impl<T: Eq> Eq for Hashed<T> {}

impl<T> Hash for Hashed<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashSet;

    use super::*;

    thread_local! {
        static LOOKS: Cell<u32> = const { Cell::new(0) };
    }

    /// Counts how often it is looked at.
    #[derive(Debug)]
    struct Watched;

    fn look() {
        LOOKS.set(LOOKS.get() + 1);
    }

    impl Hash for Watched {
        fn hash<H: Hasher>(&self, _: &mut H) {
            look();
        }
    }

    impl PartialEq for Watched {
        fn eq(&self, _: &Self) -> bool {
            look();
            true
        }
    }

    impl Eq for Watched {}

    #[test]
    fn clones_are_found_without_a_look_at_the_value() {
        let one = Hashed::new(Watched);
        let set = HashSet::from([one.clone()]);
        assert!(set.contains(&one));
        assert_eq!(LOOKS.get(), 1, "hashed when made, never compared");
    }

    #[test]
    fn equal_values_are_equal_by_content() {
        let set = HashSet::from([Hashed::new("a".to_owned())]);
        assert!(set.contains(&Hashed::new("a".to_owned())));
        assert!(!set.contains(&Hashed::new("b".to_owned())));
    }
}
