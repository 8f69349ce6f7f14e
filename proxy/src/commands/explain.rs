//! `egret-proxy explain`: what becomes of calls, offline, and why. The same loading, the same snapshot and the same
//! decisions as a running proxy's; nothing here has an opinion of its own.

pub mod call;
pub mod world;
pub mod answer;
pub mod live;
mod output;
mod query;
mod description;
mod resolution;
mod json;
mod text;
mod remedy;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use egret_config::problem::Severity;
use egret_config::snapshot::workload::Workload;
use serde_json::{Value, json};

use crate::commands::explain::call::{Call, WrongCall};
pub use crate::commands::explain::output::Output;
use crate::commands::explain::query::ask;
use crate::commands::explain::world::World;
use crate::source::files;

/// What is asked.
#[derive(Debug)]
pub struct Options {
    /// Where the configuration is.
    pub source: files::Options,
    /// Who calls.
    pub workload: Workload,
    /// Whether the workload's DNS queries are captured, when a call does not say so itself.
    pub dns_capture: bool,
    /// The calls.
    pub calls: Calls,
    /// The form of the answers.
    pub output: Output,
}

/// Where the calls are.
#[derive(Debug)]
pub enum Calls {
    /// One, of the command line.
    One(Box<Call>),
    /// A file of JSON lines; `-` is standard input.
    File(PathBuf),
}

/// Answers every call on `out`; what is wrong with the configuration or with a call goes to `complaints`. Says whether
/// every call was answered.
///
/// # Errors
/// Files that cannot be read, as words; and nobody reading the answers any more.
pub fn run(
    options: &Options,
    out: &mut impl Write,
    complaints: &mut impl Write,
) -> Result<bool, String> {
    let texts = files::texts(&options.source).map_err(|error| error.to_string())?;
    let world = World::load(&texts, &options.workload);
    for problem in &world.problems {
        if problem.severity == Severity::Error {
            let _ = writeln!(complaints, "error: {problem}");
        }
    }
    let mut teller = Teller {
        world,
        options,
        out,
        complaints,
        answered: 0,
        wrong: 0,
    };
    let wrote = match &options.calls {
        Calls::One(call) => teller.answer(call),
        Calls::File(path) => teller.lines(path),
    };
    let wrote = wrote.and_then(|()| teller.out.flush().map_err(Trouble::Write));
    match wrote {
        Ok(()) => Ok(teller.wrong == 0),
        Err(Trouble::Read(message)) => Err(message),
        // Whoever reads has enough, as `head` does.
        Err(Trouble::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        Err(Trouble::Write(error)) => Err(format!("cannot write the answers: {error}")),
    }
}

enum Trouble {
    Read(String),
    Write(io::Error),
}

/// Answers calls one after another.
struct Teller<'a, O, C> {
    world: World,
    options: &'a Options,
    out: &'a mut O,
    complaints: &'a mut C,
    answered: usize,
    wrong: usize,
}

impl<O: Write, C: Write> Teller<'_, O, C> {
    fn lines(&mut self, path: &Path) -> Result<(), Trouble> {
        let cannot = |error: io::Error| {
            Trouble::Read(format!("cannot read {} (--calls): {error}", path.display()))
        };
        let input: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(io::BufReader::new(fs::File::open(path).map_err(cannot)?))
        };
        for (at, line) in input.lines().enumerate() {
            let line = line.map_err(cannot)?;
            if line.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<Value>(&line)
                .map_err(|error| WrongCall::new(format!("not a JSON object: {error}")))
                .and_then(|value| Call::of_json(&value))
            {
                Ok((call, unknown)) => {
                    if !unknown.is_empty() {
                        let _ = writeln!(
                            self.complaints,
                            "warning: {}:{}: unknown keys, ignored: {}",
                            path.display(),
                            at + 1,
                            unknown.join(", ")
                        );
                    }
                    self.answer(&call)?;
                }
                Err(wrong) => self.wrong(&format!("{}:{}: {wrong}", path.display(), at + 1))?,
            }
        }
        Ok(())
    }

    fn answer(&mut self, call: &Call) -> Result<(), Trouble> {
        let dns_capture = call.dns_capture.unwrap_or(self.options.dns_capture);
        let registered = Arc::clone(&self.world.registered);
        let view = self.world.view(dns_capture, &call.to);
        let answer = match ask(view, call) {
            Ok(answer) => answer,
            Err(wrong) => {
                let message = wrong.to_string();
                return self.wrong(&message);
            }
        };
        let wrote = match self.options.output {
            Output::Json => writeln!(self.out, "{}", json::value(&answer)),
            Output::Text => {
                if self.answered > 0 {
                    writeln!(self.out).map_err(Trouble::Write)?;
                }
                let remedy = remedy::remedy(&view.snapshot, &registered, &answer);
                self.out
                    .write_all(text::text(&answer, remedy.as_ref()).as_bytes())
            }
        };
        self.answered += 1;
        wrote.map_err(Trouble::Write)
    }

    /// A call that is none. In JSON its line is kept, so that answers and calls can be counted off against each other.
    fn wrong(&mut self, message: &str) -> Result<(), Trouble> {
        self.wrong += 1;
        let _ = writeln!(self.complaints, "egret-proxy: {message}");
        match self.options.output {
            Output::Json => {
                writeln!(self.out, "{}", json!({ "error": message })).map_err(Trouble::Write)
            }
            Output::Text => Ok(()),
        }
    }
}
