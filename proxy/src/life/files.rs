//! Room for sockets below the limit of open files. A connection without room is refused at once, so
//! that no call in progress fails for want of a descriptor. Idle connections make room for new ones first.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The client's socket, and the upstream's.
const OF_A_CALL: usize = 2;

/// The files that one worker may have open for calls.
#[derive(Clone, Debug)]
pub struct FdBudget(Rc<Budget>);

#[derive(Debug)]
struct Budget {
    free: Cell<usize>,
    /// Connections that idle, the one that does so longest first.
    idle: RefCell<BTreeMap<u64, Rc<Idle>>>,
    last: Cell<u64>,
}

/// A connection that idles.
#[derive(Debug, Default)]
struct Idle {
    dismissed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// The descriptors of one connection. They are given back when dropped.
#[derive(Debug)]
pub struct FdPermit {
    files: FdBudget,
    descriptors: usize,
    idle: Option<(u64, Rc<Idle>)>,
}

impl FdBudget {
    /// Room for `max` files, and for one call at least.
    pub fn new(max: usize) -> Self {
        Self(Rc::new(Budget {
            free: Cell::new(max.max(OF_A_CALL)),
            idle: RefCell::default(),
            last: Cell::new(0),
        }))
    }

    /// Room for one more connection, if there is any, or if connections that idle can make it.
    pub fn try_hold(&self) -> Option<FdPermit> {
        self.take(OF_A_CALL).then(|| FdPermit {
            files: self.clone(),
            descriptors: OF_A_CALL,
            idle: None,
        })
    }

    /// Ends the connection that idles longest; `false` when none does. Its room is free at once, its socket a moment
    /// later.
    pub fn dismiss_idle(&self) -> bool {
        let Some((_, idle)) = self.0.idle.borrow_mut().pop_first() else {
            return false;
        };
        idle.dismissed.set(true);
        let waker = idle.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
        self.give(1);
        true
    }

    fn take(&self, count: usize) -> bool {
        while self.0.free.get() < count {
            if !self.dismiss_idle() {
                return false;
            }
        }
        self.0.free.set(self.0.free.get() - count);
        true
    }

    fn give(&self, count: usize) {
        self.0.free.set(self.0.free.get() + count);
    }
}

impl FdPermit {
    /// Marks the connection as idle. It then counts one descriptor, and can be dismissed.
    pub fn park(&mut self) {
        if self.idle.is_some() || self.descriptors == 0 {
            return;
        }
        let FdBudget(budget) = &self.files;
        self.files.give(self.descriptors - 1);
        self.descriptors = 1;
        let number = budget.last.get() + 1;
        budget.last.set(number);
        let idle = Rc::new(Idle::default());
        budget.idle.borrow_mut().insert(number, Rc::clone(&idle));
        self.idle = Some((number, idle));
    }

    /// Ready once a parked connection has to end to make room for another one.
    pub fn poll_dismissed(&self, context: &Context<'_>) -> Poll<()> {
        match &self.idle {
            Some((_, idle)) if idle.dismissed.get() => Poll::Ready(()),
            Some((_, idle)) => {
                *idle.waker.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    /// Takes the descriptors of a call again for a parked connection. Returns `false` when there are none left.
    pub fn resume(&mut self) -> bool {
        self.wake();
        let missing = OF_A_CALL - self.descriptors;
        let room = self.files.take(missing);
        if room {
            self.descriptors = OF_A_CALL;
        }
        room
    }

    fn wake(&mut self) {
        if let Some((number, idle)) = self.idle.take() {
            if idle.dismissed.get() {
                self.descriptors = 0;
            } else {
                self.files.0.idle.borrow_mut().remove(&number);
            }
        }
    }
}

impl Drop for FdPermit {
    fn drop(&mut self) {
        self.wake();
        self.files.give(self.descriptors);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn is_dismissed(permit: &FdPermit) -> bool {
        let context = Context::from_waker(Waker::noop());
        permit.poll_dismissed(&context).is_ready()
    }

    #[test]
    fn an_idle_connection_makes_room() {
        let files = FdBudget::new(4);
        let mut first = files.try_hold().expect("room for one");
        let mut second = files.try_hold().expect("room for two");
        assert!(files.try_hold().is_none(), "nobody idles");
        first.park();
        second.park();
        let third = files.try_hold().expect("two sockets are not needed");
        assert!(!is_dismissed(&first) && !is_dismissed(&second));
        assert!(first.resume(), "the other one that idles makes room");
        assert!(is_dismissed(&second));
        drop(second);
        assert!(files.try_hold().is_none());
        drop((first, third));
        assert_eq!(files.0.free.get(), 4);
    }

    #[test]
    fn the_longest_idle_connection_is_dismissed_first() {
        let files = FdBudget::new(4);
        let mut first = files.try_hold().expect("room for one");
        let mut second = files.try_hold().expect("room for two");
        second.park();
        first.park();
        let _third = files.try_hold().expect("room");
        assert!(files.dismiss_idle());
        assert!(is_dismissed(&second) && !is_dismissed(&first));
        assert!(first.resume());
        assert!(!files.dismiss_idle(), "nobody idles any more");
        assert!(!second.resume(), "dismissed, and no room");
        drop((first, second));
        assert_eq!(files.0.free.get(), 2);
    }

    #[test]
    fn there_is_always_room_for_one() {
        assert!(FdBudget::new(0).try_hold().is_some());
    }
}
