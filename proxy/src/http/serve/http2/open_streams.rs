//! The streams of a connection that are not ended.

use std::cell::Cell;
use std::rc::Rc;

/// The streams of a connection: how many there are, and whether there were any since it was looked. Not a clock for each
/// of them.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) open: Cell<usize>,
    used: Cell<bool>,
}

impl Streams {
    pub(super) fn begin(this: &Rc<Self>) -> Open {
        this.open.set(this.open.get() + 1);
        Open(Rc::clone(this))
    }

    pub(super) fn were_used(&self) -> bool {
        self.used.replace(false) || self.open.get() > 0
    }
}

/// A stream, from its request to the end of its answer.
#[derive(Debug)]
pub(super) struct Open(Rc<Streams>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.used.set(true);
    }
}
