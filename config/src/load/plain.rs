//! A quick parser for the usual subset of YAML: block mappings and sequences, plain and quoted scalars, flow
//! collections on one line, comments.
//!
//! It understands a subset, and only where that subset means one thing: at anything else (anchors, tags, block scalars,
//! scalars over several lines, tabs, letters beyond ASCII, escapes, keys written twice) it gives up, and the whole document
//! is read by the YAML parser. So it never reports an error, and every document it reads means the same to
//! both, which a test compares.
use serde::de::DeserializeSeed;

mod node;
mod values;

pub(super) use values::NotPlain;

use crate::load::plain::node::{Kind, Node};
use crate::wire::reading::{Seed, Target};
use values::At;

/// Depth of nesting that is read here.
const DEPTH_MAX: usize = 48;

/// Keys of one mapping that are compared with each other one by one.
const FEW_KEYS: usize = 16;

/// A document as a list: collections come before their elements.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    nodes: Vec<Node<'t>>,
}

/// Reads a document, if it is in the subset.
pub(super) fn read(text: &str) -> Option<Tree<'_>> {
    let known = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    if !text.bytes().all(known) {
        return None;
    }
    let mut reader = Reader {
        rest: text,
        line: None,
        nodes: Vec::with_capacity(text.len() / 12),
        keys: Vec::new(),
        depth: 0,
    };
    reader.advance();
    if reader
        .line
        .is_some_and(|line| line.indent == 0 && line.body == "---")
    {
        reader.advance();
    }
    let first = reader.line?;
    reader.block(first.indent)?;
    reader.line.is_none().then_some(Tree {
        nodes: reader.nodes,
    })
}

impl<'t> Tree<'t> {
    /// Reads the document into `target`. An error means only that the YAML parser must read it.
    pub(super) fn read_into(&self, mut target: impl Target<'t>) -> Result<(), NotPlain> {
        self.deserialize(Seed(&mut |from| target.read(from)))
    }

    /// Reads the document as serde does.
    fn deserialize<S: DeserializeSeed<'t>>(&self, seed: S) -> Result<S::Value, NotPlain> {
        seed.deserialize(At::root(&self.nodes))
    }
}

struct Reader<'t> {
    rest: &'t str,
    /// The current line; `None` at the end.
    line: Option<Line<'t>>,
    nodes: Vec<Node<'t>>,
    /// Keys of the open mappings.
    keys: Vec<&'t str>,
    depth: usize,
}

#[derive(Clone, Copy)]
struct Line<'t> {
    indent: usize,
    body: &'t str,
}

impl<'t> Reader<'t> {
    /// Goes to the next line with content.
    fn advance(&mut self) {
        self.line = None;
        while !self.rest.is_empty() {
            let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            self.rest = rest;
            let body = line.trim_start_matches(' ');
            let indent = line.len() - body.len();
            let body = body.trim_end_matches(' ');
            if !(body.is_empty() || body.starts_with('#')) {
                self.line = Some(Line { indent, body });
                return;
            }
        }
    }

    /// A collection whose lines begin at `indent`.
    fn block(&mut self, indent: usize) -> Option<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let line = self.line?;
        if is_dash(line.body) {
            self.sequence(indent)?;
        } else {
            self.mapping(indent)?;
        }
        self.depth -= 1;
        Some(())
    }

    fn mapping(&mut self, indent: usize) -> Option<()> {
        let opened = self.open(Kind::Map);
        let first_key = self.keys.len();
        while let Some(line) = self.line.filter(|line| line.indent == indent) {
            if is_dash(line.body) {
                break;
            }
            let (key, value) = key(line.body)?;
            if self.keys.len() - first_key > FEW_KEYS {
                // Large mappings are rare, and comparing all keys would cost too much.
                return None;
            }
            if self.keys[first_key..].contains(&key) {
                return None;
            }
            self.keys.push(key);
            self.push(Kind::Quoted(key));
            self.advance();
            self.value(value, indent, true)?;
        }
        self.keys.truncate(first_key);
        self.close(opened, indent)
    }

    fn sequence(&mut self, indent: usize) -> Option<()> {
        let opened = self.open(Kind::Seq);
        while let Some(line) = self.line.filter(|line| line.indent == indent) {
            if !is_dash(line.body) {
                break;
            }
            let item = line.body[1..].trim_start_matches(' ');
            if is_dash(item) {
                return None;
            }
            if key(item).is_some() {
                let indent = indent + line.body.len() - item.len();
                self.line = Some(Line { indent, body: item });
                self.block(indent)?;
            } else {
                self.advance();
                self.value(item, indent, false)?;
            }
        }
        self.close(opened, indent)
    }

    /// The value behind a key or a dash; the current line is the one below it.
    fn value(&mut self, text: &'t str, indent: usize, of_key: bool) -> Option<()> {
        let below = self.line;
        if text.is_empty() || text.starts_with('#') {
            match below {
                Some(below) if below.indent > indent => self.block(below.indent),
                Some(below) if of_key && below.indent == indent && is_dash(below.body) => {
                    self.block(indent)
                }
                _ => {
                    self.push(Kind::Null);
                    Some(())
                }
            }
        } else {
            let rest = match text.as_bytes()[0] {
                b'{' | b'[' => self.flow(text)?,
                b'"' | b'\'' => {
                    let (scalar, rest) = quoted(text)?;
                    self.push(Kind::Quoted(scalar));
                    rest
                }
                _ => {
                    let scalar = text.split_once(" #").map_or(text, |(scalar, _)| scalar);
                    let scalar = scalar.trim_end_matches(' ');
                    if scalar.contains(": ") || scalar.ends_with(':') {
                        return None;
                    }
                    self.push(plain(scalar)?);
                    ""
                }
            };
            let after = rest.trim_start_matches(' ');
            let ends = after.is_empty() || (after.starts_with('#') && after.len() < rest.len());
            // A longer line below would continue the scalar.
            (ends && below.is_none_or(|below| below.indent <= indent)).then_some(())
        }
    }

    /// A flow collection or a scalar inside one; returns what follows it on its line.
    fn flow(&mut self, text: &'t str) -> Option<&'t str> {
        let closing = match text.as_bytes().first()? {
            b'{' => '}',
            b'[' => ']',
            b'"' | b'\'' => {
                let (scalar, rest) = quoted(text)?;
                self.push(Kind::Quoted(scalar));
                return Some(rest);
            }
            _ => {
                let end = text.find([',', '[', ']', '{', '}'])?;
                let scalar = text[..end].trim_end_matches(' ');
                if scalar.contains([':', '#', '"', '\'']) {
                    return None;
                }
                self.push(plain(scalar)?);
                return Some(&text[end..]);
            }
        };
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let is_map = closing == '}';
        let opened = self.open(if is_map { Kind::Map } else { Kind::Seq });
        let first_key = self.keys.len();
        let mut rest = text[1..].trim_start_matches(' ');
        loop {
            if let Some(after) = rest.strip_prefix(closing) {
                self.keys.truncate(first_key);
                self.nodes[opened].end = self.nodes.len();
                self.depth -= 1;
                return Some(after);
            }
            if is_map {
                let (key, value) = key(rest)?;
                if value.is_empty()
                    || self.keys.len() - first_key > FEW_KEYS
                    || self.keys[first_key..].contains(&key)
                {
                    return None;
                }
                self.keys.push(key);
                self.push(Kind::Quoted(key));
                rest = value;
            }
            rest = self.flow(rest)?.trim_start_matches(' ');
            match rest.strip_prefix(',') {
                Some(after) => rest = after.trim_start_matches(' '),
                None if rest.starts_with(closing) => {}
                None => return None,
            }
        }
    }

    fn open(&mut self, kind: Kind<'t>) -> usize {
        self.push(kind);
        self.nodes.len() - 1
    }

    /// Ends a block collection, unless the current line is indented as none of the collections around it.
    fn close(&mut self, opened: usize, indent: usize) -> Option<()> {
        self.nodes[opened].end = self.nodes.len();
        self.line
            .is_none_or(|line| line.indent <= indent)
            .then_some(())
    }

    fn push(&mut self, kind: Kind<'t>) {
        let end = self.nodes.len() + 1;
        self.nodes.push(Node { kind, end });
    }
}

fn is_dash(body: &str) -> bool {
    body == "-" || body.starts_with("- ")
}

/// The key that a line begins with, and what follows the colon.
fn key(body: &str) -> Option<(&str, &str)> {
    let (key, rest) = if body.starts_with(['"', '\'']) {
        quoted(body)?
    } else {
        let end = body.find(|c: char| {
            !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | '@' | '*'))
        })?;
        let first = body.as_bytes()[0];
        if !(first.is_ascii_alphanumeric() || matches!(first, b'_' | b'.' | b'/')) {
            return None;
        }
        body.split_at(end)
    };
    let value = rest.strip_prefix(':')?;
    let is_key = value.is_empty() || value.starts_with(' ');
    let nullish = matches!(key, "null" | "Null" | "NULL");
    (is_key && !nullish).then(|| (key, value.trim_start_matches(' ')))
}

/// A quoted scalar without escapes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next()?;
    let inside = &text[1..];
    let end = inside.find([quote, '\\'])?;
    let (scalar, rest) = inside.split_at(end);
    let rest = rest.strip_prefix(quote)?;
    // Two single quotes are one inside of the scalar.
    (!rest.starts_with(quote)).then_some((scalar, rest))
}

/// A scalar without quotes.
fn plain(scalar: &str) -> Option<Kind<'_>> {
    let first = *scalar.as_bytes().first()?;
    let second = scalar.as_bytes().get(1);
    let sign = matches!(first, b'-' | b'+') && second.is_some_and(u8::is_ascii_alphanumeric);
    if !(first.is_ascii_alphanumeric() || sign || matches!(first, b'/' | b'.' | b'_' | b'~')) {
        return None;
    }
    if scalar == "---" || scalar == "..." {
        return None;
    }
    match scalar {
        "null" | "~" => Some(Kind::Null),
        "Null" | "NULL" => None,
        _ => Some(Kind::Plain(scalar)),
    }
}
#[cfg(test)]
mod tests;
