//! Expressions of Telemetry objects: the part of CEL (cel.dev) that filters and tags are written in.
//!
//! An expression is read once, when configuration is loaded: its attributes become values of [`Attribute`], so that it is
//! known which facts of a call it needs. Evaluation borrows from the facts and has CEL's rules for errors: an absent
//! attribute is an error, `true || error` is true, `false && error` is false.
//!
//! There are no maps but those of headers, no macros but `has`, and no time zones. `matches` requires its regular
//! expression in quotes, and reads it as RE2 does, byte by byte.

mod arithmetic;
mod attribute;
mod build;
mod cursor;
mod error;
mod evaluate;
mod functions;
mod infix;
mod literal;
mod node;
mod operand;
mod parser;
mod time;
mod token;
mod value;

pub use crate::expression::attribute::{Attribute, Attributes};
pub use crate::expression::error::{EvaluationError, ExpressionError};
pub use crate::expression::value::Value;

use crate::expression::node::Node;
use crate::expression::parser::Parser;

/// Bytes of an expression that are read.
const LENGTH_MAX: usize = 16 << 10;

/// An expression that was understood.
#[derive(Clone, Debug)]
pub struct Expression {
    text: Box<str>,
    root: Node,
    attributes: Vec<Attribute>,
    unknown: Vec<Box<str>>,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// The token that is no CEL, or CEL that egret does not evaluate.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        if text.len() > LENGTH_MAX {
            let start: String = text.chars().take(20).collect();
            let reason = format!("longer than {} KiB", LENGTH_MAX >> 10);
            return Err(ExpressionError::new(start, reason));
        }
        let tokens = token::tokens(text)?;
        let mut parser = Parser::new(text, &tokens);
        let root = parser.whole()?;
        let unknown = parser.unknown;
        let mut attributes = Vec::new();
        root.collect(&mut attributes);
        Ok(Self {
            text: text.into(),
            root,
            attributes,
            unknown,
        })
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The attributes that it reads, each once.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The unknown attributes, as they are written. They are absent in every call.
    pub fn unknown(&self) -> &[Box<str>] {
        &self.unknown
    }

    /// The value for a call.
    ///
    /// # Errors
    /// Those of CEL: absent attributes, types that do not fit, overflow.
    pub fn evaluate<'v>(
        &'v self,
        attributes: &'v impl Attributes,
    ) -> Result<Value<'v>, EvaluationError> {
        evaluate::evaluate(&self.root, attributes)
    }

    /// Whether the value for a call is `true`; an error and any other value are not.
    pub fn holds(&self, attributes: &impl Attributes) -> bool {
        matches!(self.evaluate(attributes), Ok(Value::Bool(true)))
    }
}

#[cfg(test)]
mod tests;
