//! Tasks that serve one stream after the other. What a request needs on its way takes kilobytes: made anew for each, they
//! would cost more than the request.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use tokio::task::spawn_local;

use crate::http::serve::http2::stream_job::StreamJob;

/// Tasks that wait for a job, of all connections of a worker thread; more of them end.
const RESTING_MAX: usize = 128;

thread_local! {
    /// Where those who wait are found. The last one is the warmest.
    static RESTING: RefCell<Vec<Rc<Worker>>> = const { RefCell::new(Vec::new()) };
    /// Connections that may have jobs.
    static CONNECTIONS: Cell<usize> = const { Cell::new(0) };
}

/// A connection that may have jobs. Nobody waits for a job where none can come.
pub(super) struct TaskPool(());

impl TaskPool {
    pub(super) fn new() -> Self {
        CONNECTIONS.set(CONNECTIONS.get() + 1);
        Self(())
    }
}

impl Drop for TaskPool {
    fn drop(&mut self) {
        let left = CONNECTIONS.get() - 1;
        CONNECTIONS.set(left);
        if left == 0 {
            dismiss(0);
        }
    }
}

/// Lets half of those go who wait for a job. Said now and then, so that the many that were needed once do not stay.
pub(super) fn dismiss_half() {
    dismiss(RESTING.with_borrow(Vec::len) / 2);
}

fn dismiss(kept: usize) {
    let leaving = RESTING.with_borrow_mut(|resting| resting.split_off(kept));
    for worker in leaving {
        worker.dismissed.set(true);
        worker.wake();
    }
}

/// Where a task gets its jobs.
#[derive(Default)]
pub(super) struct Worker {
    job: Cell<Option<StreamJob>>,
    waker: Cell<Option<Waker>>,
    dismissed: Cell<bool>,
}

/// Has a task serve a stream: one that waits for a job, or a new one, which runs `serve_each`.
pub(super) fn assign<F>(job: StreamJob, serve_each: impl FnOnce(Rc<Worker>) -> F)
where
    F: Future<Output = ()> + 'static,
{
    loop {
        let Some(worker) = RESTING.with_borrow_mut(Vec::pop) else {
            let worker = Rc::new(Worker::default());
            worker.job.set(Some(job));
            spawn_local(serve_each(worker));
            return;
        };
        // One that nobody else has was left behind by a task that was ended from outside.
        if Rc::strong_count(&worker) > 1 {
            worker.job.set(Some(job));
            worker.wake();
            return;
        }
    }
}

impl Worker {
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Waits for the next job; `None` when there is none, or there are enough others to do it.
    pub(super) async fn next(self: &Rc<Self>) -> Option<StreamJob> {
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
            if self.dismissed.get() {
                return Poll::Ready(None);
            }
            self.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

fn rest(worker: &Rc<Worker>) -> bool {
    RESTING.with_borrow_mut(|resting| {
        let room = resting.len() < RESTING_MAX && CONNECTIONS.get() > 0;
        if room {
            resting.push(Rc::clone(worker));
        }
        room
    })
}

#[cfg(test)]
mod tests {
    use tokio::task::{LocalSet, yield_now};

    use super::*;

    fn resting() -> usize {
        RESTING.with_borrow(Vec::len)
    }

    /// Has `count` tasks wait for a job.
    async fn gather(count: usize) -> Vec<tokio::task::JoinHandle<bool>> {
        let tasks = (0..count)
            .map(|_| spawn_local(async { Rc::new(Worker::default()).next().await.is_some() }));
        let tasks = tasks.collect();
        // A turn is some dozens of tasks long.
        for _ in 0..count {
            yield_now().await;
        }
        tasks
    }

    #[test]
    fn nobody_waits_where_no_job_can_come() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let alone = gather(1).await.pop().expect("one");
            assert!(!alone.await.expect("no panic"), "no connection, no job");
            let (one, other) = (TaskPool::new(), TaskPool::new());
            let tasks = gather(RESTING_MAX + 5).await;
            assert_eq!(resting(), RESTING_MAX);
            dismiss_half();
            assert_eq!(resting(), RESTING_MAX / 2);
            drop(one);
            assert_eq!(resting(), RESTING_MAX / 2);
            drop(other);
            assert_eq!(resting(), 0);
            for task in tasks {
                assert!(!task.await.expect("they all go"));
            }
        });
    }
}
