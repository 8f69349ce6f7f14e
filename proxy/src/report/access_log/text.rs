//! Lines of text.

use egret_config::log_format::{Piece, TextFormat};

use crate::report::access_log::call::Call;
use crate::report::access_log::value::Value;
use crate::report::access_log::values::value;

/// What stands for a value that is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absent {
    /// `-`.
    #[default]
    Dash,
    /// Nothing.
    Nothing,
}

impl Absent {
    pub(in crate::report::access_log) fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Dash => b"-",
            Self::Nothing => b"",
        }
    }
}

/// Appends a call as a text.
///
/// Unlike Envoy, quotes, backslashes and control characters in values are escaped (`\"`, `\\`, `\x1b`), and blanks in
/// names that stand without quotes become `_`, so that nobody can write a line or a field that is not theirs.
pub fn append(line: &mut Vec<u8>, format: &TextFormat, call: &Call<'_>, absent: Absent) {
    for piece in format.pieces() {
        match piece {
            Piece::Literal(text) => line.extend_from_slice(text.as_bytes()),
            Piece::Command(command) => {
                let value = value(&command.operator, call).cut(command.limit);
                append_value(line, &value, absent);
            }
        }
    }
}

fn append_value(line: &mut Vec<u8>, value: &Value<'_>, absent: Absent) {
    match value {
        Value::Missing => line.extend_from_slice(absent.as_bytes()),
        Value::Text(bytes) => escape(line, bytes, b' '),
        Value::Word(bytes) => escape(line, bytes, b'_'),
        Value::Endpoint(_) | Value::Json(_) => {
            let begin = line.len();
            value.append(line);
            if line[begin..].iter().any(|byte| is_special(*byte)) {
                let bytes = line.split_off(begin);
                escape(line, &bytes, b' ');
            }
        }
        _ => value.append(line),
    }
}

/// Whether a byte is not written as it is.
fn is_special(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f)
}

fn escape(line: &mut Vec<u8>, value: &[u8], blank: u8) {
    // Mostly there is nothing to escape.
    if !value.iter().any(|byte| is_special(*byte) | (*byte == b' ')) {
        line.extend_from_slice(value);
        return;
    }
    for byte in value {
        match byte {
            b' ' => line.push(blank),
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            0..=0x1f | 0x7f => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                line.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
            }
            _ => line.push(*byte),
        }
    }
}
