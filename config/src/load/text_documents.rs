//! What one text says, part by part, so that a later reading of the text reads only the parts that changed.

use std::collections::HashMap;

use crate::load::document::{Document, Documents};
use crate::load::wire_document::WireDocuments;
use crate::problem::{Location, Problem};

/// The documents of one text, and what is wrong with the others.
#[derive(Debug, Default)]
pub struct TextDocuments {
    parts: Vec<Part>,
}

/// What the text of one document says, or what is wrong with the text as a whole.
#[derive(Debug)]
struct Part {
    /// A hash of the text of the document; 0 where the part is more than one document's.
    key: u64,
    /// The line on which it begins.
    line: u32,
    read: Read,
}

#[derive(Debug)]
enum Read {
    /// One document, and nothing else to say about it than what it says itself.
    Document(Document),
    Other(Box<Documents>),
}

impl TextDocuments {
    /// Adds a problem of the text as a whole.
    pub(super) fn report(&mut self, problem: Problem) {
        self.parts.push(Part {
            key: 0,
            line: 0,
            read: Read::Other(Box::new(Documents {
                problems: vec![problem],
                ..Documents::default()
            })),
        });
    }

    /// Adds what was read of the document that begins on `line`, under the hash `key` of its text.
    pub(super) fn add(&mut self, key: u64, line: u32, read: WireDocuments) {
        let WireDocuments {
            list,
            problems,
            mesh_unread,
        } = read;
        let mut list: Vec<Document> = list.into_iter().map(Document::new).collect();
        let read = match (list.pop(), &list[..], &problems[..], &mesh_unread) {
            (Some(only), [], [], None) => Read::Document(only),
            (last, ..) => {
                list.extend(last);
                Read::Other(Box::new(Documents {
                    list,
                    problems,
                    mesh_unread,
                }))
            }
        };
        self.parts.push(Part { key, line, read });
    }

    /// Adds what was read of this document before; `false` when it must be read again.
    pub(super) fn add_kept(&mut self, kept: Option<KeptPart>, line: u32) -> bool {
        let Some(KeptPart(mut part)) = kept else {
            return false;
        };
        if part.line != line {
            let by = i64::from(line) - i64::from(part.line);
            let Read::Document(document) = &part.read else {
                return false;
            };
            let Some(moved) = document.moved(by) else {
                return false;
            };
            part = Part {
                line,
                read: Read::Document(moved),
                ..part
            };
        }
        self.parts.push(part);
        true
    }

    /// Ends the reading.
    pub(super) fn finish(mut self) -> Self {
        self.parts.shrink_to_fit();
        self
    }

    /// Adds all of it to `documents`.
    pub(super) fn add_to(&self, documents: &mut Documents) {
        for part in &self.parts {
            match &part.read {
                Read::Document(document) => documents.list.push(document.clone()),
                Read::Other(other) => {
                    documents.list.extend(other.list.iter().cloned());
                    documents.problems.extend(other.problems.iter().cloned());
                    if let Some(unread) = &other.mesh_unread {
                        documents.mesh_unread = Some(Location::clone(unread));
                    }
                }
            }
        }
    }
}

/// A part of an earlier reading.
pub(super) struct KeptPart(Part);

/// The parts of an earlier reading of a text, each to be taken once.
#[derive(Default)]
pub(super) struct Kept {
    parts: Vec<Option<Part>>,
    /// Where the part behind the last one taken is: in a text with few changes the next one wanted.
    next: usize,
    /// Made when a part is not the next one.
    by_key: Option<HashMap<u64, usize>>,
}

impl Kept {
    pub(super) fn new(before: Option<TextDocuments>) -> Self {
        let parts = before.map_or_else(Vec::new, |before| before.parts);
        Self {
            parts: parts
                .into_iter()
                .filter(|part| part.key != 0)
                .map(Some)
                .collect(),
            ..Self::default()
        }
    }

    /// The part that was read of a text with this hash.
    pub(super) fn take(&mut self, key: u64) -> Option<KeptPart> {
        let is_it = |part: &Option<Part>| part.as_ref().is_some_and(|part| part.key == key);
        let at = match self.parts.get(self.next) {
            None if self.parts.is_empty() => return None,
            Some(next) if is_it(next) => self.next,
            _ => *self.indexes().get(&key)?,
        };
        let part = self.parts.get_mut(at)?.take()?;
        self.next = at + 1;
        Some(KeptPart(part))
    }

    fn indexes(&mut self) -> &HashMap<u64, usize> {
        let parts = self.parts.iter().enumerate();
        self.by_key.get_or_insert_with(|| {
            parts
                .filter_map(|(at, part)| Some((part.as_ref()?.key, at)))
                .collect()
        })
    }
}
