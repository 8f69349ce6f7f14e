//! What is wrong with a document or a setting, told so that its author can mend it.

use std::fmt;
use std::sync::Arc;

/// Where in the user's texts something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it, or what stands for it (`--mesh-config`).
    pub file: Arc<str>,
    /// The line of the document's start, or of the value where it is known; from 1. 0 means unknown.
    pub line: u32,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The object works, but not as its author may think.
    Warning,
    /// The object (or a whole document) is left out.
    Error,
}

/// One thing wrong with one place of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// File and line.
    pub place: Place,
    /// `Kind namespace/name`, empty when the document was not understood that far.
    pub object: String,
    /// Path of the field, as `spec.http[0].route[1].destination.host`; empty when the whole object is meant.
    pub field: String,
    /// The value found there, shortened; empty when there is none to show.
    pub value: String,
    /// What rule is broken and what to write instead, as a lower-case phrase.
    pub reason: String,
}

impl Problem {
    /// A problem of a place, not yet of an object, field or value.
    pub fn new(severity: Severity, place: Place, reason: impl Into<String>) -> Self {
        Self {
            severity,
            place,
            object: String::new(),
            field: String::new(),
            value: String::new(),
            reason: reason.into(),
        }
    }

    /// The same problem, of an object.
    #[must_use]
    pub fn of(mut self, object: impl Into<String>) -> Self {
        self.object = object.into();
        self
    }

    /// The same problem, of a field and the value found there, which is shortened to one line of moderate length.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>, value: &str) -> Self {
        self.field = field.into();
        self.value = shorten(value);
        self
    }
}

/// How much of a value is shown, in characters.
const SHOWN_MAX: usize = 80;

fn shorten(value: &str) -> String {
    let line = value.trim();
    let mut shown: String = line.chars().take(SHOWN_MAX).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place.file)?;
        if self.place.line > 0 {
            write!(f, ":{}", self.place.line)?;
        }
        for part in [&self.object, &self.field] {
            if !part.is_empty() {
                write!(f, ": {part}")?;
            }
        }
        if !self.value.is_empty() {
            write!(f, ": {:?}", self.value)?;
        }
        write!(f, ": {}", self.reason)
    }
}
