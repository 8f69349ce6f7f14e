//! `egret-proxy explain`: explains offline how calls are decided. It loads, compiles and decides with the code of the
//! running proxy; this module only formats the result.

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

/// The options of `explain`.
#[derive(Debug)]
pub struct Options {
    /// Where the configuration is.
    pub source: files::Options,
    /// The workload that calls.
    pub workload: Workload,
    /// Whether the workload's DNS queries are captured, for calls without a setting of their own.
    pub dns_capture: bool,
    /// The calls.
    pub calls: Calls,
    /// The form of the answers.
    pub output: Output,
}

/// The source of the calls.
#[derive(Debug)]
pub enum Calls {
    /// One, of the command line.
    One(Box<Call>),
    /// A file of JSON lines; `-` is standard input.
    File(PathBuf),
}

/// Writes the answer of every call to `out`, and problems of the configuration and of calls to `problems`. Returns whether
/// every call was answered.
///
/// # Errors
/// A message about files that cannot be read, or about answers that cannot be written.
pub fn run(
    options: &Options,
    out: &mut impl Write,
    problems: &mut impl Write,
) -> Result<bool, String> {
    let texts = files::texts(&options.source).map_err(|error| error.to_string())?;
    let world = World::load(&texts, &options.workload);
    for problem in &world.problems {
        if problem.severity == Severity::Error {
            let _ = writeln!(problems, "error: {problem}");
        }
    }
    let mut teller = Explainer {
        world,
        options,
        out,
        problems,
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
        // The reader has closed the pipe, as `head` does.
        Err(Trouble::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        Err(Trouble::Write(error)) => Err(format!("cannot write the answers: {error}")),
    }
}

enum Trouble {
    Read(String),
    Write(io::Error),
}

/// Explains calls one after another.
struct Explainer<'a, O, C> {
    world: World,
    options: &'a Options,
    out: &'a mut O,
    problems: &'a mut C,
    answered: usize,
    wrong: usize,
}

impl<O: Write, C: Write> Explainer<'_, O, C> {
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
                            self.problems,
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

    /// Reports an invalid call. In JSON it has an answer line too, so that the lines of answers match those of calls.
    fn wrong(&mut self, message: &str) -> Result<(), Trouble> {
        self.wrong += 1;
        let _ = writeln!(self.problems, "egret-proxy: {message}");
        match self.options.output {
            Output::Json => {
                writeln!(self.out, "{}", json!({ "error": message })).map_err(Trouble::Write)
            }
            Output::Text => Ok(()),
        }
    }
}
