//! The target of a request: read from what the client sent, made regular so that rules see one spelling of one path, and
//! rewritten as the route says.

use std::borrow::Cow;

use egret_config::value::path::PathNormalization;
use egret_config::value::path::has_zero;
use egret_config::value::path::normalised;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Uri;
use http::Version;
use http::header;
use http::uri::PathAndQuery;

use crate::failure::Bad;
use crate::failure::Cause;
use crate::failure::Failure;

/// What is wrong with a request's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTarget {
    /// Neither a Host header nor an authority in the target.
    NoHost,
    /// The host holds characters that no host has.
    BadHost,
    /// An absolute target of another scheme than ours.
    BadScheme,
    /// An absolute `https` target on a connection without TLS: the client believes itself safe.
    Insecure,
    /// A host, or `*` in other requests than OPTIONS, where a path or a URL belongs.
    NoPath,
    /// A path with a zero byte in it.
    ZeroInPath,
}

impl BadTarget {
    /// Words for the operator and the caller.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoHost => "the request has no Host header",
            Self::BadHost => "the Host header is not a host",
            Self::BadScheme => "the request's target is not an http URL",
            Self::Insecure => "the request's target is an https URL, but the connection has no TLS",
            Self::NoPath => "the request's target is neither a path nor a URL",
            Self::ZeroInPath => "the request's path has a zero byte",
        }
    }
}

impl From<BadTarget> for Failure {
    fn from(bad: BadTarget) -> Self {
        let cause = match bad {
            BadTarget::Insecure => Cause::Insecure,
            BadTarget::NoHost => Cause::BadRequest(Bad::NoHost),
            BadTarget::BadHost => Cause::BadRequest(Bad::Host),
            BadTarget::BadScheme => Cause::BadRequest(Bad::Scheme),
            BadTarget::NoPath => Cause::BadRequest(Bad::Syntax),
            BadTarget::ZeroInPath => Cause::BadRequest(Bad::Path),
        };
        Self::new(cause, bad.words())
    }
}

/// The authority of a request; afterwards the headers hold it as the one Host header. An absolute target wins over the
/// Host header (RFC 9112, 3.2.2), without its user information. Several Host headers are one with all of their values, as
/// with Envoy: what two readers could take for different hosts is the name of none.
///
/// # Errors
/// No host, or one that is none.
pub fn take_authority(
    uri: &Uri,
    version: Version,
    secure: bool,
    headers: &mut HeaderMap,
) -> Result<HeaderValue, BadTarget> {
    let Some(authority) = uri.authority() else {
        let host = one_host(headers)?;
        return if host_like(host.as_bytes()) {
            Ok(host)
        } else {
            Err(BadTarget::BadHost)
        };
    };
    if version < Version::HTTP_2 {
        match uri.scheme_str() {
            // Only CONNECT has a host alone for its target (RFC 9112, 3.2.3).
            None => return Err(BadTarget::NoPath),
            Some("http") => {}
            Some("https") if secure => {}
            Some("https") => return Err(BadTarget::Insecure),
            Some(_) => return Err(BadTarget::BadScheme),
        }
    }
    let text = authority.as_str();
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    if !host_like(text.as_bytes()) {
        return Err(BadTarget::BadHost);
    }
    let host = HeaderValue::from_str(text).map_err(|_| BadTarget::BadHost)?;
    headers.insert(header::HOST, host.clone());
    Ok(host)
}

/// The Host header; several become one.
fn one_host(headers: &mut HeaderMap) -> Result<HeaderValue, BadTarget> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let first = hosts.next().cloned().ok_or(BadTarget::NoHost)?;
    if hosts.next().is_none() {
        return Ok(first);
    }
    let hosts = headers.get_all(header::HOST).iter();
    let hosts: Vec<_> = hosts
        .map(HeaderValue::as_bytes)
        .filter(|host| !host.is_empty())
        .collect();
    let joined = HeaderValue::from_bytes(&hosts.join(&b","[..])).map_err(|_| BadTarget::BadHost)?;
    headers.insert(header::HOST, joined.clone());
    Ok(joined)
}

fn host_like(host: &[u8]) -> bool {
    host.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(byte))
}

/// The path and query of a target, in their regular spelling.
///
/// # Errors
/// No path has a zero byte, unless paths stay as they come; only OPTIONS may ask for `*` (RFC 9112, 3.2.4).
pub fn take_path(
    method: &Method,
    uri: &Uri,
    how: PathNormalization,
) -> Result<PathAndQuery, BadTarget> {
    if uri.path() == "*" && *method != Method::OPTIONS {
        return Err(BadTarget::NoPath);
    }
    let path = match uri.path_and_query() {
        Some(path) if path.as_str().starts_with(['/', '*']) => path.clone(),
        // An absolute target may have a query without a path.
        Some(query) => {
            let text = format!("/{}", query.as_str().trim_start_matches('/'));
            PathAndQuery::try_from(text).unwrap_or_else(|_| PathAndQuery::from_static("/"))
        }
        None => PathAndQuery::from_static("/"),
    };
    if how != PathNormalization::None && has_zero(path.as_str()) {
        return Err(BadTarget::ZeroInPath);
    }
    Ok(match normalised(path.as_str(), how) {
        Cow::Borrowed(_) => path,
        // Normalising leaves nothing that a path cannot have, so the result is one still.
        Cow::Owned(text) => PathAndQuery::try_from(text).unwrap_or(path),
    })
}

#[cfg(test)]
mod tests;
