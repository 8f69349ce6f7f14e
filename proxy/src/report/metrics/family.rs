//! What is scraped, as data: families with their samples.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::report::metrics::definition::Definition;
use crate::report::metrics::escape;
use crate::report::metrics::histogram::HistogramValue;

/// One family at a moment.
#[derive(Debug)]
pub struct Family {
    /// What it is.
    pub definition: &'static Definition,
    /// Its samples by their labels, as the text format writes them without braces.
    pub samples: BTreeMap<Arc<str>, Value>,
}

/// The value of a sample.
#[derive(Clone, Debug)]
pub enum Value {
    /// A count.
    Integer(u64),
    /// Any number.
    Float(f64),
    /// A histogram.
    Histogram(HistogramValue),
}

impl Family {
    /// A family without samples.
    pub fn new(definition: &'static Definition) -> Self {
        Self {
            definition,
            samples: BTreeMap::new(),
        }
    }

    /// A family with one sample without labels.
    pub fn single(definition: &'static Definition, value: Value) -> Self {
        let mut family = Self::new(definition);
        family.add(&"".into(), value);
        family
    }

    /// Adds a value to the sample with these labels.
    pub fn add(&mut self, labels: &Arc<str>, value: Value) {
        match self.samples.get_mut(labels) {
            Some(known) => known.add(value),
            None => {
                self.samples.insert(Arc::clone(labels), value);
            }
        }
    }
}

impl Value {
    fn add(&mut self, other: Self) {
        match (self, other) {
            (Self::Integer(sum), Self::Integer(more)) => *sum = sum.wrapping_add(more),
            (Self::Float(sum), Self::Float(more)) => *sum += more,
            (Self::Histogram(sum), Self::Histogram(more)) => sum.merge(&more),
            // A family has values of one kind.
            (known, other) => *known = other,
        }
    }
}

/// The labels of a family with these values, in the order of the definition.
pub fn labels(of: &Definition, values: &[&str]) -> Arc<str> {
    let mut text = String::new();
    for (name, value) in of.labels.iter().zip(values) {
        escape::label(&mut text, name, value);
    }
    text.into()
}
