//! Problems of a pod before anything is known of the file that it comes from.

use egret_config::problem::{Location, Message, Problem, Severity};

/// Problems of one pod, or of settings.
#[derive(Debug, Default)]
pub struct Notices {
    list: Vec<Problem>,
}

impl Notices {
    /// The value of `field` cannot be used: the pod is refused.
    pub fn error(&mut self, field: impl Into<String>, value: &str, message: impl Into<Message>) {
        self.push(Severity::Error, field, value, message);
    }

    /// The value of `field` may not do what its author thinks.
    pub fn warn(&mut self, field: impl Into<String>, value: &str, message: impl Into<Message>) {
        self.push(Severity::Warning, field, value, message);
    }

    fn push(
        &mut self,
        severity: Severity,
        field: impl Into<String>,
        value: &str,
        message: impl Into<Message>,
    ) {
        let problem = Problem::new(severity, Location::default(), message).at(field, value);
        self.list.push(problem);
    }

    /// Whether there is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|one| one.severity == Severity::Error)
    }

    /// The problems, in the order in which they were found.
    pub fn into_problems(self) -> Vec<Problem> {
        self.list
    }

    /// Adds the problems of another.
    pub fn extend(&mut self, other: Self) {
        self.list.extend(other.list);
    }
}

/// The field of a problem with an annotation.
pub fn annotation(name: &str) -> String {
    format!("annotation {name}")
}
