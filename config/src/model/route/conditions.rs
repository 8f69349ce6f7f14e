//! What an HTTP rule matches, read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::condition::Condition;
use crate::model::http_match::HttpMatch;
use crate::model::read;
use crate::model::route::headers;
use crate::model::source::{self, Source};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::re2;
use crate::value::StringMatch;
use crate::wire::virtual_service as wire;

/// The parts of a request line that `headers` may name too.
const PSEUDO: [&str; 4] = [":authority", ":method", ":path", ":scheme"];

/// Reads one match block.
pub(crate) fn parse(
    wire: &wire::HttpMatch,
    namespace: &Arc<str>,
    diagnostics: &mut Diagnostics<'_>,
) -> HttpMatch {
    let mut one = |part: &str, text: &Option<wire::StringMatch>| {
        let text = text.as_ref()?;
        diagnostics.within(part, |diagnostics| {
            match string(text, wire.ignore_uri_case && part == "uri", diagnostics)? {
                // A condition without a value is none.
                StringMatch::Present => None,
                StringMatch::Prefix(prefix) if prefix.is_empty() && part != "uri" => {
                    diagnostics.error("prefix", NO_VALUE, "cannot be empty");
                    None
                }
                other => Some(other),
            }
        })
    };
    let mut conditions = Vec::new();
    conditions.extend(one("uri", &wire.uri).map(Condition::Path));
    conditions.extend(one("scheme", &wire.scheme).map(Condition::Scheme));
    conditions.extend(one("method", &wire.method).map(Condition::Method));
    conditions.extend(one("authority", &wire.authority).map(Condition::Authority));
    let headers = table("headers", &wire.headers, true, diagnostics);
    conditions.extend(headers.map(|(name, text)| Condition::Header(name, text)));
    let without = table("withoutHeaders", &wire.without_headers, true, diagnostics);
    conditions.extend(without.map(|(name, text)| Condition::WithoutHeader(name, text)));
    let query = table("queryParams", &wire.query_params, false, diagnostics);
    conditions.extend(query.map(|(name, text)| Condition::Query(name, text)));
    let caller = Source {
        port: wire.port,
        gateways: &wire.gateways,
        labels: &wire.source_labels,
        namespace: &wire.source_namespace,
    };
    HttpMatch {
        name: read::optional(&wire.name),
        conditions: conditions.into(),
        ignore_uri_case: wire.ignore_uri_case,
        source: source::parse(&caller, namespace, diagnostics),
    }
}

fn table(
    part: &str,
    table: &BTreeMap<String, Option<wire::StringMatch>>,
    are_headers: bool,
    diagnostics: &mut Diagnostics<'_>,
) -> impl Iterator<Item = (Arc<str>, StringMatch)> + use<> {
    let entries: Vec<_> = diagnostics.within(part, |diagnostics| {
        let entries = table.iter().filter_map(|(name, text)| {
            let pseudo = PSEUDO.contains(&name.as_str()) || name.starts_with("@request.auth.");
            if are_headers && !headers::is_name(name) && !pseudo {
                diagnostics.error("", name, "not a valid name of a header");
            }
            let key = if are_headers {
                name.to_ascii_lowercase()
            } else {
                name.clone()
            };
            let Some(text) = text else {
                diagnostics.error(name, NO_VALUE, ("cannot be null", "write {} for presence"));
                return None;
            };
            let text = diagnostics.within(name, |diagnostics| {
                if text.prefix.as_deref() == Some("") {
                    diagnostics.error(
                        "prefix",
                        NO_VALUE,
                        ("cannot be empty", "write {} for presence"),
                    );
                }
                string(text, false, diagnostics)
            })?;
            Some((key.into(), text))
        });
        entries.collect()
    });
    entries.into_iter()
}

/// Reads a `StringMatch`; without a value, or with the regex `*`, it requires presence.
pub(crate) fn string(
    wire: &wire::StringMatch,
    ignore_case: bool,
    diagnostics: &mut Diagnostics<'_>,
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
        (None, None, Some(regex)) => match re2::whole(regex) {
            Ok(compiled) => Some(compiled),
            Err(reason) => {
                diagnostics.error("regex", regex, reason);
                None
            }
        },
        _ => {
            diagnostics.error("", NO_VALUE, "only one of exact, prefix and regex");
            None
        }
    }
}
