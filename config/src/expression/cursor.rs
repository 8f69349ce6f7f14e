//! The tokens of a text, one after another.

use crate::expression::error::Flaw;
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

    pub(super) fn expect(&mut self, mark: &'static str) -> Result<(), Flaw> {
        if self.take(mark) {
            return Ok(());
        }
        Err(self.flaw(&format!("`{mark}` is expected here")))
    }

    /// A flaw of the last token.
    pub(super) fn back<T>(&mut self, reason: &str) -> Result<T, Flaw> {
        self.at -= 1;
        Err(self.flaw(reason))
    }

    /// A flaw of the next token.
    pub(super) fn flaw(&self, reason: &str) -> Flaw {
        let word = self.word(self.at);
        match word {
            "" => Flaw::new("", format!("{reason}, at the end of the expression")),
            word => Flaw::new(word, reason),
        }
    }

    pub(super) fn word(&self, at: usize) -> &'t str {
        let token = self.tokens.get(at);
        token.map_or("", |token| &self.text[token.from..token.to])
    }
}
