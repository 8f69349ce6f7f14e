//! Bytes of a byte stream while it is open. One thread writes them; whoever scrapes may read them at any time.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count that one thread adds to and others read.
#[derive(Debug, Default)]
pub struct ByteCount(AtomicU64);

/// Bytes passed so far. Outlives the relay, so that one that is cut off is counted too.
#[derive(Debug, Default)]
pub struct StreamBytes {
    /// From the client, accepted by the upstream.
    pub from_client: ByteCount,
    /// From the upstream, accepted by the client.
    pub from_upstream: ByteCount,
}

impl ByteCount {
    /// The bytes so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds bytes. Only the thread that relays may call this.
    pub fn add(&self, bytes: u64) {
        self.0.store(self.get() + bytes, Ordering::Relaxed);
    }
}
