//! What can be wrong with a format.

use std::fmt;

/// Why a text is no format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// What is wrong, as it is written in the format.
    pub excerpt: String,
    /// Why, as a lower-case phrase.
    pub reason: String,
}

impl FormatError {
    pub(in crate::log_format) fn new(
        excerpt: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            excerpt: excerpt.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.excerpt, self.reason)
    }
}

impl std::error::Error for FormatError {}
