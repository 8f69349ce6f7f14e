//! Lets in as many as there is room for, the others in their turn.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::oneshot;

/// A place with room for so many.
#[derive(Debug)]
pub(in crate::client::pool) struct StreamLimiter {
    room: Cell<usize>,
    inside: Cell<usize>,
    closed: Cell<bool>,
    waiting: RefCell<VecDeque<oneshot::Sender<StreamPermit>>>,
}

/// Is inside as long as this lives.
#[derive(Debug)]
pub(in crate::client::pool) struct StreamPermit(Rc<StreamLimiter>);

/// No stream is let in any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client::pool) struct Closed;

impl StreamLimiter {
    pub(in crate::client::pool) fn new(room: usize) -> Rc<Self> {
        Rc::new(Self {
            room: Cell::new(room),
            inside: Cell::new(0),
            closed: Cell::new(false),
            waiting: RefCell::default(),
        })
    }

    pub(in crate::client::pool) fn room(&self) -> usize {
        self.room.get()
    }

    pub(in crate::client::pool) fn inside(&self) -> usize {
        self.inside.get()
    }

    pub(in crate::client::pool) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Waits for a place.
    pub(in crate::client::pool) async fn enter(self: &Rc<Self>) -> Result<StreamPermit, Closed> {
        if self.closed.get() {
            return Err(Closed);
        }
        if self.inside.get() < self.room.get() && self.waiting.borrow().is_empty() {
            self.inside.set(self.inside.get() + 1);
            return Ok(StreamPermit(Rc::clone(self)));
        }
        let (let_in, turn) = oneshot::channel();
        self.waiting.borrow_mut().push_back(let_in);
        turn.await.map_err(|_| Closed)
    }

    /// Those inside stay there when there is less room.
    pub(in crate::client::pool) fn set_room(self: &Rc<Self>, room: usize) {
        if self.room.replace(room) < room {
            self.admit();
        }
    }

    /// Lets no stream in any more, not even those that wait.
    pub(in crate::client::pool) fn close(&self) {
        self.closed.set(true);
        self.waiting.take();
    }

    fn admit(self: &Rc<Self>) {
        while self.inside.get() < self.room.get() {
            let Some(next) = self.waiting.borrow_mut().pop_front() else {
                return;
            };
            if !next.is_closed() {
                self.inside.set(self.inside.get() + 1);
                // Whoever left in this moment leaves the place, too.
                let _ = next.send(StreamPermit(Rc::clone(self)));
            }
        }
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.0.inside.set(self.0.inside.get() - 1);
        self.0.admit();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn those_who_wait_get_in_by_turns() {
        let gate = StreamLimiter::new(1);
        let first = gate.enter().now_or_never().expect("room").expect("open");
        let mut second = Box::pin(gate.enter());
        let mut third = Box::pin(gate.enter());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(gate.enter().now_or_never().is_none(), "not before others");
        let second = second.now_or_never().expect("its turn").expect("open");
        assert!(third.as_mut().now_or_never().is_none());
        gate.set_room(2);
        let third = third.now_or_never().expect("more room").expect("open");
        gate.set_room(1);
        drop((second, third));
        assert!(gate.enter().now_or_never().is_some_and(|in_| in_.is_ok()));
    }

    #[test]
    fn who_no_longer_waits_is_passed_over() {
        let gate = StreamLimiter::new(1);
        let first = gate.enter().now_or_never().expect("room").expect("open");
        let mut gone = Box::pin(gate.enter());
        let mut last = Box::pin(gate.enter());
        assert!(gone.as_mut().now_or_never().is_none());
        assert!(last.as_mut().now_or_never().is_none());
        drop((gone, first));
        assert!(last.now_or_never().is_some_and(|in_| in_.is_ok()));
    }

    #[test]
    fn nobody_waits_at_a_closed_gate() {
        let gate = StreamLimiter::new(0);
        let mut waiting = Box::pin(gate.enter());
        assert!(waiting.as_mut().now_or_never().is_none());
        gate.close();
        assert_eq!(waiting.now_or_never().map(Result::err), Some(Some(Closed)));
        assert!(gate.enter().now_or_never().is_some_and(|in_| in_.is_err()));
    }
}
