//! Clients that keep the proxy waiting: they do not read what it has for them, or do not send what they began. Each holds memory
//! as long as it likes, so there may be only so many; beyond, the one that has kept it waiting longest is let go.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// How many there may be in the process, where nothing else is set.
pub const STALLED_MAX: usize = 1024;

/// A client that moves as many bytes is no longer the one that waited.
const MOVED: u64 = 64 << 10;

/// Before this nobody is let go, unless there are a quarter more than there may be.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many each worker may have.
static WORKER_MAX: AtomicUsize = AtomicUsize::new(STALLED_MAX / 2);

/// How many were let go.
static HITS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Those of this worker, in the order in which they began to wait.
    static WAITING: RefCell<BTreeMap<u64, Rc<Waiting>>> = const { RefCell::new(BTreeMap::new()) };
    /// The number of the last one.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    let_go: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// A client of this thread, which may stall.
#[derive(Debug, Default)]
pub struct Stall {
    /// Since it last moved much.
    waiting: Option<(u64, Rc<Waiting>)>,
    /// It is among those that wait now.
    is_listed: bool,
    /// Bytes that had moved when it began to wait.
    moved: u64,
}

impl Stall {
    /// The client keeps us waiting; so many bytes have moved so far. Ready when it is to be let go.
    pub fn poll_let_go(&mut self, moved: u64, context: &Context<'_>) -> Poll<()> {
        if self.waiting.is_some() && moved.saturating_sub(self.moved) >= MOVED {
            self.resume();
            self.waiting = None;
        }
        let (number, waiting) = self.waiting.get_or_insert_with(|| {
            self.moved = moved;
            begin()
        });
        if !self.is_listed {
            self.is_listed = true;
            WAITING.with_borrow_mut(|all| all.insert(*number, Rc::clone(waiting)));
            let_go();
        }
        if waiting.let_go.get() {
            return Poll::Ready(());
        }
        let mut waker = waiting.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// The client does not keep us waiting now. If it does again before it has moved much, it is as old as it was.
    pub fn resume(&mut self) {
        if let (true, Some((number, _))) = (self.is_listed, &self.waiting) {
            WAITING.with_borrow_mut(|all| all.remove(number));
            self.is_listed = false;
        }
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.resume();
    }
}

fn begin() -> (u64, Rc<Waiting>) {
    let number = LAST.get() + 1;
    LAST.set(number);
    let waiting = Rc::new(Waiting {
        since: Instant::now(),
        let_go: Cell::new(false),
        waker: RefCell::default(),
    });
    (number, waiting)
}

/// Lets those go that are too many on this thread. To be called now and then.
pub fn let_go() {
    let max = WORKER_MAX.load(Ordering::Relaxed);
    while let Some(first) = WAITING.with_borrow_mut(|all| {
        let first = all.first_entry()?;
        let is_old = first.get().since.elapsed() >= PATIENCE;
        let count = all.len();
        (count > max && is_old || count > max + max / 4).then(|| all.pop_first())?
    }) {
        HITS.fetch_add(1, Ordering::Relaxed);
        first.1.let_go.set(true);
        if let Some(waker) = first.1.waker.take() {
            waker.wake();
        }
    }
}

/// Sets how many there may be of so many workers; `None` is no limit.
pub fn share(max: Option<usize>, workers: NonZeroUsize) {
    let each = max.map_or(usize::MAX / 2, |max: usize| (max / workers).max(1));
    WORKER_MAX.store(each, Ordering::Relaxed);
}

/// How many were let go.
pub fn hits() -> u64 {
    HITS.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;

    const MAX: usize = STALLED_MAX / 2;

    fn is_let_go(stall: &mut Stall, moved: u64) -> bool {
        let context = Context::from_waker(Waker::noop());
        stall.poll_let_go(moved, &context).is_ready()
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_longest_are_let_go() {
        let mut stalls: Vec<Stall> = (0..MAX + 3).map(|_| Stall::default()).collect();
        for stall in &mut stalls {
            assert!(!is_let_go(stall, 0));
        }
        let_go();
        assert!(!is_let_go(&mut stalls[0], 0), "not yet");
        // One that moves is no longer the oldest; one that moves little is.
        assert!(!is_let_go(&mut stalls[0], MOVED));
        assert!(!is_let_go(&mut stalls[1], MOVED - 1));
        stalls[2].resume();
        stalls[3].resume();
        assert!(!is_let_go(&mut stalls[3], 1));
        time::advance(PATIENCE).await;
        let_go();
        let gone: Vec<usize> = (0..stalls.len())
            .filter(|&at| at != 2 && is_let_go(&mut stalls[at], if at == 0 { MOVED } else { 0 }))
            .collect();
        assert_eq!(gone, [1, 3]);
        assert!(hits() >= 2);
        drop(stalls);
        assert!(WAITING.with_borrow(BTreeMap::is_empty));
    }

    #[tokio::test(start_paused = true)]
    async fn a_quarter_more_do_not_wait() {
        let mut stalls: Vec<Stall> = (0..=MAX + MAX / 4).map(|_| Stall::default()).collect();
        for stall in &mut stalls {
            assert!(!is_let_go(stall, 0), "the last one, not this");
        }
        assert!(is_let_go(&mut stalls[0], 0));
        assert!(!is_let_go(&mut stalls[1], 0));
    }
}
