//! What an HTTP rule matches, read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::read;
use crate::model::regex;
use crate::model::route::HttpMatch;
use crate::model::route::headers;
use crate::model::virtual_service::parse::Source;
use crate::model::virtual_service::parse::source;
use crate::problem::NO_VALUE;
use crate::problem::Review;
use crate::value::StringMatch;
use crate::wire::virtual_service as wire;

/// The parts of a request line that `headers` may name too.
const PSEUDO: [&str; 4] = [":authority", ":method", ":path", ":scheme"];

/// Reads one match block.
pub(crate) fn parse(
    wire: &wire::HttpMatch,
    namespace: &Arc<str>,
    review: &mut Review<'_>,
) -> HttpMatch {
    let mut one = |part: &str, text: &Option<wire::StringMatch>| {
        let text = text.as_ref()?;
        review.within(part, |review| {
            match string(text, wire.ignore_uri_case && part == "uri", review)? {
                // A condition without a word is none.
                StringMatch::Present => None,
                StringMatch::Prefix(prefix) if prefix.is_empty() && part != "uri" => {
                    review.error("prefix", NO_VALUE, "cannot be empty");
                    None
                }
                other => Some(other),
            }
        })
    };
    let uri = one("uri", &wire.uri);
    let scheme = one("scheme", &wire.scheme);
    let method = one("method", &wire.method);
    let authority = one("authority", &wire.authority);
    let caller = Source {
        port: wire.port,
        gateways: &wire.gateways,
        labels: &wire.source_labels,
        namespace: &wire.source_namespace,
    };
    HttpMatch {
        name: read::optional(&wire.name),
        uri,
        segments: None,
        ignore_uri_case: wire.ignore_uri_case,
        scheme,
        method,
        authority,
        headers: table("headers", &wire.headers, true, review),
        without_headers: table("withoutHeaders", &wire.without_headers, true, review),
        query: table("queryParams", &wire.query_params, false, review),
        source: source(&caller, namespace, review),
    }
}

fn table(
    part: &str,
    table: &BTreeMap<String, Option<wire::StringMatch>>,
    are_headers: bool,
    review: &mut Review<'_>,
) -> Vec<(Arc<str>, StringMatch)> {
    review.within(part, |review| {
        let entries = table.iter().filter_map(|(name, text)| {
            let pseudo = PSEUDO.contains(&name.as_str()) || name.starts_with("@request.auth.");
            if are_headers && !headers::is_name(name) && !pseudo {
                review.error("", name, "not a valid name of a header");
            }
            let key = if are_headers {
                name.to_ascii_lowercase()
            } else {
                name.clone()
            };
            let Some(text) = text else {
                review.error(name, NO_VALUE, ("cannot be null", "write {} for presence"));
                return None;
            };
            let text = review.within(name, |review| {
                if text.prefix.as_deref() == Some("") {
                    review.error(
                        "prefix",
                        NO_VALUE,
                        ("cannot be empty", "write {} for presence"),
                    );
                }
                string(text, false, review)
            })?;
            Some((key.into(), text))
        });
        entries.collect()
    })
}

/// Reads a `StringMatch`; without a word, or with the regex `*`, it asks for presence.
pub(crate) fn string(
    wire: &wire::StringMatch,
    ignore_case: bool,
    review: &mut Review<'_>,
) -> Option<StringMatch> {
    match (&wire.exact, &wire.prefix, &wire.regex) {
        (None, None, None) => Some(StringMatch::Present),
        (Some(exact), None, None) if ignore_case => Some(StringMatch::ExactIgnoreCase(
            exact.to_ascii_lowercase().into(),
        )),
        (Some(exact), None, None) => Some(StringMatch::Exact(exact.as_str().into())),
        (None, Some(prefix), None) if ignore_case => Some(StringMatch::PrefixIgnoreCase(
            prefix.to_ascii_lowercase().into(),
        )),
        (None, Some(prefix), None) => Some(StringMatch::Prefix(prefix.as_str().into())),
        (None, None, Some(regex)) if regex == "*" => Some(StringMatch::Present),
        (None, None, Some(regex)) => match regex::whole(regex) {
            Ok(compiled) => Some(compiled),
            Err(fault) => {
                review.error("regex", regex, fault);
                None
            }
        },
        _ => {
            review.error("", NO_VALUE, "only one of exact, prefix and regex");
            None
        }
    }
}
