//! A program that runs in a host: its lines, its end.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use anyhow::Context;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::DEADLINE;
use crate::ledger::Ledger;
use crate::netns::Host;

/// A started program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    /// What it wrote to standard output, line by line.
    pub output: Ledger<String>,
    /// What it wrote to standard error, line by line.
    pub errors: Ledger<String>,
    child: Child,
    ended: Receiver<()>,
}

/// How a program ended, and all it wrote.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code, -1 when a signal ended it.
    pub code: i32,
    /// All of standard output.
    pub output: String,
    /// All of standard error.
    pub errors: String,
}

impl Process {
    /// Starts `command` in `host`. Its lines also go to `log_file`, if one is given.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(host: &Host, command: Command, log_file: Option<&Path>) -> anyhow::Result<Self> {
        let file = match log_file {
            Some(path) => Some(Arc::new(Mutex::new(
                File::options().append(true).create(true).open(path)?,
            ))),
            None => None,
        };
        let mut child = host.spawn(command)?;
        let (output, errors) = (Ledger::default(), Ledger::default());
        let (end, ended) = mpsc::channel();
        collect(
            child.stdout.take().context("output is piped")?,
            output.clone(),
            file.clone(),
            end.clone(),
        );
        collect(
            child.stderr.take().context("errors are piped")?,
            errors.clone(),
            file,
            end,
        );
        Ok(Self {
            output,
            errors,
            child,
            ended,
        })
    }

    /// Runs `command` in `host` to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end in time.
    pub fn run(host: &Host, command: Command) -> anyhow::Result<Finished> {
        let mut process = Self::start(host, command, None)?;
        let status = process.wait()?;
        let text =
            |lines: &Ledger<String>| lines.all().iter().map(|line| format!("{line}\n")).collect();
        Ok(Finished {
            code: status.code().unwrap_or(-1),
            output: text(&process.output),
            errors: text(&process.errors),
        })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// When the kernel does not know.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.child.id())?;
        Ok(nix::sys::signal::kill(Pid::from_raw(id), signal)?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still writes, or could, after [`DEADLINE`]; it is killed then.
    pub fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        for _stream in ["output", "errors"] {
            if self.ended.recv_timeout(DEADLINE).is_err() {
                self.child.kill()?;
                anyhow::bail!(
                    "the program did not end in time; it wrote:\n{}",
                    self.errors.all().join("\n")
                );
            }
        }
        Ok(self.child.wait()?)
    }

    /// Both streams as one text, for messages about a failure.
    #[must_use]
    pub fn everything(&self) -> String {
        format!(
            "{}\n{}",
            self.errors.all().join("\n"),
            self.output.all().join("\n")
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The memory that a process has, in KiB.
///
/// # Errors
/// When there is no such process.
pub fn resident(id: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("a process has memory")?;
    let number = line.trim().trim_end_matches("kB").trim();
    Ok(number.parse()?)
}

fn collect(
    stream: impl Read + Send + 'static,
    lines: Ledger<String>,
    file: Option<Arc<Mutex<File>>>,
    end: Sender<()>,
) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some(file) = file.as_ref().and_then(|file| file.lock().ok()) {
                // The file is for readers of a failed run; the ledger is what counts.
                let _ = writeln!(&*file, "{line}");
            }
            lines.push(line);
        }
        // Nobody listens any more when the process was dropped.
        let _ = end.send(());
    });
}
