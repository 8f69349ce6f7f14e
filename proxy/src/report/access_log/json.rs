//! Lines of JSON.

use egret_config::log_format::{JsonFormat, Piece, Template, TextFormat};

use crate::report::access_log::call::Call;
use crate::report::access_log::text::Absent;
use crate::report::access_log::value::Value;
use crate::report::access_log::values::value;

/// Appends a call as a JSON object. Keys whose value is missing have `null`, or are left out where `absent` is nothing.
pub fn append(line: &mut Vec<u8>, format: &JsonFormat, call: &Call<'_>, absent: Absent) {
    line.push(b'{');
    let mut separator: &[u8] = b"";
    for (key, template) in format.entries() {
        let begin = line.len();
        line.extend_from_slice(separator);
        append_string(line, key.as_bytes());
        line.push(b':');
        if append_template(line, template, call, absent) {
            separator = b",";
        } else {
            line.truncate(begin);
        }
    }
    line.push(b'}');
}

/// Appends what a template comes to, unless it is missing and left out.
fn append_template(
    line: &mut Vec<u8>,
    template: &Template,
    call: &Call<'_>,
    absent: Absent,
) -> bool {
    match template {
        Template::Constant(json) => line.extend_from_slice(json.as_bytes()),
        Template::Value(command) => {
            let value = value(&command.operator, call).cut(command.limit);
            return append_value(line, &value, absent);
        }
        Template::Text(text) => append_text(line, text, call, absent),
        Template::Object(object) => append(line, object, call, absent),
        Template::List(items) => {
            line.push(b'[');
            let mut separator: &[u8] = b"";
            for item in items {
                let begin = line.len();
                line.extend_from_slice(separator);
                if append_template(line, item, call, absent) {
                    separator = b",";
                } else {
                    line.truncate(begin);
                }
            }
            line.push(b']');
        }
    }
    true
}

/// Appends a value with its type, unless it is missing and left out.
fn append_value(line: &mut Vec<u8>, value: &Value<'_>, absent: Absent) -> bool {
    match value {
        Value::Missing if absent == Absent::Nothing => return false,
        Value::Missing => line.extend_from_slice(b"null"),
        Value::Number(_) | Value::Json(_) => value.append(line),
        value => {
            line.push(b'"');
            append_inside(line, value);
            line.push(b'"');
        }
    }
    true
}

/// Appends a value as part of a string.
fn append_inside(line: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Text(bytes) => append_escaped(line, bytes),
        Value::Word(bytes) => append_escaped(line, bytes),
        // Texts from the configuration may be in these.
        Value::Time { .. } | Value::Endpoint(_) | Value::Json(_) => {
            let begin = line.len();
            value.append(line);
            if !line[begin..].iter().all(is_plain) {
                let inside = line.split_off(begin);
                append_escaped(line, &inside);
            }
        }
        value => value.append(line),
    }
}

/// Appends a text with operators in it as one string.
fn append_text(line: &mut Vec<u8>, text: &TextFormat, call: &Call<'_>, absent: Absent) {
    line.push(b'"');
    for piece in text.pieces() {
        match piece {
            Piece::Literal(text) => append_escaped(line, text.as_bytes()),
            Piece::Command(command) => match value(&command.operator, call).cut(command.limit) {
                Value::Missing => line.extend_from_slice(absent.as_bytes()),
                value => append_inside(line, &value),
            },
        }
    }
    line.push(b'"');
}

/// Appends bytes as a JSON string. What is no UTF-8 becomes U+FFFD.
fn append_string(line: &mut Vec<u8>, bytes: &[u8]) {
    line.push(b'"');
    append_escaped(line, bytes);
    line.push(b'"');
}

/// Whether a byte stands for itself in a JSON string.
fn is_plain(byte: &u8) -> bool {
    matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\')
}

fn append_escaped(line: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.iter().all(is_plain) {
        line.extend_from_slice(bytes);
        return;
    }
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '"' => line.extend_from_slice(b"\\\""),
            '\\' => line.extend_from_slice(b"\\\\"),
            '\n' => line.extend_from_slice(b"\\n"),
            '\r' => line.extend_from_slice(b"\\r"),
            '\t' => line.extend_from_slice(b"\\t"),
            control @ '\0'..='\x1f' | control @ '\x7f' => {
                let code = format!("\\u{:04x}", u32::from(control));
                line.extend_from_slice(code.as_bytes());
            }
            other => line.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
