//! The bounded queue of the access log and the thread that empties it.
//!
//! There is one descriptor for each target, whatever is configured again: a target that is opened anew and is the same
//! file is the one that is there. Lines that wait, for this target or for those of before, share one bound.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use std::{mem, thread};

use memchr::memchr_iter;

use crate::lock::{lock, unpoisoned};
use crate::sys::pipe;

/// Bytes of lines that may wait for the target: some seconds of a busy proxy.
pub(super) const QUEUE_MAX: usize = 4 << 20;

/// Targets of before whose lines may wait. With one more, the lines of the oldest are dropped.
const OLDER_MAX: usize = 4;

/// How long lines of a target of before may hold up those of the present one.
const OLDER_PATIENCE: Duration = Duration::from_secs(2);

/// How often a target that takes no bytes is looked at for another one in its place.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Bytes of memory that an empty buffer keeps.
const BUFFER_KEPT: usize = 64 << 10;

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
    written: AtomicU64,
    dropped: AtomicU64,
}

/// What became of lines since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCounts {
    /// Lines that the target took.
    pub written: u64,
    /// Lines that were dropped, because the queue was full or the target failed.
    pub dropped: u64,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    target: Option<Arc<Target>>,
    /// Lines for targets of before, oldest first; and how many bytes they are.
    older: VecDeque<(Arc<Target>, Vec<u8>)>,
    older_bytes: usize,
    /// The target that the thread is writing to.
    writing: Option<Arc<Target>>,
    closed: bool,
}

/// An open file, and which file it is.
#[derive(Debug)]
struct Target {
    file: File,
    /// Device and inode; `None` where the kernel does not tell.
    identity: Option<(u64, u64)>,
}

impl Target {
    fn new(file: File) -> Self {
        let metadata = file.metadata().ok();
        Self {
            identity: metadata.map(|metadata| (metadata.dev(), metadata.ino())),
            file,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.identity.is_some() && self.identity == other.identity
    }
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

    /// Lines that are queued from now on go to `target`. What is the same file as the present target changes nothing, and
    /// is closed.
    pub(super) fn retarget(&self, target: Option<File>) {
        let target = target.map(Target::new);
        let mut queue = self.shared.lock();
        let same = |one: &Arc<Target>| target.as_ref().is_some_and(|target| target.is_same(one));
        if queue.target.as_ref().is_some_and(same) {
            return;
        }
        let older = queue.older.iter().map(|(target, _)| target);
        let known = older.chain(&queue.writing).find(|one| same(one)).cloned();
        let target = known.or_else(|| target.map(Arc::new));
        let lines = mem::take(&mut queue.lines);
        if let Some(before) = mem::replace(&mut queue.target, target)
            && !lines.is_empty()
        {
            queue.older_bytes += lines.len();
            queue.older.push_back((before, lines));
        }
        if queue.older.len() > OLDER_MAX
            && let Some((_, lines)) = queue.older.pop_front()
        {
            queue.older_bytes -= lines.len();
            drop(queue);
            self.shared.lose(&lines);
        }
    }

    pub(super) fn queue(&self, line: &[u8]) {
        let mut queue = self.shared.lock();
        if queue.target.is_none() {
            return;
        }
        if queue.lines.len() + queue.older_bytes + line.len() > QUEUE_MAX {
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

    pub(super) fn counts(&self) -> LineCounts {
        LineCounts {
            written: self.shared.written.load(Ordering::Relaxed),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
        }
    }

    pub(super) fn flush(&self, patience: Duration) -> bool {
        let busy = |queue: &mut Queue| queue.writing.is_some() || !queue.is_empty();
        let idle = &self.shared.idle;
        let waited = idle.wait_timeout_while(self.shared.lock(), patience, busy);
        let (_queue, result) = unpoisoned(waited);
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
        lock(&self.queue)
    }

    /// Counts lines that are not written. The first ones are told in the log.
    fn lose(&self, lines: &[u8]) -> u64 {
        self.dropped.fetch_add(count(lines), Ordering::Relaxed)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.older.is_empty()
    }
}

/// The lines that end in these bytes.
fn count(lines: &[u8]) -> u64 {
    memchr_iter(b'\n', lines).count() as u64
}

/// The thread: takes what waits longest, writes it, until the log is closed and empty.
fn write_all(shared: &Shared) {
    let mut batch = Vec::new();
    loop {
        let target = {
            let idle = |queue: &mut Queue| queue.is_empty() && !queue.closed;
            let mut queue = unpoisoned(shared.work.wait_while(shared.lock(), idle));
            if queue.is_empty() {
                return;
            }
            let target = match queue.older.pop_front() {
                Some((target, lines)) => {
                    queue.older_bytes -= lines.len();
                    batch = lines;
                    Some(target)
                }
                None => {
                    mem::swap(&mut queue.lines, &mut batch);
                    queue.target.clone()
                }
            };
            queue.writing.clone_from(&target);
            target
        };
        if let Some(target) = target {
            write(shared, &target, &batch);
        }
        batch.clear();
        batch.shrink_to(BUFFER_KEPT);
        shared.lock().writing = None;
        shared.idle.notify_all();
    }
}

fn write(shared: &Shared, target: &Arc<Target>, mut lines: &[u8]) {
    let mut superseded = Duration::ZERO;
    let mut file = &target.file;
    while !lines.is_empty() {
        match file.write(lines) {
            Ok(written) => {
                let (done, rest) = lines.split_at(written);
                shared.written.fetch_add(count(done), Ordering::Relaxed);
                lines = rest;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                pipe::await_room(file, LOOK_INTERVAL);
                let present = shared.lock().target.clone();
                if present.is_some_and(|present| !Arc::ptr_eq(&present, target)) {
                    superseded += LOOK_INTERVAL;
                }
                if superseded > OLDER_PATIENCE {
                    shared.lose(lines);
                    tracing::warn!(
                        "a replaced access log accepts no lines; its queued lines are dropped"
                    );
                    return;
                }
            }
            Err(error) => {
                if shared.lose(lines) == 0 {
                    tracing::warn!(%error, "the access log cannot be written to; its lines are being dropped");
                }
                return;
            }
        }
    }
}
