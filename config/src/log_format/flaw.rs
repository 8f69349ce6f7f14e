//! What can be wrong with a format.

use std::fmt;

/// Why a text is no format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatFlaw {
    /// What is wrong, as it stands in the format.
    pub word: String,
    /// Why, as a lower-case phrase.
    pub reason: String,
}

impl FormatFlaw {
    pub(in crate::log_format) fn new(word: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            word: word.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for FormatFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.word, self.reason)
    }
}

impl std::error::Error for FormatFlaw {}
