//! Families as text: Prometheus' format 0.0.4.

use std::fmt::Write;

use crate::report::metrics::definition::Kind;
use crate::report::metrics::family::{Family, Value};
use crate::report::metrics::histogram::HistogramValue;

/// The content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text of all families, in the order given. A family that has no sample has its type all the same if it says what it
/// is: so it is seen from the start.
pub fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        append(&mut text, family);
    }
    text
}

fn append(text: &mut String, family: &Family) {
    let definition = family.definition;
    if family.samples.is_empty() && definition.help.is_empty() {
        return;
    }
    let (name, kind) = (definition.name, definition.kind);
    if !definition.help.is_empty() {
        line(text, format_args!("# HELP {name} {}", definition.help));
    }
    line(text, format_args!("# TYPE {name} {}", kind.name()));
    for (labels, value) in &family.samples {
        match value {
            Value::Histogram(value) => histogram(text, name, labels, value),
            Value::Integer(value) => line(text, format_args!("{name}{} {value}", Braced(labels))),
            Value::Float(value) => {
                line(
                    text,
                    format_args!("{name}{} {}", Braced(labels), Number(*value)),
                );
            }
        }
        debug_assert_eq!(
            matches!(value, Value::Histogram(_)),
            kind == Kind::Histogram
        );
    }
}

fn histogram(text: &mut String, name: &str, labels: &str, value: &HistogramValue) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut count = 0;
    for (index, more) in value.counts.iter().enumerate() {
        count += more;
        let bound = value.buckets.bounds.get(index);
        let bound = Number(bound.copied().unwrap_or(f64::INFINITY));
        line(
            text,
            format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"),
        );
    }
    let braced = Braced(labels);
    line(
        text,
        format_args!("{name}_sum{braced} {}", Number(value.sum())),
    );
    line(text, format_args!("{name}_count{braced} {count}"));
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // A String takes whatever is written.
    let _ = text.write_fmt(words);
    text.push('\n');
}

/// Labels in braces, if there are any.
struct Braced<'l>(&'l str);

impl std::fmt::Display for Braced<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            "" => Ok(()),
            labels => write!(f, "{{{labels}}}"),
        }
    }
}

/// A number as the format has it.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            value if value == f64::INFINITY => f.write_str("+Inf"),
            value if value == f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}
