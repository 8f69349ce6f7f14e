//! A YAML document to a value. Numbers and what YAML 1.1 reads otherwise stay as written.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

use crate::scalar::{self, Plain};

/// The most values that one document may have, aliases expanded.
const VALUES_MAX: usize = 2_000_000;

/// The deepest nesting.
const DEPTH_MAX: usize = 128;

/// A document.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Its value; null for an empty document.
    pub value: Value,
    /// The line of each key of an object, by path (`/spec/containers/0/name`); from 1.
    pub lines: HashMap<String, u32>,
    /// Whether it has tags that a value cannot hold.
    pub has_tags: bool,
}

/// Reads one document. Aliases and merge keys are expanded.
///
/// # Errors
/// The line, from 1, and what is wrong there.
pub fn read(text: &str) -> Result<Tree, (u32, String)> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        line: 1,
        anchors: HashMap::new(),
        left: VALUES_MAX,
        tree: Tree {
            value: Value::Null,
            lines: HashMap::new(),
            has_tags: false,
        },
    };
    match reader.document() {
        Ok(value) => {
            reader.tree.value = value;
            Ok(reader.tree)
        }
        Err(message) => Err((reader.line, message)),
    }
}

struct Reader<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    line: u32,
    anchors: HashMap<usize, Value>,
    left: usize,
    tree: Tree,
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Value, String> {
        let mut value = Value::Null;
        let mut documents = 0;
        loop {
            match self.next()? {
                Event::StreamEnd => return Ok(value),
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err("expected one document".to_owned());
                    }
                    let event = self.next()?;
                    value = self.value(event, &mut String::new(), 0)?;
                }
                _ => return Err("expected one document".to_owned()),
            }
        }
    }

    fn next(&mut self) -> Result<Event<'t>, String> {
        match self.parser.next() {
            None => Ok(Event::StreamEnd),
            Some(Ok((event, span))) => {
                self.line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
                Ok(event)
            }
            Some(Err(error)) => {
                self.line = u32::try_from(error.marker().line()).unwrap_or(u32::MAX);
                Err(error.info())
            }
        }
    }

    fn value(
        &mut self,
        event: Event<'t>,
        path: &mut String,
        depth: usize,
    ) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        self.count(1)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = style != ScalarStyle::Plain
                    || tag
                        .as_ref()
                        .is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                self.tree.has_tags |= tag.is_some();
                let value = if is_text {
                    Value::String(scalar::string(&text))
                } else {
                    plain(&text)
                };
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tree.has_tags |= tag.is_some();
                (self.sequence(path, depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tree.has_tags |= tag.is_some();
                (self.mapping(path, depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                let value = value.ok_or("an alias inside of its own anchor")?;
                self.count(size(&value))?;
                (value, 0)
            }
            _ => return Err("expected a value".to_owned()),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn count(&mut self, values: usize) -> Result<(), String> {
        self.left = self
            .left
            .checked_sub(values)
            .ok_or_else(|| format!("more than {VALUES_MAX} values"))?;
        Ok(())
    }

    fn sequence(&mut self, path: &mut String, depth: usize) -> Result<Value, String> {
        let mut list = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::Array(list));
            }
            let before = path.len();
            *path += &format!("/{}", list.len());
            list.push(self.value(event, path, depth + 1)?);
            path.truncate(before);
        }
    }

    fn mapping(&mut self, path: &mut String, depth: usize) -> Result<Value, String> {
        let mut object = Map::new();
        let mut merged = Vec::new();
        loop {
            let (key, is_merge) = match self.next()? {
                Event::MappingEnd => break,
                Event::Scalar(text, style, ..) => {
                    let is_merge = style == ScalarStyle::Plain && text == "<<";
                    (text.into_owned(), is_merge)
                }
                Event::Alias(anchor) => match self.anchors.get(&anchor) {
                    Some(Value::String(text)) => (text.clone(), false),
                    _ => return Err("a key that is no scalar".to_owned()),
                },
                _ => return Err("a key that is no scalar".to_owned()),
            };
            let line = self.line;
            let before = path.len();
            *path += &format!("/{key}");
            self.tree.lines.insert(path.clone(), line);
            let event = self.next()?;
            let value = self.value(event, path, depth + 1)?;
            path.truncate(before);
            if is_merge {
                merged.push(value);
            } else if object.insert(key.clone(), value).is_some() {
                self.line = line;
                return Err(format!("the key {key:?} stands twice"));
            }
        }
        for value in merged {
            merge(&mut object, value)?;
        }
        Ok(Value::Object(object))
    }
}

/// Adds what a merge key names; keys that are there win.
fn merge(object: &mut Map<String, Value>, value: Value) -> Result<(), String> {
    match value {
        Value::Object(other) => {
            for (key, value) in other {
                object.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(list) => list.into_iter().try_for_each(|one| merge(object, one)),
        _ => Err("a merge key (<<) needs an object or a list of objects".to_owned()),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(size).sum::<usize>(),
        Value::Object(object) => 1 + object.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn plain(text: &str) -> Value {
    match scalar::resolve(text) {
        Plain::Null => Value::Null,
        Plain::Bool(value) => Value::Bool(value),
        Plain::Text => Value::String(scalar::string(text)),
        Plain::Other => number(text).unwrap_or_else(|| Value::String(scalar::plain(text))),
    }
}

/// A number that is written again as it is read.
pub(crate) fn number(text: &str) -> Option<Value> {
    let number: Number = serde_json::from_str(text).ok()?;
    (number.to_string() == text).then_some(Value::Number(number))
}
