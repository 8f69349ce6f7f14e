//! Tasks that serve one stream after the other. What a request needs on its way takes kilobytes: made anew for each, they
//! would cost more than the request.

use std::cell::Cell;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::task::Waker;

use tokio::task::spawn_local;

use crate::http::serve::two::stream::Job;
use crate::http::serve::two::stream::serve_each;

/// Tasks that wait for a job, of all connections of a worker thread; more of them end.
const RESTING_MAX: usize = 64;

thread_local! {
    /// Where those who wait are found. The last one is the warmest.
    static RESTING: RefCell<Vec<Rc<Desk>>> = const { RefCell::new(Vec::new()) };
}

/// Where a task gets its jobs.
#[derive(Default)]
pub(super) struct Desk {
    job: Cell<Option<Job>>,
    waker: Cell<Option<Waker>>,
}

/// Has a task serve a stream.
pub(super) fn assign(job: Job) {
    loop {
        let Some(desk) = RESTING.with_borrow_mut(Vec::pop) else {
            let desk = Rc::new(Desk::default());
            desk.job.set(Some(job));
            spawn_local(serve_each(desk));
            return;
        };
        // One that nobody else has was left behind by a task that was ended from outside.
        if Rc::strong_count(&desk) > 1 {
            desk.job.set(Some(job));
            if let Some(waker) = desk.waker.take() {
                waker.wake();
            }
            return;
        }
    }
}

impl Desk {
    /// Waits for the next job; `None` when there are enough others to do it.
    pub(super) async fn next(self: &Rc<Self>) -> Option<Job> {
        if let Some(job) = self.job.take() {
            return Some(job);
        }
        if !rest(self) {
            return None;
        }
        poll_fn(|context| {
            if let Some(job) = self.job.take() {
                return Poll::Ready(Some(job));
            }
            self.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

fn rest(desk: &Rc<Desk>) -> bool {
    RESTING.with_borrow_mut(|resting| {
        let room = resting.len() < RESTING_MAX;
        if room {
            resting.push(Rc::clone(desk));
        }
        room
    })
}
