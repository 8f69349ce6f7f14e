//! What can be wrong with an expression, and with an evaluation.

use std::fmt;

/// Why a text is no expression that egret can evaluate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    /// The token that is wrong; empty at the end of the text.
    pub excerpt: String,
    /// What is wrong, as a lower-case phrase.
    pub reason: String,
}

/// Why an evaluation has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvaluationError {
    /// An attribute that the call does not have, or that is unknown.
    Absent,
    /// An operator or a function that does not exist for these types.
    Types,
    /// A result that its type cannot hold.
    Overflow,
    /// A division by zero.
    Division,
    /// A text that is no value of the expected type, or an index outside of a list.
    Range,
}

impl ExpressionError {
    pub(super) fn new(excerpt: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            excerpt: excerpt.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.excerpt {
            "" => f.write_str(&self.reason),
            excerpt => write!(f, "`{excerpt}`: {}", self.reason),
        }
    }
}

impl std::error::Error for ExpressionError {}

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "no such attribute",
            Self::Types => "no such overload",
            Self::Overflow => "overflow",
            Self::Division => "division by zero",
            Self::Range => "invalid value",
        })
    }
}

impl std::error::Error for EvaluationError {}
