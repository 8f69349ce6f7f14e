//! Splits lists of documents: `kind: List` as `kubectl get -o yaml` prints it, and JSON arrays and streams.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::load::chunk::{Chunk, LineCounter};
use crate::load::format::{self, Format};
use crate::load::limits::DOCUMENT_BYTES_MAX;
use crate::wire::envelope::{Header, HeaderSeed};

/// A list of documents.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct List<'a> {
    pub(super) api_version: String,
    pub(super) kind: String,
    /// The text of each item, and the line on which it begins.
    pub(super) items: Vec<(Cow<'a, str>, u32)>,
}

impl List<'_> {
    /// apiVersion and kind of items without their own, as in a `ServiceEntryList`.
    pub(super) fn kind_of_items(&self) -> Option<(&str, &str)> {
        let kind = self.kind.strip_suffix("List")?;
        (!kind.is_empty()).then_some((self.api_version.as_str(), kind))
    }
}

/// The JSON values of a text that may hold several, up to where its syntax breaks.
pub(super) fn json_values(chunk: Chunk<'_>) -> Vec<Chunk<'_>> {
    let mut lines = LineCounter::new(chunk);
    serde_json::Deserializer::from_str(chunk.text)
        .into_iter::<&RawValue>()
        .map_while(Result::ok)
        .map(|raw| lines.locate(raw.get()))
        .collect()
}

/// Splits a JSON list; `None` when it is not one.
pub(super) fn json(chunk: Chunk<'_>) -> Option<List<'_>> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Wire<'a> {
        api_version: String,
        kind: String,
        #[serde(borrow)]
        items: Option<Vec<&'a RawValue>>,
    }
    let list: Wire<'_> = if chunk.text.trim_start().starts_with('[') {
        Wire {
            items: Some(serde_json::from_str(chunk.text).ok()?),
            ..Wire::default()
        }
    } else {
        serde_json::from_str(chunk.text).ok()?
    };
    let mut lines = LineCounter::new(chunk);
    let items = list.items?.into_iter().map(|raw| {
        let item = lines.locate(raw.get());
        (Cow::Borrowed(item.text), item.line)
    });
    Some(List {
        items: items.collect(),
        api_version: list.api_version,
        kind: list.kind,
    })
}

/// Splits a YAML list in block style, or a bare sequence; `None` when it is written otherwise.
///
/// Items are found by the indentation of their dashes, so that a broken one does not hide the next.
pub(super) fn yaml(chunk: Chunk<'_>) -> Option<List<'_>> {
    let mut head = String::new();
    let mut items: Vec<(String, u32)> = Vec::new();
    let mut dash = None;
    let mut within = is_sequence(chunk);
    let mut is_list = within;
    for (number, line) in (chunk.line..).zip(chunk.text.split_inclusive('\n')) {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        let blank = content.trim_end().is_empty() || content.starts_with('#');
        let begins = is_dash(content) && *dash.get_or_insert(indent) == indent;
        if within && !blank && indent == 0 && !begins {
            within = false;
        }
        if !within {
            match line.strip_prefix("items:").map(str::trim) {
                None if head.len() > DOCUMENT_BYTES_MAX => return None,
                None => head.push_str(line),
                Some("[]" | "null" | "~") => is_list = true,
                Some(rest) if rest.is_empty() || rest.starts_with('#') => {
                    within = true;
                    is_list = true;
                }
                Some(_) => return None,
            }
        } else if begins {
            // The dash becomes a space, and the item a document of its own.
            let rest = content.get(1..).unwrap_or_default();
            items.push((format!("{:indent$} {rest}", ""), number));
        } else if let Some((item, _)) = items.last_mut() {
            item.push_str(line);
        } else if !blank {
            return None;
        }
    }
    if !is_list {
        return None;
    }
    let mut header = Header::default();
    if !head.trim().is_empty() {
        format::parse(Format::Yaml, &head, HeaderSeed(&mut header)).ok()?;
    }
    Some(List {
        api_version: header.api_version,
        kind: header.kind,
        items: items
            .into_iter()
            .map(|(text, line)| (Cow::Owned(text), line))
            .collect(),
    })
}

fn is_dash(content: &str) -> bool {
    content
        .strip_prefix('-')
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\r', '\n']))
}

/// Whether the first lines of a text show that it is a list, so that it need not be read to know.
pub(super) fn is_list(chunk: Chunk<'_>) -> bool {
    let content = chunk.text.lines().map(|line| {
        let line = line.strip_prefix("---").unwrap_or(line);
        line.trim_end()
    });
    let mut content = content.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let items = |line: &str| line == "items:";
    let is_kind = |line: &str| line.starts_with("kind: ");
    let envelope = |line: &str| {
        let kind = line.strip_prefix("kind: ");
        line.starts_with("apiVersion: ") || kind.is_some_and(|kind| kind.ends_with("List"))
    };
    let (first, second, third) = (content.next(), content.next(), content.next());
    is_sequence(chunk)
        || first.is_some_and(items)
        || (first.is_some_and(envelope) && second.is_some_and(items))
        || (first.is_some_and(envelope)
            && second.is_some_and(envelope)
            && first.map(is_kind) != second.map(is_kind)
            && third.is_some_and(items))
}

/// Whether the whole text is a sequence, not a mapping.
pub(super) fn is_sequence(chunk: Chunk<'_>) -> bool {
    let content = first_content(chunk.text);
    content.is_some_and(|content| content.starts_with('[') || is_dash(content))
}

fn first_content(text: &str) -> Option<&str> {
    text.lines()
        .map(|line| line.strip_prefix("---").unwrap_or(line).trim())
        .find(|line| !line.is_empty() && !line.starts_with(['#', '%']))
}
