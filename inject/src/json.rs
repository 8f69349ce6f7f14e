//! JSON to a value and back; numbers stay as written.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::scalar::{self, Scalar};
use crate::yaml;

/// Reads the JSON values that follow each other in a text, each with its place in the text. `None` when the text is no JSON.
pub fn values(text: &str) -> Option<Vec<(std::ops::Range<usize>, Value)>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut found = Vec::new();
    while let Some(raw) = stream.next() {
        let raw = raw.ok()?.get();
        let end = stream.byte_offset();
        found.push((end - raw.len()..end, value(raw).ok()?));
    }
    Some(found)
}

/// Reads one value.
///
/// # Errors
/// What is wrong, duplicate keys among it.
pub fn value(raw: &str) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    let value = match raw.trim_start().bytes().next() {
        Some(b'{' | b'[') => deserializer.deserialize_any(Tree)?,
        Some(b'-' | b'0'..=b'9') => {
            let number: &RawValue = serde_json::from_str(raw)?;
            return Ok(yaml::number(number.get())
                .unwrap_or_else(|| Value::String(scalar::plain(number.get()))));
        }
        Some(b'"') => {
            let text: String = serde_json::from_str(raw)?;
            return Ok(Value::String(scalar::string(&text)));
        }
        _ => return serde_json::from_str(raw),
    };
    deserializer.end()?;
    Ok(value)
}

/// Reads objects and lists, whose parts are texts first.
struct Tree;

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, raw)) = entries.next_entry::<String, &RawValue>()? {
            let value = value(raw.get()).map_err(A::Error::custom)?;
            if object.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format!("the key {key:?} stands twice")));
            }
        }
        Ok(Value::Object(object))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(raw) = elements.next_element::<&RawValue>()? {
            list.push(value(raw.get()).map_err(A::Error::custom)?);
        }
        Ok(Value::Array(list))
    }
}

/// Writes a value; `indent` spaces for each level, 0 for one line.
pub fn write(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    node(&mut out, value, indent, 0);
    out
}

fn node(out: &mut String, value: &Value, indent: usize, depth: usize) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            out.push('{');
            for (index, (key, value)) in object.iter().enumerate() {
                line(out, index > 0, indent, depth + 1);
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                if indent > 0 {
                    out.push(' ');
                }
                node(out, value, indent, depth + 1);
            }
            end_line(out, indent, depth);
            out.push('}');
        }
        Value::Array(list) if !list.is_empty() => {
            out.push('[');
            for (index, value) in list.iter().enumerate() {
                line(out, index > 0, indent, depth + 1);
                node(out, value, indent, depth + 1);
            }
            end_line(out, indent, depth);
            out.push(']');
        }
        Value::String(text) => match scalar::read(text) {
            Scalar::Plain(text) => out.push_str(text),
            Scalar::Text(text) => out.push_str(&Value::String(text.to_owned()).to_string()),
        },
        other => out.push_str(&other.to_string()),
    }
}

fn line(out: &mut String, is_next: bool, indent: usize, depth: usize) {
    if is_next {
        out.push(',');
    }
    end_line(out, indent, depth);
}

fn end_line(out: &mut String, indent: usize, depth: usize) {
    if indent > 0 {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent * depth));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_order_stay() {
        let text =
            "{\"b\":12345678901234567890123,\"a\":[1.50,{},[],\"\\ud83d\\ude00\",null,true]}";
        let value = value(text).unwrap();
        assert_eq!(write(&value, 0), text.replace("\\ud83d\\ude00", "😀"));
        assert_eq!(
            write(&value, 2),
            "{\n  \"b\": 12345678901234567890123,\n  \"a\": [\n    1.50,\n    {},\n    [],\n    \"😀\",\n    null,\n    true\n  ]\n}"
        );
    }

    #[test]
    fn values_have_their_places() {
        let text = " {\"a\":1}\n{\"b\":2} ";
        let found = values(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(&text[found[1].0.clone()], "{\"b\":2}");
        assert!(values("a: 1").is_none());
        assert!(values("{a: 1}").is_none());
        assert!(value("{\"a\":1,\"a\":2}").is_err());
    }
}
