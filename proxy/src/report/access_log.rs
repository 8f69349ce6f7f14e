//! The access log: a line for each request, and for each connection that carries no HTTP, in the files and forms that
//! MeshConfig and Telemetry ask for.
//!
//! A line is made on the worker's thread in a buffer that the thread keeps, and appended to a bounded queue of the thread,
//! from which one thread for each file writes in batches. When too much waits, because the file does not keep up, lines
//! are dropped and counted; calls never wait for the log.

pub mod call;
pub mod environment;
pub mod json;
pub mod line;
pub mod text;
pub mod time;
pub mod value;
pub mod values;
mod writer;

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use egret_config::expression::Expression;
use egret_config::log_format::FormatError;
use egret_config::model::mesh::FormatSource;
use egret_config::snapshot::telemetry::AccessLogTarget;
use nix::fcntl::OFlag;
use thiserror::Error;

use crate::lock::lock;
use crate::report::access_log::line::Line;
use crate::report::access_log::writer::{Counts, Target, Writer};
use crate::report::attributes::CallAttributes;
use crate::report::facts::Facts;
use crate::report::needs::Needs;
use crate::report::now::Now;
use crate::report::reporter::Sink;

/// How long the end of the process waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

thread_local! {
    /// The line being made; keeps its memory from line to line.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What is wrong with a log that is configured.
#[derive(Debug, Error)]
pub enum AccessLogError {
    /// Its file cannot be written to.
    #[error("cannot open the access log `{path}`: {source}")]
    Open {
        /// The file.
        path: Arc<str>,
        /// Why.
        source: io::Error,
    },
    /// Its format is none. The configuration says so, too.
    #[error("the format of the access log `{path}` cannot be used: {flaw}")]
    Format {
        /// The file.
        path: Arc<str>,
        /// Why.
        flaw: FormatError,
    },
}

/// What became of lines since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCounts {
    /// Lines that a file took.
    pub written: u64,
    /// Lines that were dropped, because too much waited or the file failed.
    pub dropped: u64,
}

/// The access log. Shared by all workers; lines still queued are written when it is dropped.
#[derive(Debug)]
pub struct AccessLog {
    /// There are outputs. Without any, a call costs no more than this look.
    on: AtomicBool,
    outputs: ArcSwap<Vec<Output>>,
    files: Mutex<Vec<OpenFile>>,
    counts: Arc<Counts>,
    reasons: bool,
}

/// Lines of one form that go to one file.
#[derive(Debug)]
struct Output {
    line: Line,
    filter: Option<Arc<Expression>>,
    writer: Arc<Writer>,
}

/// A file that is open.
#[derive(Debug)]
struct OpenFile {
    path: Arc<str>,
    writer: Arc<Writer>,
}

impl AccessLog {
    /// An access log that is off until [`AccessLog::configure`] gives it files. With `reasons` lines of the default formats
    /// tell why calls were decided as they were: one field more at the end, which Istio's log has not.
    pub fn new(reasons: bool) -> Self {
        Self {
            on: AtomicBool::new(false),
            outputs: ArcSwap::default(),
            files: Mutex::default(),
            counts: Arc::default(),
            reasons,
        }
    }

    /// Takes what the configuration says: a path is that of a file, `/dev/stdout` or `/dev/stderr`. Lines of calls that
    /// ended before go where the configuration of that time said. A file that was rotated away is let go, although the
    /// path is the same; one that is still the same stays open as it is. What the log asks of the facts comes back, with
    /// what is wrong: a file that cannot be opened stays what it was, if it was open, and a format that is none is the
    /// default one.
    pub fn configure(&self, targets: &[AccessLogTarget]) -> (Needs, Vec<AccessLogError>) {
        let mut needs = Needs::default();
        let mut errors = Vec::new();
        let mut files = lock(&self.files);
        let mut open = Vec::new();
        let mut outputs = Vec::new();
        for target in targets {
            let Some(writer) = self.writer(&target.path, &mut open, &files, &mut errors) else {
                continue;
            };
            let line = self.line(target, &mut errors);
            line.add_needs(&mut needs);
            if let Some(filter) = &target.filter {
                needs.add_expression(filter);
            }
            outputs.push(Output {
                line,
                filter: target.filter.clone(),
                writer,
            });
        }
        let on = !outputs.is_empty();
        self.outputs.store(Arc::new(outputs));
        self.on.store(on, Ordering::Relaxed);
        *files = open;
        (needs, errors)
    }

    /// The writer of a path. It is opened anew, unless this configuration has it already.
    fn writer(
        &self,
        path: &Arc<str>,
        open: &mut Vec<OpenFile>,
        before: &[OpenFile],
        errors: &mut Vec<AccessLogError>,
    ) -> Option<Arc<Writer>> {
        if let Some(file) = open.iter().find(|file| file.path == *path) {
            return Some(Arc::clone(&file.writer));
        }
        let started = open_file(path).map(Target::new).and_then(|target| {
            let mut known = open.iter().chain(before);
            match known.find(|file| file.writer.is_of(&target)) {
                Some(file) => Ok(Arc::clone(&file.writer)),
                None => {
                    Writer::start(target, Arc::clone(path), Arc::clone(&self.counts)).map(Arc::new)
                }
            }
        });
        let writer = match started {
            Ok(writer) => writer,
            Err(source) => {
                let path = Arc::clone(path);
                let known = before.iter().find(|file| file.path == path);
                errors.push(AccessLogError::Open { path, source });
                Arc::clone(&known?.writer)
            }
        };
        open.push(OpenFile {
            path: Arc::clone(path),
            writer: Arc::clone(&writer),
        });
        Some(writer)
    }

    fn line(&self, target: &AccessLogTarget, errors: &mut Vec<AccessLogError>) -> Line {
        let read = |source: &FormatSource| Line::of(source, target.omit_empty, self.reasons);
        read(&target.format).unwrap_or_else(|flaw| {
            let path = Arc::clone(&target.path);
            errors.push(AccessLogError::Format { path, flaw });
            let default = match target.format {
                FormatSource::DefaultJson | FormatSource::Json(_) => FormatSource::DefaultJson,
                FormatSource::DefaultText | FormatSource::Text(_) => FormatSource::DefaultText,
            };
            // The default formats are formats.
            read(&default).unwrap_or_default()
        })
    }

    /// What became of the lines so far.
    pub fn counts(&self) -> LineCounts {
        LineCounts {
            written: self.counts.written.load(Ordering::Relaxed),
            dropped: self.counts.dropped.load(Ordering::Relaxed),
        }
    }

    /// Waits until every queued line is written, at most this long for each file. Returns whether they are. Blocks the
    /// thread.
    pub fn flush(&self, patience: Duration) -> bool {
        let files = lock(&self.files);
        files.iter().all(|file| file.writer.flush(patience))
    }
}

impl Sink for AccessLog {
    /// Queues the lines of a call.
    fn report(&self, facts: &Facts) {
        if !self.on.load(Ordering::Relaxed) {
            return;
        }
        let outputs = self.outputs.load();
        let now = Now::at(facts.end_time());
        for output in &**outputs {
            if let Some(filter) = &output.filter
                && !filter.holds(&CallAttributes::of(facts, now))
            {
                continue;
            }
            LINE.with_borrow_mut(|line| {
                line.clear();
                output.line.append(line, facts, now);
                output.writer.queue(line);
            });
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush(LAST_LINES);
    }
}

/// Standard output is opened as what it is: as a path it may be a socket, or another user's.
fn open_file(path: &str) -> io::Result<File> {
    match path {
        "/dev/stdout" => io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map(|file| file.into()),
        "/dev/stderr" => io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .map(|file| file.into()),
        // A FIFO without a reader is an error, not a wait.
        path => OpenOptions::new()
            .append(true)
            .create(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path),
    }
}

#[cfg(test)]
mod tests;
