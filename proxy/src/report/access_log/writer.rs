//! One file of the access log: bounded queues of lines, one for each thread that has calls, and the thread that writes
//! them.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, Thread};
use std::time::Duration;

use memchr::memchr_iter;
use tokio::time::Instant;

use crate::lock::{lock, unpoisoned};
use crate::sys::pipe;

/// Bytes of lines that may wait for a file: some seconds of a busy proxy.
pub(super) const QUEUE_MAX: usize = 4 << 20;

/// How long a file that no configuration names any more may keep the lines that wait for it.
const OLD_PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked whether a file that takes no bytes is still wanted.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Interval between two warnings about one file.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// Bytes of memory that an empty buffer keeps.
const BUFFER_KEPT: usize = 64 << 10;

thread_local! {
    /// This thread's queue of each file.
    static QUEUES: RefCell<Vec<(u64, Arc<Queue>)>> = const { RefCell::new(Vec::new()) };
}

/// The number of the next file.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What became of lines, of all files since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
}

/// An open file, and which file it is.
#[derive(Debug)]
pub(super) struct Target {
    file: File,
    /// Device and inode; `None` where the kernel does not tell.
    identity: Option<(u64, u64)>,
}

impl Target {
    pub(super) fn new(file: File) -> Self {
        let metadata = file.metadata().ok();
        Self {
            identity: metadata.map(|metadata| (metadata.dev(), metadata.ino())),
            file,
        }
    }
}

/// Writes lines to a file. What waits is written when this is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Thread,
}

/// The lines of one thread that wait.
#[derive(Debug, Default)]
struct Queue(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
}

#[derive(Debug)]
struct Shared {
    id: u64,
    target: Target,
    name: Arc<str>,
    counts: Arc<Counts>,
    queues: Mutex<Vec<Arc<Queue>>>,
    /// Bytes that wait, or are being written.
    waiting: AtomicUsize,
    /// No more will come.
    closed: AtomicBool,
    /// Notified when all is written.
    idle: Condvar,
    idle_lock: Mutex<()>,
}

impl Writer {
    /// Writes to a file. `name` is what an error calls it.
    ///
    /// # Errors
    /// The kernel's, when no thread can be started.
    pub(super) fn start(target: Target, name: Arc<str>, counts: Arc<Counts>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            target,
            name,
            counts,
            queues: Mutex::default(),
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            idle: Condvar::new(),
            idle_lock: Mutex::new(()),
        });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_all(&own))?;
        Ok(Self {
            thread: thread.thread().clone(),
            shared,
        })
    }

    /// Whether it writes to this very file.
    pub(super) fn is_of(&self, target: &Target) -> bool {
        let own = &self.shared.target;
        own.identity.is_some() && own.identity == target.identity
    }

    /// Queues a line, or drops it when too much waits.
    pub(super) fn queue(&self, line: &[u8]) {
        let shared = &self.shared;
        let before = shared.waiting.fetch_add(line.len(), Ordering::AcqRel);
        if before + line.len() > QUEUE_MAX {
            shared.waiting.fetch_sub(line.len(), Ordering::AcqRel);
            shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let first = QUEUES.with_borrow_mut(|queues| {
            let mut lines = lock(&shared.own_queue(queues).0);
            let first = lines.bytes.is_empty();
            lines.bytes.extend_from_slice(line);
            lines.count += 1;
            first
        });
        if first {
            self.thread.unpark();
        }
    }

    /// Waits until all lines are written, at most this long. Returns whether they are.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let shared = &self.shared;
        let guard = lock(&shared.idle_lock);
        let waits = |(): &mut ()| shared.waiting.load(Ordering::Acquire) > 0;
        let (_guard, result) = unpoisoned(shared.idle.wait_timeout_while(guard, patience, waits));
        !result.timed_out()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Shared {
    /// The queue of the thread that calls this.
    fn own_queue<'q>(&self, queues: &'q mut Vec<(u64, Arc<Queue>)>) -> &'q Queue {
        let at = queues.iter().position(|(id, _)| *id == self.id);
        let at = at.unwrap_or_else(|| {
            // Those that only this thread has are of files that are closed.
            queues.retain(|(_, queue)| Arc::strong_count(queue) > 1);
            let queue = Arc::<Queue>::default();
            lock(&self.queues).push(Arc::clone(&queue));
            queues.push((self.id, queue));
            queues.len() - 1
        });
        &queues[at].1
    }

    /// Takes all lines that wait.
    fn take(&self, batch: &mut Lines) {
        for queue in &*lock(&self.queues) {
            let mut lines = lock(&queue.0);
            batch.count += mem::take(&mut lines.count);
            if batch.bytes.is_empty() {
                mem::swap(&mut batch.bytes, &mut lines.bytes);
            } else {
                batch.bytes.append(&mut lines.bytes);
            }
            lines.bytes.shrink_to(BUFFER_KEPT);
        }
    }
}

/// The thread: takes what waits and writes it, until the file is closed and all is written.
fn write_all(shared: &Shared) {
    let mut batch = Lines::default();
    let mut failures = Failures::default();
    loop {
        // Loaded first: what was queued before the file was closed is taken below.
        let closed = shared.closed.load(Ordering::Acquire);
        shared.take(&mut batch);
        if batch.bytes.is_empty() {
            if closed {
                return;
            }
            thread::park();
            continue;
        }
        let length = batch.bytes.len();
        let lost = write(shared, &batch.bytes, &mut failures).min(batch.count);
        let counts = &shared.counts;
        counts
            .written
            .fetch_add(batch.count - lost, Ordering::Relaxed);
        counts.dropped.fetch_add(lost, Ordering::Relaxed);
        batch.bytes.clear();
        batch.bytes.shrink_to(BUFFER_KEPT);
        batch.count = 0;
        let _guard = lock(&shared.idle_lock);
        shared.waiting.fetch_sub(length, Ordering::AcqRel);
        shared.idle.notify_all();
    }
}

/// What is kept of failures to write.
#[derive(Default)]
struct Failures {
    /// When the last one was logged.
    warned_at: Option<Instant>,
    /// The file took a part of a line and not its end.
    cut_line: bool,
}

/// Writes lines, and returns how many of them are lost.
fn write(shared: &Shared, batch: &[u8], failures: &mut Failures) -> u64 {
    let count = |lines: &[u8]| memchr_iter(b'\n', lines).count() as u64;
    let mut unwanted = Duration::ZERO;
    let mut file = &shared.target.file;
    // What follows is not to continue the line.
    if failures.cut_line && file.write(b"\n").is_ok() {
        failures.cut_line = false;
    }
    let mut lines = batch;
    while !lines.is_empty() {
        match file.write(lines) {
            Ok(written) => lines = &lines[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                pipe::await_room(file, LOOK_INTERVAL);
                if shared.closed.load(Ordering::Acquire) {
                    unwanted += LOOK_INTERVAL;
                }
                if unwanted > OLD_PATIENCE {
                    let lost = count(lines);
                    tracing::warn!(
                        file = &*shared.name,
                        lost,
                        "an access log that is no longer configured takes no lines; those left are dropped"
                    );
                    return lost;
                }
            }
            Err(error) => {
                let lost = count(lines);
                let written = &batch[..batch.len() - lines.len()];
                failures.cut_line |= written.last().is_some_and(|last| *last != b'\n');
                let warned_at = &mut failures.warned_at;
                if warned_at.is_none_or(|warned_at| warned_at.elapsed() >= WARN_INTERVAL) {
                    *warned_at = Some(Instant::now());
                    tracing::warn!(file = &*shared.name, %error, lost, "the access log cannot be written to; its lines are dropped");
                }
                return lost;
            }
        }
    }
    0
}
