//! A value to YAML, in the form that Kubernetes' tools write: block style, two spaces, lists not indented below their key.

use serde_json::{Map, Value};

use crate::scalar::{self, Plain, Scalar};

/// Writes a value as a document, without `---`.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(object) if !object.is_empty() => mapping(&mut out, object, 0),
        Value::Array(list) if !list.is_empty() => sequence(&mut out, list, 0),
        other => {
            scalar(&mut out, other, 2);
            out.push('\n');
        }
    }
    out
}

/// A key as it is written.
pub fn key(text: &str) -> String {
    let mut out = String::new();
    string(&mut out, text, None);
    out
}

fn mapping(out: &mut String, object: &Map<String, Value>, indent: usize) {
    for (index, (name, value)) in object.iter().enumerate() {
        // The first key of an element stands behind its dash.
        if index > 0 || out.is_empty() || out.ends_with('\n') {
            spaces(out, indent);
        }
        out.push_str(&key(name));
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                mapping(out, inner, indent + 2);
            }
            Value::Array(list) if !list.is_empty() => {
                out.push('\n');
                sequence(out, list, indent);
            }
            other => {
                out.push(' ');
                scalar(out, other, indent + 2);
                out.push('\n');
            }
        }
    }
}

fn sequence(out: &mut String, list: &[Value], indent: usize) {
    for (index, value) in list.iter().enumerate() {
        if index > 0 || out.is_empty() || out.ends_with('\n') {
            spaces(out, indent);
        }
        out.push_str("- ");
        match value {
            Value::Object(inner) if !inner.is_empty() => mapping(out, inner, indent + 2),
            Value::Array(inner) if !inner.is_empty() => sequence(out, inner, indent + 2),
            other => {
                scalar(out, other, indent + 2);
                out.push('\n');
            }
        }
    }
}

fn spaces(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

fn scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        Value::String(text) => match scalar::read(text) {
            Scalar::Plain(text) => out.push_str(text),
            Scalar::Text(text) => string(out, text, Some(indent)),
        },
    }
}

/// Writes a string, as a block where `block` has the block's indentation.
fn string(out: &mut String, text: &str, block: Option<usize>) {
    if is_plain(text) {
        out.push_str(text);
    } else if let Some(indent) = block.filter(|_| is_block(text)) {
        literal(out, text, indent);
    } else if text.contains(['"', '\\']) && text.chars().all(is_printable) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        double_quoted(out, text);
    }
}

/// Whether every reader takes the text, without quotes, for the same string.
fn is_plain(text: &str) -> bool {
    const INDICATORS: [char; 20] = [
        '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@',
        '`', ' ',
    ];
    scalar::resolve(text) == Plain::Text
        && text.chars().all(is_printable)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && match text.chars().next() {
            Some('-') => {
                !matches!(text.as_bytes().get(1), None | Some(b' ')) && !text.starts_with("---")
            }
            Some(first) => !INDICATORS.contains(&first),
            None => false,
        }
}

/// Whether a character stands for itself on one line.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FEFE}' | '\u{FF00}'..='\u{FFFD}' | '\u{10000}'..)
        && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether a literal block gives the text back.
fn is_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && text
            .chars()
            .all(|c| c == '\n' || c == '\t' || is_printable(c))
        && !text.starts_with([' ', '\t', '\n'])
        && text.lines().all(|line| !line.ends_with([' ', '\t']))
}

fn literal(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    out.push_str(match ends {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            spaces(out, indent);
            out.push_str(line);
        }
    }
    // The caller ends the last line; what `|+` keeps are the lines behind it.
    out.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
}

fn double_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
}
