//! Texts with operators in them.

use crate::log_format::arguments::Command;
use crate::log_format::commands::command;
use crate::log_format::error::FormatError;

/// A text with operators in it, in pieces.
#[derive(Clone, Debug, Default)]
pub struct TextFormat(Vec<Piece>);

/// A piece of a text.
#[derive(Clone, Debug)]
pub enum Piece {
    /// As it stands.
    Literal(Box<str>),
    /// The value of an operator.
    Command(Command),
}

impl TextFormat {
    /// The pieces in order. No two literals follow each other.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Reads a format. `%%` is a percent sign, `%NAME%`, `%NAME(argument)%` and `%NAME(argument):Z%` are operators.
    ///
    /// # Errors
    /// A percent sign that begins no operator, and an operator that is used in a wrong way.
    pub fn parse(format: &str) -> Result<Self, FormatError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            literal.push_str(&rest[..at]);
            let operator = &rest[at..];
            if let Some(behind) = operator.strip_prefix("%%") {
                literal.push('%');
                rest = behind;
                continue;
            }
            let Some((command_word, behind)) = Word::first(operator) else {
                let excerpt: String = operator.chars().take(40).collect();
                let reason = "no operator begins here; a percent sign is written `%%`";
                return Err(FormatError::new(excerpt, reason));
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
            }
            let command = command(command_word.name, command_word.argument, command_word.limit)?;
            pieces.push(Piece::Command(command));
            rest = behind;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.into()));
        }
        Ok(Self(pieces))
    }

    /// Reads the format of a line: a newline ends it, whether or not it is written.
    ///
    /// # Errors
    /// Those of [`TextFormat::parse`].
    pub fn line(format: &str) -> Result<Self, FormatError> {
        let mut line = Self::parse(format)?;
        match line.0.last_mut() {
            Some(Piece::Literal(end)) if end.ends_with('\n') => {}
            Some(Piece::Literal(end)) => *end = format!("{end}\n").into(),
            _ => line.0.push(Piece::Literal("\n".into())),
        }
        Ok(line)
    }
}

/// An operator as it is written.
struct Word<'f> {
    name: &'f str,
    argument: &'f str,
    limit: Option<usize>,
}

impl<'f> Word<'f> {
    /// The operator that a text begins with, and what comes behind it.
    fn first(text: &'f str) -> Option<(Self, &'f str)> {
        let text = text.strip_prefix('%')?;
        let is_name =
            |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        let (name, rest) = text.split_at(text.bytes().take_while(|byte| is_name(byte)).count());
        if name.is_empty() {
            return None;
        }
        let Some(inside) = rest.strip_prefix('(') else {
            let (limit, rest) = limit(rest)?;
            let argument = "";
            return Some((
                Self {
                    name,
                    argument,
                    limit,
                },
                rest,
            ));
        };
        // The argument ends where an operator can end behind it.
        let mut ends = inside.match_indices(')');
        ends.find_map(|(end, _)| {
            let argument = &inside[..end];
            let (limit, rest) = limit(&inside[end + 1..])?;
            (!argument.contains('\n')).then_some((
                Self {
                    name,
                    argument,
                    limit,
                },
                rest,
            ))
        })
    }
}

/// What ends an operator: `%`, or `:Z%`.
fn limit(text: &str) -> Option<(Option<usize>, &str)> {
    if let Some(rest) = text.strip_prefix('%') {
        return Some((None, rest));
    }
    let text = text.strip_prefix(':')?;
    let (digits, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let rest = rest.strip_prefix('%')?;
    Some((Some(digits.parse().ok()?), rest))
}
