//! The values of labels that Telemetry objects define by expressions.

use std::sync::Arc;

use crate::report::attributes::CallAttributes;
use crate::report::expression_text;
use crate::report::facts::Facts;
use crate::report::metrics::context::Context;
use crate::report::metrics::escape::cut;
use crate::report::metrics::identity::UNKNOWN;
use crate::report::metrics::label_set::LabelSet;
use crate::report::metrics::names::{BoundedNames, NameCache};
use crate::report::metrics::series::Name;
use crate::report::now::Now;

/// The values of the expressions of one label set, as one worker has seen them.
#[derive(Debug)]
pub struct TagValues {
    /// Of each expression, in the order of the label set: the values of its label in the process and on this worker.
    labels: Vec<(Arc<BoundedNames>, NameCache)>,
    /// Those of one call; keeps its memory.
    values: Vec<Name>,
    unknown: Name,
}

impl TagValues {
    /// For the expressions of a label set.
    pub fn new(labels: &LabelSet, context: &Context) -> Self {
        let each = labels.expressions.iter();
        Self {
            labels: each
                .map(|label| (context.values(&label.name), NameCache::default()))
                .collect(),
            values: Vec::new(),
            unknown: context.unknown.clone(),
        }
    }

    /// The values for a call, in the order of the label set's expressions. What has no value is `unknown`.
    pub fn of(&mut self, labels: &LabelSet, facts: &Facts) -> &[Name] {
        self.values.clear();
        if labels.expressions.is_empty() {
            return &[];
        }
        let attributes = CallAttributes::of(facts, Now::at(facts.end_time()));
        for (label, (names, cache)) in labels.expressions.iter().zip(&mut self.labels) {
            let value = label.expression.evaluate(&attributes);
            let text = value.as_ref().ok().and_then(expression_text::text);
            let name = match text.as_deref().map(String::from_utf8_lossy) {
                None => self.unknown.clone(),
                // It needs no place among the values that are kept.
                Some(text) if text == UNKNOWN => self.unknown.clone(),
                Some(text) => Name(names.shared(cut(&text), cache, || false)),
            };
            self.values.push(name);
        }
        &self.values
    }
}
