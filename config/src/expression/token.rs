//! The tokens of an expression.

use crate::expression::error::ExpressionError;
use crate::expression::literal;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// A name, or a word that CEL reserves.
    Name(&'t str),
    /// A whole number, without its sign.
    Int(u64),
    /// A whole number with `u`.
    Uint(u64),
    /// A number with a fraction or an exponent.
    Double(f64),
    /// A text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An operator, a bracket, a dot or a comma.
    Mark(&'static str),
}

/// A token, and its range in the text, in bytes.
#[derive(Clone, Debug)]
pub(super) struct SpannedToken<'t> {
    pub(super) token: Token<'t>,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Words that CEL reserves.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Whether CEL reserves a word.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Longer ones come first.
const MARKS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "%", "(", ")", "[", "]",
    "{", "}", ".", ",", "?", ":",
];

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Result<Vec<SpannedToken<'_>>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let blank = rest.len()
            - rest
                .trim_start_matches([' ', '\t', '\n', '\r', '\x0c'])
                .len();
        let skipped = match rest.strip_prefix("//") {
            Some(comment) => 2 + comment.find('\n').unwrap_or(comment.len()),
            None => blank,
        };
        if skipped > 0 {
            at += skipped;
            continue;
        }
        let (token, length) = token(rest)?;
        tokens.push(SpannedToken {
            token,
            from: at,
            to: at + length,
        });
        at += length;
    }
    Ok(tokens)
}

/// The first token of a text, and its length.
fn token(rest: &str) -> Result<(Token<'_>, usize), ExpressionError> {
    if let Some((value, length)) = literal::text(rest)? {
        return Ok(match value {
            literal::Text::String(text) => (Token::String(text), length),
            literal::Text::Bytes(bytes) => (Token::Bytes(bytes), length),
        });
    }
    if let Some((value, length)) = literal::number(rest)? {
        return Ok(match value {
            literal::Number::Int(number) => (Token::Int(number), length),
            literal::Number::Uint(number) => (Token::Uint(number), length),
            literal::Number::Double(number) => (Token::Double(number), length),
        });
    }
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = rest.find(|c| !letter(c)).unwrap_or(rest.len());
    if name > 0 {
        return Ok((Token::Name(&rest[..name]), name));
    }
    match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
        Some(mark) => Ok((Token::Mark(mark), mark.len())),
        None => {
            let excerpt: String = rest.chars().take(1).collect();
            Err(ExpressionError::new(
                excerpt,
                "not a character of an expression",
            ))
        }
    }
}
