//! Problems of objects in combination, each reported once.

use std::collections::HashSet;

use crate::model::meta::Meta;
use crate::problem::{Problem, Severity};

/// A collector that keeps the first of equal problems.
#[derive(Default)]
pub(crate) struct ProblemSet {
    list: Vec<Problem>,
    reported: HashSet<String>,
}

impl ProblemSet {
    /// Adds a problem, unless it was reported.
    pub(crate) fn add(&mut self, problem: Problem) {
        if self.reported.insert(problem.to_string()) {
            self.list.push(problem);
        }
    }

    /// A warning about an object, to be completed.
    pub(crate) fn warning(meta: &Meta) -> Problem {
        Problem {
            severity: Severity::Warning,
            location: meta.location.clone(),
            object: meta.title(),
            field: String::new(),
            value: String::new(),
            reason: String::new(),
            hint: String::new(),
        }
    }

    /// The problems, in the order in which they were found.
    pub(crate) fn finish(self) -> Vec<Problem> {
        self.list
    }
}
