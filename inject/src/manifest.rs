//! Files with several documents: what is no workload comes out byte for byte as it went in.

mod split;

use std::collections::HashMap;

use egret_config::problem::{Location, Problem, Severity};
use serde_json::Value;

use crate::inject::{Outcome, inject};
use crate::json;
use crate::manifest::split::{Chunk, chunks};
use crate::notice::Notices;
use crate::plan::Owner;
use crate::settings::Settings;
use crate::uninject::uninject;
use crate::workload::each_pod;
use crate::yaml;

/// A file after the work.
#[derive(Debug, Default)]
pub struct Output {
    /// The new text.
    pub text: String,
    /// What is wrong; with an error among them the text is not to be used.
    pub problems: Vec<Problem>,
    /// The objects that were changed, as `Kind namespace/name`.
    pub changed: Vec<String>,
    /// The objects with a pod that were not changed, each with the reason.
    pub skipped: Vec<(String, String)>,
    /// Whether comments are lost in what was changed.
    pub loses_comments: bool,
}

impl Output {
    /// Whether there is an error.
    pub fn has_errors(&self) -> bool {
        self.problems
            .iter()
            .any(|one| one.severity == Severity::Error)
    }
}

/// Injects all pods of a text. `file` is the name that problems have.
pub fn inject_text(file: &str, text: &str, settings: &Settings) -> Output {
    work(file, text, &|pod, owner, notices| {
        inject(pod, owner, settings, notices)
    })
}

/// Takes injection out of all pods of a text.
pub fn uninject_text(file: &str, text: &str) -> Output {
    work(file, text, &|pod, _, _| match uninject(pod) {
        Some(pod) => Outcome::Injected(pod),
        None => Outcome::Skipped("egret has not injected it".to_owned()),
    })
}

/// What is done with a pod.
type Work<'w> = &'w dyn Fn(&Value, &Owner, &mut Notices) -> Outcome;

fn work(file: &str, text: &str, work: Work<'_>) -> Output {
    let mut worker = Worker {
        file,
        work,
        output: Output::default(),
    };
    match json::values(text) {
        Some(values) => worker.json(text, values),
        None => worker.yaml(text),
    }
    worker.output
}

struct Worker<'w> {
    file: &'w str,
    work: Work<'w>,
    output: Output,
}

impl Worker<'_> {
    fn json(&mut self, text: &str, values: Vec<(std::ops::Range<usize>, Value)>) {
        let mut end = 0;
        for (range, mut value) in values {
            self.output.text += text.get(end..range.start).unwrap_or_default();
            end = range.end;
            let raw = text.get(range.clone()).unwrap_or_default();
            let before = text.get(..range.start).unwrap_or_default();
            let line = 1 + count_lines(before);
            if self.document(&mut value, line, &HashMap::new()) {
                self.output.text += &json::write(&value, indent(raw));
            } else {
                self.output.text += raw;
            }
        }
        self.output.text += text.get(end..).unwrap_or_default();
    }

    fn yaml(&mut self, text: &str) {
        for chunk in chunks(text) {
            let mut tree = match yaml::read(chunk.text) {
                Ok(tree) => tree,
                Err((line, message)) => {
                    let location = Location::file(self.file, chunk.line + line - 1);
                    let message = (format!("not YAML: {message}"), "correct the document");
                    self.output
                        .problems
                        .push(Problem::new(Severity::Error, location, message));
                    continue;
                }
            };
            let lines: HashMap<String, u32> = tree
                .lines
                .into_iter()
                .map(|(path, line)| (path, line + chunk.line - 1))
                .collect();
            let body_line = chunk.line + count_lines(chunk.head());
            if !self.document(&mut tree.value, body_line, &lines) {
                self.output.text += chunk.text;
                continue;
            }
            if tree.has_tags {
                let location = Location::file(self.file, body_line);
                let message = (
                    "its YAML tags would be lost",
                    "write the values without tags",
                );
                self.output
                    .problems
                    .push(Problem::new(Severity::Error, location, message));
            }
            self.output.loses_comments |= chunk.has_comments();
            self.output.text += &rewritten(&chunk, &tree.value);
        }
    }

    /// Works on all pods of a document, and gives whether one has changed.
    fn document(&mut self, document: &mut Value, line: u32, lines: &HashMap<String, u32>) -> bool {
        let mut is_changed = false;
        let (work, file, output) = (self.work, self.file, &mut self.output);
        each_pod(document, &mut |site| {
            let mut notices = Notices::default();
            let outcome = work(site.pod, &site.owner, &mut notices);
            for problem in notices.into_problems() {
                let own = line_of(&problem.field, &site.path, lines).unwrap_or(line);
                output.problems.push(Problem {
                    location: Location::file(file, own),
                    object: site.title.clone(),
                    ..problem
                });
            }
            match outcome {
                Outcome::Injected(pod) => {
                    is_changed |= *site.pod != pod;
                    *site.pod = pod;
                    output.changed.push(site.title);
                }
                Outcome::Skipped(reason) => output.skipped.push((site.title, reason)),
                Outcome::Refused => {}
            }
        });
        is_changed
    }
}

/// The line of the annotation, label or field that a problem is about, or else that of the pod.
fn line_of(field: &str, path: &str, lines: &HashMap<String, u32>) -> Option<u32> {
    let (part, key) = match field.split_once(' ') {
        Some(("annotation", key)) => ("/metadata/annotations/", key),
        Some(("label", key)) => ("/metadata/labels/", key),
        _ => ("/", field),
    };
    // A part of an annotation's value stands behind a dot.
    let ends = key.match_indices('.').map(|(at, _)| at);
    let mut ends: Vec<usize> = ends.chain([key.len()]).collect();
    ends.reverse();
    let mut keys = ends.into_iter().filter_map(|end| key.get(..end));
    let own = keys.find_map(|key| {
        let exact = lines.get(&format!("{path}{part}{key}"));
        exact.or_else(|| lines.get(&format!("{path}{part}{}", key.replace('.', "/"))))
    });
    own.or_else(|| lines.get(path)).copied()
}

/// A changed document: the lines before its content stay.
fn rewritten(chunk: &Chunk<'_>, value: &Value) -> String {
    let mut text = chunk.head().to_owned();
    let body = chunk.text.get(text.len()..).unwrap_or_default();
    if body.starts_with("---") {
        text += "---\n";
    }
    let written = yaml::write(value);
    match chunk.text.contains("\r\n") {
        true => text + &written.replace('\n', "\r\n"),
        false => text + &written,
    }
}

/// The indentation of a JSON text; 0 for one line.
fn indent(raw: &str) -> usize {
    let mut lines = raw.lines().skip(1);
    let line = lines.find(|line| !line.trim().is_empty());
    line.map_or(0, |line| line.len() - line.trim_start().len())
        .min(8)
}

fn count_lines(text: &str) -> u32 {
    let count = text.bytes().filter(|byte| *byte == b'\n').count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
