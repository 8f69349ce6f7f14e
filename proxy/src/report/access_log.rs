//! The access log: MeshConfig's `accessLogFile` and `accessLogEncoding`.
//!
//! A line is made on the worker's thread in a buffer that the thread keeps, and appended to one bounded queue of bytes,
//! from which one thread of its own writes in batches. When the queue is full, because the target does not keep up,
//! lines are dropped and counted; calls never wait for the log.

pub mod format;
mod writer;

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use egret_config::model::mesh::AccessLogEncoding;
use nix::fcntl::OFlag;
use thiserror::Error;

use crate::report::access_log::format::Now;
use crate::report::access_log::writer::Writer;
use crate::report::facts::Facts;
use crate::report::reporter::Sink;

pub use crate::report::access_log::writer::LineCounts;

/// How long the end of the process waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

const OFF: u8 = 0;
const TEXT: u8 = 1;
const JSON: u8 = 2;

thread_local! {
    /// The line being made; keeps its memory from line to line.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The access log's file cannot be written to.
#[derive(Debug, Error)]
#[error("cannot open the access log `{path}`")]
pub struct CannotOpen {
    /// MeshConfig's `accessLogFile`.
    pub path: Arc<str>,
    /// Why.
    pub source: io::Error,
}

/// The access log. Shared by all workers; lines still queued are written when it is dropped.
#[derive(Debug)]
pub struct AccessLog {
    encoding: AtomicU8,
    reasons: bool,
    writer: Writer,
}

impl AccessLog {
    /// An access log that is off until [`AccessLog::configure`] gives it a file. Starts its thread.
    ///
    /// # Errors
    /// The kernel's, when no thread can be started.
    pub fn start() -> io::Result<Self> {
        Ok(Self {
            encoding: AtomicU8::new(OFF),
            reasons: false,
            writer: Writer::start()?,
        })
    }

    /// The same log, whose lines tell why calls were decided as they were if `reasons`: one field more at the end, which
    /// Istio's log has not.
    #[must_use]
    pub fn telling_reasons(mut self, reasons: bool) -> Self {
        self.reasons = reasons;
        self
    }

    /// Whether there are lines.
    fn has_lines(&self) -> bool {
        self.encoding.load(Ordering::Relaxed) != OFF
    }

    /// Takes MeshConfig's `accessLogFile` and `accessLogEncoding`: a path, `/dev/stdout`, `/dev/stderr`, or empty for
    /// off. Lines of calls that ended before go where the setting of that time said. A file that was rotated away is
    /// let go, although the path is the same; a target that is still the same file stays open as it is.
    ///
    /// # Errors
    /// When the file cannot be opened; the log then goes on as before.
    pub fn configure(
        &self,
        path: &Arc<str>,
        encoding: AccessLogEncoding,
    ) -> Result<(), CannotOpen> {
        let target = open(path).map_err(|source| CannotOpen {
            path: path.clone(),
            source,
        })?;
        let encoding = match (&target, encoding) {
            (None, _) => OFF,
            (Some(_), AccessLogEncoding::Text) => TEXT,
            (Some(_), AccessLogEncoding::Json) => JSON,
        };
        self.writer.retarget(target);
        self.encoding.store(encoding, Ordering::Relaxed);
        Ok(())
    }

    /// What became of the lines so far.
    pub fn counts(&self) -> LineCounts {
        self.writer.counts()
    }

    /// Waits until every queued line is written, at most this long. Says whether it is so. Blocks the thread.
    pub fn flush(&self, patience: Duration) -> bool {
        self.writer.flush(patience)
    }
}

impl Sink for AccessLog {
    /// Queues the line of a call.
    fn report(&self, facts: &Facts) {
        let format = match self.encoding.load(Ordering::Relaxed) {
            TEXT => format::text,
            JSON => format::json,
            _ => return,
        };
        LINE.with_borrow_mut(|line| {
            line.clear();
            format(facts, Now::read(), line);
            self.writer.queue(line);
        });
    }

    fn wants_reasons(&self) -> bool {
        self.reasons && self.has_lines()
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush(LAST_LINES);
    }
}

/// Standard output is opened as what it is: as a path it may be a socket, or another user's.
fn open(path: &str) -> io::Result<Option<File>> {
    match path {
        "" => Ok(None),
        "/dev/stdout" => io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map(|file| Some(file.into())),
        "/dev/stderr" => io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .map(|file| Some(file.into())),
        // A FIFO without a reader is an error, not a wait.
        path => OpenOptions::new()
            .append(true)
            .create(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)
            .map(Some),
    }
}

#[cfg(test)]
mod tests;
