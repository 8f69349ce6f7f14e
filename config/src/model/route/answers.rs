//! Answers that a rule gives by itself, read: `redirect`, `directResponse`, `corsPolicy`.

use std::sync::Arc;

use crate::model::read;
use crate::model::route::{
    Cors, DirectResponse, Redirect, RedirectPath, RedirectPort, conditions, headers,
};
use crate::model::secret::base64;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::value::StringMatch;
use crate::wire::virtual_service as wire;

/// The methods that `corsPolicy.allowMethods` may name, as Istio admits them.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

/// Bytes of a direct response's body: more is refused, and from the second on warned of.
const BODY_MAX: usize = 1 << 20;
const BODY_LARGE: usize = 100 << 10;

/// Reads `redirect`.
pub(crate) fn redirect(
    wire: &wire::HttpRedirect,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Redirect> {
    let code = match wire.redirect_code {
        0 => 301,
        code @ (301 | 302 | 303 | 307 | 308) => u16::try_from(code).ok()?,
        other => {
            diagnostics.error(
                "redirectCode",
                other,
                "expected one of 301, 302, 303, 307, 308",
            );
            return None;
        }
    };
    if !matches!(wire.scheme.as_str(), "" | "http" | "https") {
        diagnostics.error("scheme", &wire.scheme, "expected http or https");
    }
    let derived = [
        ("", None),
        ("FROM_PROTOCOL_DEFAULT", Some(RedirectPort::FromScheme)),
        ("FROM_REQUEST_PORT", Some(RedirectPort::FromRequest)),
    ];
    let derived = read::word(diagnostics, "derivePort", &wire.derive_port, &derived).flatten();
    if derived.is_some() && wire.port.is_some() {
        diagnostics.error(
            "derivePort",
            &wire.derive_port,
            "only one of port and derivePort",
        );
    }
    let port = wire
        .port
        .and_then(|number| read::port(diagnostics, "port", number));
    if !wire.uri.is_empty() && !wire.prefix_rewrite.is_empty() {
        diagnostics.error(
            "prefixRewrite",
            &wire.prefix_rewrite,
            "only one of uri and prefixRewrite",
        );
    }
    headers::check_text(diagnostics, "uri", &wire.uri);
    headers::check_text(diagnostics, "prefixRewrite", &wire.prefix_rewrite);
    headers::check_text(diagnostics, "authority", &wire.authority);
    let redirect = Redirect {
        code,
        authority: read::optional(&wire.authority),
        path: read::optional(&wire.uri)
            .map(RedirectPath::Whole)
            .or_else(|| read::optional(&wire.prefix_rewrite).map(RedirectPath::Prefix)),
        scheme: read::optional(&wire.scheme),
        port: port.map(RedirectPort::Number).or(derived),
    };
    let nothing = redirect.authority.is_none()
        && redirect.path.is_none()
        && redirect.scheme.is_none()
        && wire.port.is_none()
        && derived.is_none();
    if nothing {
        diagnostics.error(
            "",
            NO_VALUE,
            "one of uri, prefixRewrite, authority, scheme, port and derivePort is required",
        );
    }
    Some(redirect)
}

/// Reads `directResponse`.
pub(crate) fn direct(
    wire: &wire::HttpDirectResponse,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<DirectResponse> {
    let status = u16::try_from(wire.status)
        .ok()
        .filter(|status| (200..=600).contains(status));
    if status.is_none() {
        diagnostics.error("status", wire.status, "expected a status from 200 to 600");
    }
    let body: Arc<[u8]> = match &wire.body {
        None => Arc::default(),
        Some(body) => match (&body.string, &body.bytes) {
            (Some(_), Some(_)) => {
                diagnostics.error("body", NO_VALUE, "only one of string and bytes");
                return None;
            }
            (Some(text), None) => text.as_bytes().into(),
            (None, Some(encoded)) => match base64(encoded) {
                Some(bytes) => bytes.into(),
                None => {
                    diagnostics.error("body.bytes", encoded, "expected base64");
                    return None;
                }
            },
            (None, None) => Arc::default(),
        },
    };
    if body.len() > BODY_MAX {
        diagnostics.error("body", body.len(), format!("larger than {BODY_MAX} bytes"));
    } else if body.len() > BODY_LARGE {
        diagnostics.warn(
            "body",
            body.len(),
            "a large body, held in memory by every proxy",
        );
    }
    Some(DirectResponse {
        status: status?,
        body,
    })
}

/// Reads `corsPolicy`.
pub(crate) fn cors(wire: &wire::CorsPolicy, diagnostics: &mut Diagnostics<'_>) -> Cors {
    let mut origins = diagnostics.each(
        "allowOrigins",
        &wire.allow_origins,
        |diagnostics, origin| {
            match conditions::string(origin, false, diagnostics)? {
                StringMatch::Present => {
                    diagnostics.error("", NO_VALUE, "one of exact, prefix and regex is required");
                    None
                }
                // As in Envoy, the one word that means any origin.
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
        ignore_unmatched: read::word(
            diagnostics,
            "unmatchedPreflights",
            &wire.unmatched_preflights,
            &preflights,
        )
        .unwrap_or_default(),
    }
}
