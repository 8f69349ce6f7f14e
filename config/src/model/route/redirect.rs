//! `redirect` of an HTTP rule.

use std::sync::Arc;

use crate::model::read;
use crate::model::route::headers;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::virtual_service as wire;

/// `redirect`.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// `redirectCode`; 301, 302, 303, 307 or 308.
    pub code: u16,
    /// `authority`.
    pub authority: Option<Arc<str>>,
    /// `uri` or `prefixRewrite`.
    pub path: Option<RedirectPath>,
    /// `scheme`.
    pub scheme: Option<Arc<str>>,
    /// `port` or `derivePort`.
    pub port: Option<RedirectPort>,
}

/// The path of a redirect.
#[derive(Clone, Debug)]
pub enum RedirectPath {
    /// `uri`: the whole path; the query is kept unless this has one.
    Whole(Arc<str>),
    /// `prefixRewrite`: instead of the matched prefix; the rest and the query are kept.
    Prefix(Arc<str>),
}

/// The port of a redirect.
#[derive(Clone, Copy, Debug)]
pub enum RedirectPort {
    /// `port`.
    Number(u16),
    /// `derivePort: FROM_PROTOCOL_DEFAULT`.
    FromScheme,
    /// `derivePort: FROM_REQUEST_PORT`.
    FromRequest,
}

/// Reads `redirect`.
pub(super) fn parse(
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
    let derived =
        read::enum_value(diagnostics, "derivePort", &wire.derive_port, &derived).flatten();
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
