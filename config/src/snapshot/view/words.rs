//! Conditions in a few words.

use crate::model::route::HttpMatch;
use crate::value::StringMatch;

/// An alternative in a few words.
pub(super) fn summary(wanted: &HttpMatch) -> String {
    let mut parts = vec![match &wanted.uri {
        None => "/*".to_owned(),
        Some(uri) => words(uri),
    }];
    for (name, text) in [
        ("scheme", &wanted.scheme),
        ("method", &wanted.method),
        ("authority", &wanted.authority),
    ] {
        if let Some(text) = text {
            parts.push(format!("{name}={}", words(text)));
        }
    }
    for (kind, list) in [
        ("header ", &wanted.headers),
        ("without header ", &wanted.without_headers),
        ("query ", &wanted.query),
    ] {
        for (name, text) in list {
            parts.push(format!("{kind}{name}={}", words(text)));
        }
    }
    parts.join(" ")
}

fn words(text: &StringMatch) -> String {
    match text {
        StringMatch::Exact(text) => text.to_string(),
        StringMatch::ExactIgnoreCase(text) => format!("{text} (any case)"),
        StringMatch::Prefix(text) => format!("{text}*"),
        StringMatch::PrefixIgnoreCase(text) => format!("{text}* (any case)"),
        StringMatch::Regex(regex) => format!("regex {}", regex.as_str()),
        StringMatch::Present => "*".to_owned(),
    }
}

pub(super) fn joined<T: ToString>(list: &[T]) -> String {
    let list: Vec<_> = list.iter().map(ToString::to_string).collect();
    list.join(", ")
}
