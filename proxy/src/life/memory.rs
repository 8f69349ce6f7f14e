//! Memory that a worker no longer needs goes back to the kernel.
//!
//! The allocator looks for pages without a use at every so many allocations. A worker whose clients have gone makes none, and
//! its pages would stay; here it makes them.

use std::cell::Cell;
use std::hint::black_box;

/// Allocations after which mimalloc looks: its option `generic_collect`.
const ALLOCATIONS: usize = 10_000;

/// A size that it does not serve from its lists of small blocks (`MI_SMALL_SIZE_MAX`), so that each allocation counts.
const SIZE: usize = 4 << 10;

/// Looks after connections have ended: one that finds the pages, and one that gives them back, since pages are kept for a
/// second in case they are needed again.
const LOOKS: u32 = 3;

thread_local! {
    /// Looks that are due on this thread.
    static DUE: Cell<u32> = const { Cell::new(0) };
}

/// A connection of this thread ended.
pub fn connection_ended() {
    DUE.set(LOOKS);
}

/// Has the allocator look, if connections of this thread ended since it last did.
pub fn give_back() {
    let due = DUE.get();
    if due > 0 {
        DUE.set(due - 1);
        for _ in 0..ALLOCATIONS {
            drop(black_box(Vec::<u8>::with_capacity(SIZE)));
        }
    }
}
