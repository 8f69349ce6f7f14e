//! Room for bytes on their way: what a worker's buffers may hold together. A flow whose receiver does not read keeps its
//! buffer full, so the more is held, the less the next read may take. All flows go on with [`BUFFER_MIN`] at least.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The least that a read may take.
pub const BUFFER_MIN: usize = 8 << 10;

/// The most that a read may take.
pub const BUFFER_MAX: usize = 256 << 10;

/// What the buffers of all workers may hold together before each is as small as it can be, where nothing else is set.
pub const BUFFERS_MAX: usize = 32 << 20;

/// The part of it that one worker has.
static WORKER_MAX: AtomicUsize = AtomicUsize::new(BUFFERS_MAX / 2);

/// How often a read was made as small as it can be.
static HITS: AtomicU64 = AtomicU64::new(0);

/// One read may take this part of what is free.
const PART: usize = 8;

/// So many pieces of what an endpoint sends are on their way to a client that does not read: in the buffer that is read
/// into, between the two connections, and on the way out.
const PIECES: usize = 4;

thread_local! {
    /// What is held on this thread; each worker has its own.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// What one flow holds. It counts as long as this lives, on the thread where it was last changed.
#[derive(Debug, Default)]
pub struct HeldBytes(usize);

impl HeldBytes {
    /// It holds so many bytes from now on.
    pub fn set(&mut self, bytes: usize) {
        if bytes != self.0 {
            HELD.set(HELD.get().saturating_sub(self.0) + bytes);
            self.0 = bytes;
        }
    }

    /// A read of an HTTP connection took so many bytes. What later reads leave free is given back by and by.
    pub fn note_read(&mut self, bytes: usize) {
        let now = bytes * PIECES;
        let kept = self.0 - self.0 / 4;
        self.set(now.max(kept));
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// The most that a read may take now.
pub fn read_max() -> usize {
    let free = WORKER_MAX
        .load(Ordering::Relaxed)
        .saturating_sub(HELD.get());
    let part = free / PART;
    if part < BUFFER_MIN {
        HITS.fetch_add(1, Ordering::Relaxed);
    }
    part.clamp(BUFFER_MIN, BUFFER_MAX)
}

/// Whether so much is held that nothing should be read before there is room for it.
pub fn is_scarce() -> bool {
    HELD.get() > WORKER_MAX.load(Ordering::Relaxed) / 2
}

/// Sets what the buffers of so many workers may hold together.
pub fn share(bytes: usize, workers: NonZeroUsize) {
    WORKER_MAX.store(bytes / workers, Ordering::Relaxed);
}

/// How often a read was made as small as it can be, because too much was held.
pub fn hits() -> u64 {
    HITS.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_take_less_the_more_is_held() {
        assert_eq!(read_max(), BUFFER_MAX);
        let mut flows: Vec<HeldBytes> = Vec::new();
        for _ in 0..10_000 {
            let mut flow = HeldBytes::default();
            flow.set(read_max());
            flows.push(flow);
        }
        assert_eq!(read_max(), BUFFER_MIN);
        let least = flows.len() * BUFFER_MIN;
        assert!(hits() > 0);
        let most = WORKER_MAX.load(Ordering::Relaxed) + least;
        assert!(HELD.get() < most, "{}", HELD.get());
        drop(flows);
        assert_eq!((HELD.get(), read_max()), (0, BUFFER_MAX));
    }

    #[test]
    fn what_small_reads_leave_free_comes_back() {
        let mut flow = HeldBytes::default();
        flow.note_read(BUFFER_MAX);
        assert_eq!(HELD.get(), PIECES * BUFFER_MAX);
        for _ in 0..20 {
            flow.note_read(100);
        }
        assert!(HELD.get() < BUFFER_MIN, "{}", HELD.get());
    }
}
