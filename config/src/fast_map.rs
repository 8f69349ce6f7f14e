//! [`FastMap`]: the map of look-ups that every call makes.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// A map whose hashes cost a fraction of the standard library's. They are seeded at random, but a patient stranger could
/// find keys that collide: for keys that configuration chooses, and for tables that are small whatever strangers do.
pub type FastMap<K, V> = HashMap<K, V, RandomState>;
