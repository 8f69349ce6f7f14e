//! The only module with the YAML and JSON parsers: a text of one document and a seed in, a value or an error out.

use serde::de::DeserializeSeed;

use crate::wire::reading::{AnyValue, Seed, ShapeError, Target};

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    Yaml,
    Json,
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParseError {
    /// The line within the text, from 1; 0 when unknown.
    pub(super) line: u32,
    /// The value found, where the parser reports it.
    pub(super) value: String,
    /// The rule that is broken, as a lower-case phrase.
    pub(super) reason: String,
}

/// Depth of nesting that is read. Nothing that Kubernetes serves comes near.
const DEPTH_MAX: usize = 128;

/// Reads one document into `target`.
pub(super) fn parse<'de>(
    format: Format,
    text: &'de str,
    mut target: impl Target<'de>,
) -> Result<(), ParseError> {
    deserialize(format, text, Seed(&mut |from| target.read(from)))
}

/// Reads one document as serde does. It is compiled for each seed, and the parser with it.
pub(super) fn deserialize<'de, S: DeserializeSeed<'de>>(
    format: Format,
    text: &'de str,
    seed: S,
) -> Result<S::Value, ParseError> {
    match format {
        Format::Yaml => serde_saphyr::with_deserializer_from_str_with_options(
            text,
            yaml_options(text),
            |from| seed.deserialize(from),
        )
        .map_err(|error| yaml_error(&error)),
        Format::Json => {
            let mut from = serde_json::Deserializer::from_str(text);
            seed.deserialize(&mut from)
                .and_then(|value| from.end().map(|()| value))
                .map_err(|error| json_error(&error))
        }
    }
}

/// Whether a text keeps the rules of its format.
pub(super) fn is_well_formed(format: Format, text: &str) -> bool {
    struct Nothing;
    impl<'de> Target<'de> for Nothing {
        fn read(&mut self, from: &mut dyn AnyValue<'de>) -> Result<(), ShapeError> {
            from.skip()
        }
    }
    parse(format, text, Nothing).is_ok()
}

/// What the parser may spend on a text: in proportion to its length, so that aliases cannot multiply the work.
fn yaml_options(text: &str) -> serde_saphyr::Options {
    let size = text.len().saturating_add(1_000);
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: size.saturating_mul(8),
            max_nodes: size.saturating_mul(8),
            max_aliases: size,
            max_anchors: size,
            max_merge_keys: size,
            max_recorded_anchor_events: size.saturating_mul(8),
            max_recorded_anchor_bytes: size.saturating_mul(8),
            max_total_scalar_bytes: size.saturating_mul(8),
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: size.saturating_mul(4),
        },
        with_snippet: false,
    }
}

fn yaml_error(error: &serde_saphyr::Error) -> ParseError {
    use serde_saphyr::Error;
    let error = error.without_snippet();
    let line = error
        .location()
        .map_or(0, |at| u32::try_from(at.line()).unwrap_or(0));
    let (value, reason) = match error {
        Error::AliasError { error, .. } => return yaml_error(error),
        Error::Unexpected { expected, .. } => {
            (String::new(), format!("expected {}", noun(expected)))
        }
        Error::DuplicateMappingKey { key, .. } => (
            key.clone().unwrap_or_default(),
            "this key is set twice".into(),
        ),
        Error::UnknownAnchor { .. } => (
            String::new(),
            "a value that begins with `*` must be quoted, as \"*.example.com\"".into(),
        ),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => (
            String::new(),
            "refused: nested too deep, or aliases would multiply it beyond all proportion".into(),
        ),
        other => value_and_reason(&other.to_string()),
    };
    ParseError {
        line,
        value,
        reason,
    }
}

fn json_error(error: &serde_json::Error) -> ParseError {
    let (value, reason) = value_and_reason(&error.to_string());
    ParseError {
        line: u32::try_from(error.line()).unwrap_or(0),
        value,
        reason,
    }
}

/// Takes a parser's sentence apart: `invalid type: integer `5`, expected a list at line 1 column 2`.
fn value_and_reason(text: &str) -> (String, String) {
    let text = match text.rfind(" at line ") {
        Some(end) => &text[..end],
        None => text,
    };
    let quoted = text
        .strip_prefix("invalid type: ")
        .or_else(|| text.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "));
    let Some((value, expected)) = quoted else {
        return (String::new(), text.to_owned());
    };
    let bare = |open: char, close: char| {
        let (_, rest) = value.split_once(open)?;
        rest.strip_suffix(close)
    };
    let value = bare('"', '"').or_else(|| bare('`', '`')).unwrap_or(value);
    (value.to_owned(), format!("expected {expected}"))
}

/// The YAML parser's names of what it expected, as users call it.
fn noun(event: &str) -> &str {
    match event {
        "sequence start" => "a list",
        "mapping start" => "a mapping",
        "string scalar" => "a string",
        other => other,
    }
}
