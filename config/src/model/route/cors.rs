//! `corsPolicy` of an HTTP rule.

use std::sync::Arc;
use std::time::Duration;

use crate::model::read;
use crate::model::route::{conditions, headers};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::value::StringMatch;
use crate::wire::virtual_service as wire;

/// `corsPolicy`.
#[derive(Clone, Debug)]
pub struct Cors {
    /// `allowOrigins`.
    pub origins: Vec<StringMatch>,
    /// `allowMethods`, joined.
    pub methods: Arc<str>,
    /// `allowHeaders`, joined.
    pub headers: Arc<str>,
    /// `exposeHeaders`, joined.
    pub expose: Arc<str>,
    /// `maxAge`.
    pub max_age: Option<Duration>,
    /// `allowCredentials`.
    pub credentials: Option<bool>,
    /// `unmatchedPreflights: IGNORE`.
    pub ignore_unmatched: bool,
}

/// The methods that `corsPolicy.allowMethods` may name, as Istio admits them.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

/// Reads `corsPolicy`.
pub(super) fn parse(wire: &wire::CorsPolicy, diagnostics: &mut Diagnostics<'_>) -> Cors {
    let mut origins = diagnostics.each(
        "allowOrigins",
        &wire.allow_origins,
        |diagnostics, origin| {
            match conditions::string(origin, false, diagnostics)? {
                StringMatch::Present => {
                    diagnostics.error("", NO_VALUE, "one of exact, prefix and regex is required");
                    None
                }
                // As in Envoy, the one value that means any origin.
                StringMatch::Exact(any) if &*any == "*" => Some(StringMatch::Present),
                StringMatch::Exact(text) | StringMatch::Prefix(text) if text.is_empty() => {
                    diagnostics.error("", NO_VALUE, "cannot be empty");
                    None
                }
                other => Some(other),
            }
        },
    );
    if !wire.allow_origin.is_empty() {
        diagnostics.warn(
            "allowOrigin",
            wire.allow_origin.join(", "),
            ("the old form", "write allowOrigins"),
        );
        origins.extend(
            wire.allow_origin
                .iter()
                .map(|origin| match origin.as_str() {
                    "*" => StringMatch::Present,
                    exact => StringMatch::Exact(exact.into()),
                }),
        );
    }
    for (part, names) in [
        ("allowHeaders", &wire.allow_headers),
        ("exposeHeaders", &wire.expose_headers),
    ] {
        for name in names
            .iter()
            .filter(|name| *name != "*" && !headers::is_name(name))
        {
            diagnostics.error(part, name, "not a valid name of a header");
        }
    }
    for method in &wire.allow_methods {
        if method != "*" && !METHODS.contains(&method.as_str()) {
            diagnostics.error(
                "allowMethods",
                method,
                format!("expected `*` or one of {}", METHODS.join(", ")),
            );
        }
    }
    let max_age = read::positive_duration(diagnostics, "maxAge", wire.max_age.as_ref());
    if let Some(age) = max_age.filter(|age| age.subsec_nanos() > 0) {
        diagnostics.error(
            "maxAge",
            age.as_secs_f64(),
            "browsers read whole seconds only",
        );
    }
    let preflights = [("UNSPECIFIED", false), ("FORWARD", false), ("IGNORE", true)];
    Cors {
        origins,
        methods: wire.allow_methods.join(",").into(),
        headers: wire.allow_headers.join(",").into(),
        expose: wire.expose_headers.join(",").into(),
        max_age,
        credentials: wire.allow_credentials,
        ignore_unmatched: read::enum_value(
            diagnostics,
            "unmatchedPreflights",
            &wire.unmatched_preflights,
            &preflights,
        )
        .unwrap_or_default(),
    }
}
