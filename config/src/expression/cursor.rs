//! The tokens of a text, one after another.

use crate::expression::error::ExpressionError;
use crate::expression::token::{SpannedToken, Token};

/// A text, its tokens, and the token that comes next.
pub(super) struct Cursor<'t> {
    pub(super) text: &'t str,
    pub(super) tokens: &'t [SpannedToken<'t>],
    pub(super) at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn peek(&self) -> Option<&'t Token<'t>> {
        self.tokens.get(self.at).map(|token| &token.token)
    }

    pub(super) fn take(&mut self, mark: &'static str) -> bool {
        let there = self.peek() == Some(&Token::Mark(mark));
        self.at += usize::from(there);
        there
    }

    pub(super) fn expect(&mut self, mark: &'static str) -> Result<(), ExpressionError> {
        if self.take(mark) {
            return Ok(());
        }
        Err(self.error(&format!("`{mark}` is expected here")))
    }

    /// An error at the last token.
    pub(super) fn back<T>(&mut self, reason: &str) -> Result<T, ExpressionError> {
        self.at -= 1;
        Err(self.error(reason))
    }

    /// An error at the next token.
    pub(super) fn error(&self, reason: &str) -> ExpressionError {
        let token_text = self.token_text(self.at);
        match token_text {
            "" => ExpressionError::new("", format!("{reason}, at the end of the expression")),
            token_text => ExpressionError::new(token_text, reason),
        }
    }

    pub(super) fn token_text(&self, at: usize) -> &'t str {
        let token = self.tokens.get(at);
        token.map_or("", |token| &self.text[token.from..token.to])
    }
}
