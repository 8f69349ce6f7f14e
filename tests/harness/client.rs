//! Runs the machine's `curl` in a host, as an ordinary user of a pod would.

use std::path::Path;

use anyhow::Context;

use crate::netns::Host;
use crate::process::Process;

/// The user that applications run as in a pod.
pub const APPLICATION_UID: u32 = 1000;

/// What `curl` got.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `HTTP/1.1 301 Moved Permanently`; empty when no answer came.
    pub status_line: String,
    /// The status code; 0 when no answer came.
    pub status: u16,
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// curl's exit code.
    pub exit: i32,
    /// What curl said on standard error, with `-v`'s story of the connection when that was asked for.
    pub errors: String,
    /// The command as one would type it.
    pub command: String,
}

impl Answer {
    /// The first header field of that name, which is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Runs `curl` with `arguments` in `host` and waits for its end.
///
/// # Errors
/// When curl is missing or does not end in time; not when the call fails.
pub fn curl(host: &Host, arguments: &[&str]) -> anyhow::Result<Answer> {
    start(host, arguments)?.finish()
}

/// Starts `curl` with `arguments` in `host` and lets it run.
///
/// # Errors
/// When curl is missing.
pub fn start(host: &Host, arguments: &[&str]) -> anyhow::Result<Running> {
    let mut all = vec!["-q", "-sS", "-i", "--max-time", "12"];
    all.extend(arguments);
    let command = host.command(APPLICATION_UID, Path::new("curl"), &all);
    let process = Process::start(host, command, None).context("curl is needed")?;
    Ok(Running {
        process,
        command: typed(arguments),
    })
}

/// The command as one would type it.
fn typed(arguments: &[&str]) -> String {
    let plain =
        |word: &str| !word.is_empty() && !word.contains([' ', '*', '?', '&', '\'', '"', '$']);
    arguments.iter().fold("curl".to_owned(), |command, &word| {
        if plain(word) {
            format!("{command} {word}")
        } else {
            format!("{command} '{word}'")
        }
    })
}

/// A `curl` that has been started.
#[derive(Debug)]
pub struct Running {
    /// The program and what it has written so far; a line appears once its end has come.
    pub process: Process,
    command: String,
}

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn finish(mut self) -> anyhow::Result<Answer> {
        let exit = self.process.wait()?.code().unwrap_or(-1);
        let lines = self.process.output.all();
        let errors = self.process.errors.all().join("\n");
        Ok(parse(&lines, exit, errors, self.command))
    }
}

fn parse(lines: &[String], exit: i32, errors: String, command: String) -> Answer {
    let mut rest = lines.iter().map(|line| line.trim_end_matches('\r'));
    let (mut status_line, mut headers) = (String::new(), Vec::new());
    // Interim answers such as `100 Continue` come before the real one.
    loop {
        let first = rest.next().unwrap_or_default();
        first.clone_into(&mut status_line);
        headers.clear();
        for line in rest.by_ref().take_while(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        if !status_line.contains(" 1")
            || !status_line
                .split(' ')
                .nth(1)
                .is_some_and(|code| code.starts_with('1'))
        {
            break;
        }
    }
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0);
    let body = rest.map(|line| format!("{line}\n")).collect();
    Answer {
        status_line,
        status,
        headers,
        body,
        exit,
        errors,
        command,
    }
}
