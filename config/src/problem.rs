//! Problems of a document or a setting, with their location and what to write instead.

use std::fmt;
use std::sync::Arc;

/// Where a document comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// A line of a file.
    File {
        /// The file as the user named it, or below the folder that the user named.
        file: Arc<str>,
        /// The line of the document's start, or of the value where it is known; from 1. 0 means unknown.
        line: u32,
    },
    /// An object that a server holds, which has no lines.
    Object {
        /// The server, such as `kubernetes`.
        source: Arc<str>,
        /// The object's `metadata.resourceVersion`. Opaque: versions are compared for equality only.
        version: Arc<str>,
    },
}

impl Location {
    /// The line `line` of `file`; 0 when the line is unknown.
    pub fn file(file: impl Into<Arc<str>>, line: u32) -> Self {
        Self::File {
            file: file.into(),
            line,
        }
    }

    /// The file; `None` for an object of a server.
    pub fn file_name(&self) -> Option<&Arc<str>> {
        match self {
            Self::File { file, .. } => Some(file),
            Self::Object { .. } => None,
        }
    }

    /// The line; 0 when it is unknown, and for an object of a server.
    pub fn line(&self) -> u32 {
        match self {
            Self::File { line, .. } => *line,
            Self::Object { .. } => 0,
        }
    }

    /// The line `line` of the same file. An object of a server has no lines: its location is the same.
    #[must_use]
    pub fn at_line(&self, line: u32) -> Self {
        match self {
            Self::File { file, .. } => Self::file(file.clone(), line),
            Self::Object { .. } => self.clone(),
        }
    }
}

impl Default for Location {
    /// No location: a file without a name.
    fn default() -> Self {
        Self::file("", 0)
    }
}

impl fmt::Display for Location {
    /// `file:line`, `file`, or `source (resourceVersion version)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line: 0 } => f.write_str(file),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Object { source, version } => write!(f, "{source} (resourceVersion {version})"),
        }
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The object works, but not as its author may think.
    Warning,
    /// The object (or a whole document) is left out.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing wrong with one part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// Where its document comes from.
    pub location: Location,
    /// `Kind namespace/name`, empty when the document was not understood that far.
    pub object: String,
    /// Path of the field, as `spec.http[0].route[1].destination.host`; empty when the whole object is meant.
    pub field: String,
    /// The value found there, shortened; empty when there is none to show.
    pub value: String,
    /// What rule is broken or what happens, as a lower-case phrase.
    pub reason: String,
    /// What to write instead, as a lower-case phrase; empty when nothing is known to help.
    pub hint: String,
}

/// What is wrong, and what to write instead where that is known: made of a phrase, or of a pair of phrases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    reason: String,
    hint: String,
}

impl From<String> for Message {
    /// A phrase `expected …` is also what to write.
    fn from(reason: String) -> Self {
        let hint = expected(&reason).map(|expected| format!("write {expected}"));
        Self {
            hint: hint.unwrap_or_default(),
            reason,
        }
    }
}

impl From<&str> for Message {
    fn from(reason: &str) -> Self {
        reason.to_owned().into()
    }
}

impl<R: Into<String>, I: Into<String>> From<(R, I)> for Message {
    fn from((reason, hint): (R, I)) -> Self {
        Self {
            reason: reason.into(),
            hint: hint.into(),
        }
    }
}

impl Problem {
    /// A problem at a location, not yet of an object, field or value.
    pub fn new(severity: Severity, location: Location, message: impl Into<Message>) -> Self {
        let Message { reason, hint } = message.into();
        Self {
            severity,
            location,
            object: String::new(),
            field: String::new(),
            value: String::new(),
            reason,
            hint,
        }
    }

    /// Whether the reason itself has the hint, as `expected …` does.
    fn reason_has_hint(&self) -> bool {
        let expected = expected(&self.reason);
        expected.is_some() && expected == self.hint.strip_prefix("write ")
    }

    /// The same problem, of an object.
    #[must_use]
    pub fn of(mut self, object: impl Into<String>) -> Self {
        self.object = object.into();
        self
    }

    /// The same problem, of a field and the value found there, both shortened to a moderate length: keys are untrusted
    /// input, too.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>, value: &str) -> Self {
        self.field = shorten(&field.into(), FIELD_MAX);
        self.value = shorten(value, SHOWN_MAX);
        self
    }
}

/// What a reason expects, if it is `expected …` or ends so.
fn expected(reason: &str) -> Option<&str> {
    reason.strip_prefix("expected ").or_else(|| {
        let (_, expected) = reason.split_once(": expected ")?;
        Some(expected)
    })
}

/// The longest value in a problem, in characters.
const SHOWN_MAX: usize = 80;

/// The longest path of a field in a problem, in characters.
const FIELD_MAX: usize = 240;

fn shorten(value: &str, most: usize) -> String {
    let line = value.trim();
    let mut short: String = line.chars().take(most).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.location)?;
        for part in [&self.object, &self.field] {
            if !part.is_empty() {
                write!(f, ": {part}")?;
            }
        }
        if !self.value.is_empty() {
            write!(f, ": {:?}", self.value)?;
        }
        write!(f, ": {}", self.reason)?;
        if !self.hint.is_empty() && !self.reason_has_hint() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

/// The most problems of one object that are reported.
const REPORTED_MAX: usize = 100;

/// The problems of one object while it is read, and the path of the current field.
#[derive(Debug)]
pub(crate) struct Diagnostics<'a> {
    location: &'a Location,
    object: &'a str,
    path: String,
    errors: usize,
    reported: usize,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Diagnostics<'a> {
    /// Diagnostics of the object called `object` (`Kind namespace/name`) written at `location`; fields are below `root`.
    pub(crate) fn new(
        location: &'a Location,
        object: &'a str,
        root: &str,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self {
            location,
            object,
            path: root.to_owned(),
            errors: 0,
            reported: 0,
            problems,
        }
    }

    /// Looks at what is below `part` of the present field: a name as users write it, or `[index]`.
    pub(crate) fn within<T>(
        &mut self,
        part: impl fmt::Display,
        look: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.path.len();
        push_part(&mut self.path, part);
        let result = look(self);
        self.path.truncate(before);
        result
    }

    /// Looks at each element of the list `part`, and keeps those that could be understood.
    pub(crate) fn each<'s, S, T>(
        &mut self,
        part: &str,
        list: &'s [S],
        mut look: impl FnMut(&mut Self, &'s S) -> Option<T>,
    ) -> Vec<T> {
        self.within(part, |diagnostics| {
            let elements = list.iter().enumerate();
            elements
                .filter_map(|(index, one)| {
                    diagnostics.within(format_args!("[{index}]"), |diagnostics| {
                        look(diagnostics, one)
                    })
                })
                .collect()
        })
    }

    /// The object cannot be used because of `part` of the present field (empty: the field itself).
    pub(crate) fn error(
        &mut self,
        part: &str,
        value: impl fmt::Display,
        message: impl Into<Message>,
    ) {
        self.errors += 1;
        self.report(Severity::Error, part, value, message);
    }

    /// The object cannot be used because of the value at `path`, outside of the current field.
    pub(crate) fn error_elsewhere(&mut self, path: &str, value: &str, message: impl Into<Message>) {
        let here = std::mem::replace(&mut self.path, path.to_owned());
        self.error("", value, message);
        self.path = here;
    }

    /// The value at `path`, outside of the current field, may not do what its author thinks.
    pub(crate) fn warn_elsewhere(&mut self, path: &str, value: &str, message: impl Into<Message>) {
        let here = std::mem::replace(&mut self.path, path.to_owned());
        self.warn("", value, message);
        self.path = here;
    }

    /// `part` of the present field may not do what its author thinks.
    pub(crate) fn warn(
        &mut self,
        part: &str,
        value: impl fmt::Display,
        message: impl Into<Message>,
    ) {
        self.report(Severity::Warning, part, value, message);
    }

    /// Whether there was no error.
    pub(crate) fn passed(&self) -> bool {
        self.errors == 0
    }

    fn report(
        &mut self,
        severity: Severity,
        part: &str,
        value: impl fmt::Display,
        message: impl Into<Message>,
    ) {
        self.reported += 1;
        if self.reported > REPORTED_MAX {
            return;
        }
        let mut path = self.path.clone();
        push_part(&mut path, part);
        let problem = Problem::new(severity, self.location.clone(), message)
            .of(self.object)
            .at(path, &value.to_string());
        self.problems.push(problem);
    }
}

fn push_part(path: &mut String, part: impl fmt::Display) {
    use fmt::Write;
    let before = path.len();
    // Writing to a String cannot fail.
    let _ = write!(path, "{part}");
    if before > 0 && path.len() > before && !path[before..].starts_with('[') {
        path.insert(before, '.');
    }
}

/// Writing nothing where a problem has no value to show.
pub(crate) const NO_VALUE: &str = "";
