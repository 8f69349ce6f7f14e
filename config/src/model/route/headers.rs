//! `headers` of HTTP rules and their destinations.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::header_names::is_authority;
use crate::problem::Diagnostics;
use crate::wire::virtual_service as wire;

/// `headers`: changes of a request and of its response; in each, removals come first, then sets, then adds.
#[derive(Clone, Debug, Default)]
pub struct HeaderChanges {
    /// Of the request.
    pub request: HeaderOperations,
    /// Of the response.
    pub response: HeaderOperations,
}

/// Header operations.
#[derive(Clone, Debug, Default)]
pub struct HeaderOperations {
    /// `remove`.
    pub remove: Vec<Arc<str>>,
    /// `set`.
    pub set: BTreeMap<Arc<str>, Arc<str>>,
    /// `add`.
    pub add: BTreeMap<Arc<str>, Arc<str>>,
}

impl HeaderChanges {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        let Self { request, response } = self;
        [request, response].into_iter().all(|operations| {
            let HeaderOperations { remove, set, add } = operations;
            remove.is_empty() && set.is_empty() && add.is_empty()
        })
    }
}

/// Reads `headers`.
pub(crate) fn parse(
    wire: Option<&wire::Headers>,
    diagnostics: &mut Diagnostics<'_>,
) -> HeaderChanges {
    let Some(wire) = wire else {
        return HeaderChanges::default();
    };
    diagnostics.within("headers", |diagnostics| HeaderChanges {
        request: operations("request", wire.request.as_ref(), true, diagnostics),
        response: operations("response", wire.response.as_ref(), false, diagnostics),
    })
}

fn operations(
    part: &str,
    wire: Option<&wire::HeaderOperations>,
    authority: bool,
    diagnostics: &mut Diagnostics<'_>,
) -> HeaderOperations {
    let Some(wire) = wire else {
        return HeaderOperations::default();
    };
    diagnostics.within(part, |diagnostics| HeaderOperations {
        remove: diagnostics.each("remove", &wire.remove, |diagnostics, name| {
            name_of(diagnostics, name, false)
        }),
        set: values("set", &wire.set, authority, diagnostics),
        add: values("add", &wire.add, authority, diagnostics),
    })
}

fn values(
    part: &str,
    wire: &BTreeMap<String, String>,
    authority: bool,
    diagnostics: &mut Diagnostics<'_>,
) -> BTreeMap<Arc<str>, Arc<str>> {
    diagnostics.within(part, |diagnostics| {
        let pairs = wire.iter().filter_map(|(name, value)| {
            if HeaderValue::from_str(value).is_err() {
                diagnostics.error(name, value, "not a valid value of a header");
            } else if !closes_variables(value) {
                diagnostics.error(
                    name,
                    value,
                    (
                        "a `%` begins a variable such as %HOSTNAME%",
                        "write %% for the sign itself",
                    ),
                );
            }
            Some((
                name_of(diagnostics, name, authority)?,
                value.as_str().into(),
            ))
        });
        pairs.collect()
    })
}

/// A name in lower case. Only where `authority` is allowed may it be `Host` or `:authority`.
fn name_of(diagnostics: &mut Diagnostics<'_>, name: &str, authority: bool) -> Option<Arc<str>> {
    if is_authority(name) {
        if authority {
            return Some(name.to_ascii_lowercase().into());
        }
        diagnostics.error("", name, "the host can only be set, and only for requests");
        return None;
    }
    if !is_name(name) {
        diagnostics.error("", name, "not a valid name of a header");
        return None;
    }
    Some(name.to_ascii_lowercase().into())
}

/// Whether a name is one that HTTP allows.
pub(crate) fn is_name(name: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok()
}

/// Complains of what no header may have, such as a line break.
pub(crate) fn check_text(diagnostics: &mut Diagnostics<'_>, part: &str, text: &str) {
    if HeaderValue::from_bytes(text.as_bytes()).is_err() {
        diagnostics.error(
            part,
            text,
            "cannot have line breaks or other control characters",
        );
    }
}

/// Whether each `%` of a value is doubled, or begins a variable (`%NAME%`, `%NAME(argument)%`) that also ends.
fn closes_variables(value: &str) -> bool {
    let mut rest = value;
    while let Some((_, variable)) = rest.split_once('%') {
        if let Some(after) = variable.strip_prefix('%') {
            rest = after;
            continue;
        }
        let name = variable.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if name.len() == variable.len() {
            return false;
        }
        let argument_end = match name.strip_prefix('(') {
            Some(argument) => argument.find(')').map(|at| &argument[at + 1..]),
            None => Some(name),
        };
        let length = argument_end
            .map(|rest| rest.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit()));
        match length.and_then(|rest| rest.strip_prefix('%')) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}
