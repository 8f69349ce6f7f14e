//! Limits the streams of a connection; requests above the limit wait in order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::oneshot;

/// A limit of streams.
#[derive(Debug)]
pub(in crate::client::pool) struct StreamLimiter {
    room: Cell<usize>,
    active: Cell<usize>,
    closed: Cell<bool>,
    waiting: RefCell<VecDeque<oneshot::Sender<StreamPermit>>>,
}

/// A stream permit. Dropping it lets the next request start.
#[derive(Debug)]
pub(in crate::client::pool) struct StreamPermit(Rc<StreamLimiter>);

/// The connection accepts no more streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client::pool) struct Closed;

impl StreamLimiter {
    pub(in crate::client::pool) fn new(room: usize) -> Rc<Self> {
        Rc::new(Self {
            room: Cell::new(room),
            active: Cell::new(0),
            closed: Cell::new(false),
            waiting: RefCell::default(),
        })
    }

    pub(in crate::client::pool) fn room(&self) -> usize {
        self.room.get()
    }

    pub(in crate::client::pool) fn active(&self) -> usize {
        self.active.get()
    }

    pub(in crate::client::pool) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Waits for a permit.
    pub(in crate::client::pool) async fn enter(self: &Rc<Self>) -> Result<StreamPermit, Closed> {
        if self.closed.get() {
            return Err(Closed);
        }
        if self.active.get() < self.room.get() && self.waiting.borrow().is_empty() {
            self.active.set(self.active.get() + 1);
            return Ok(StreamPermit(Rc::clone(self)));
        }
        let (let_in, turn) = oneshot::channel();
        self.waiting.borrow_mut().push_back(let_in);
        turn.await.map_err(|_| Closed)
    }

    /// Active streams continue when the limit shrinks.
    pub(in crate::client::pool) fn set_room(self: &Rc<Self>, room: usize) {
        if self.room.replace(room) < room {
            self.admit();
        }
    }

    /// Refuses all further streams, waiting ones too.
    pub(in crate::client::pool) fn close(&self) {
        self.closed.set(true);
        self.waiting.take();
    }

    fn admit(self: &Rc<Self>) {
        while self.active.get() < self.room.get() {
            let Some(next) = self.waiting.borrow_mut().pop_front() else {
                return;
            };
            if !next.is_closed() {
                self.active.set(self.active.get() + 1);
                // A request that was dropped in this moment frees its permit.
                let _ = next.send(StreamPermit(Rc::clone(self)));
            }
        }
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        self.0.admit();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn waiting_requests_start_in_order() {
        let limiter = StreamLimiter::new(1);
        let first = limiter.enter().now_or_never().expect("room").expect("open");
        let mut second = Box::pin(limiter.enter());
        let mut third = Box::pin(limiter.enter());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(
            limiter.enter().now_or_never().is_none(),
            "not before others"
        );
        let second = second.now_or_never().expect("its turn").expect("open");
        assert!(third.as_mut().now_or_never().is_none());
        limiter.set_room(2);
        let third = third.now_or_never().expect("more room").expect("open");
        limiter.set_room(1);
        drop((second, third));
        assert!(
            limiter
                .enter()
                .now_or_never()
                .is_some_and(|in_| in_.is_ok())
        );
    }

    #[test]
    fn dropped_requests_are_skipped() {
        let limiter = StreamLimiter::new(1);
        let first = limiter.enter().now_or_never().expect("room").expect("open");
        let mut gone = Box::pin(limiter.enter());
        let mut last = Box::pin(limiter.enter());
        assert!(gone.as_mut().now_or_never().is_none());
        assert!(last.as_mut().now_or_never().is_none());
        drop((gone, first));
        assert!(last.now_or_never().is_some_and(|in_| in_.is_ok()));
    }

    #[test]
    fn a_closed_limiter_refuses_at_once() {
        let limiter = StreamLimiter::new(0);
        let mut waiting = Box::pin(limiter.enter());
        assert!(waiting.as_mut().now_or_never().is_none());
        limiter.close();
        assert_eq!(waiting.now_or_never().map(Result::err), Some(Some(Closed)));
        assert!(
            limiter
                .enter()
                .now_or_never()
                .is_some_and(|in_| in_.is_err())
        );
    }
}
