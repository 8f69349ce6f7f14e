//! The bounded queue of the access log and the thread that empties it.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::sys::pipe;

/// Bytes of lines that may wait for the target: some seconds of a busy proxy.
pub(super) const QUEUE_MAX: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// There is something to write, or no more will come.
    work: Condvar,
    /// All is written.
    idle: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    target: Option<Arc<File>>,
    /// Lines for targets of before.
    older: Vec<(Arc<File>, Vec<u8>)>,
    writing: bool,
    closed: bool,
}

impl Writer {
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_all(&theirs))?;
        Ok(Self { shared })
    }

    pub(super) fn retarget(&self, target: Option<File>) {
        let mut queue = self.shared.lock();
        let lines = mem::take(&mut queue.lines);
        if let Some(before) = mem::replace(&mut queue.target, target.map(Arc::new))
            && !lines.is_empty()
        {
            queue.older.push((before, lines));
        }
    }

    pub(super) fn queue(&self, line: &[u8]) {
        let mut queue = self.shared.lock();
        if queue.target.is_none() {
            return;
        }
        if queue.lines.len() + line.len() > QUEUE_MAX {
            drop(queue);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let first = queue.lines.is_empty();
        queue.lines.extend_from_slice(line);
        drop(queue);
        if first {
            self.shared.work.notify_one();
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn flush(&self, patience: Duration) -> bool {
        let (_queue, result) = self
            .shared
            .idle
            .wait_timeout_while(self.shared.lock(), patience, |queue| {
                queue.writing || !queue.is_empty()
            })
            .unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.older.is_empty()
    }
}

/// The thread: takes all there is, writes it, until the log is closed and empty.
fn write_all(shared: &Shared) {
    let mut batch = Vec::new();
    loop {
        let (older, target) = {
            let mut queue = shared
                .work
                .wait_while(shared.lock(), |queue| queue.is_empty() && !queue.closed)
                .unwrap_or_else(PoisonError::into_inner);
            if queue.is_empty() {
                return;
            }
            queue.writing = true;
            mem::swap(&mut queue.lines, &mut batch);
            (mem::take(&mut queue.older), queue.target.clone())
        };
        for (target, lines) in older {
            write(shared, &target, &lines);
        }
        if let Some(target) = target {
            write(shared, &target, &batch);
        }
        batch.clear();
        shared.lock().writing = false;
        shared.idle.notify_all();
    }
}

fn write(shared: &Shared, mut target: &File, mut lines: &[u8]) {
    while !lines.is_empty() {
        match target.write(lines) {
            Ok(written) => lines = &lines[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => pipe::await_room(target),
            Err(error) => {
                let lost = lines.iter().filter(|byte| **byte == b'\n').count();
                let before = shared.dropped.fetch_add(lost as u64, Ordering::Relaxed);
                if before == 0 {
                    tracing::warn!(%error, "the access log cannot be written to; its lines are being dropped");
                }
                return;
            }
        }
    }
}
