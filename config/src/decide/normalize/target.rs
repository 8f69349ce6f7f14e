//! The target of a request: its one host, and the regular form of its path, so that rules see one spelling of one path.

use std::borrow::Cow;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};

use crate::decide::bad_request::{BadRequest, BadRequestKind};
use crate::value::path::{PathNormalization, has_zero, normalised};

/// The authority of a request; afterwards the headers hold it as the one Host header. An absolute target wins over the
/// Host header (RFC 9112, 3.2.2), without its user information. Several Host headers are one with all of their values, as
/// with Envoy: the result matches no virtual host.
///
/// # Errors
/// No host, or one that is none.
pub(super) fn take_authority(
    uri: &Uri,
    version: Version,
    secure: bool,
    headers: &mut HeaderMap,
) -> Result<HeaderValue, BadRequest> {
    let Some(authority) = uri.authority() else {
        let host = one_host(headers)?;
        return if host_like(host.as_bytes()) {
            Ok(host)
        } else {
            Err(bad_host())
        };
    };
    if version < Version::HTTP_2 {
        match uri.scheme_str() {
            // Only CONNECT has a host alone for its target (RFC 9112, 3.2.3).
            None => return Err(no_path()),
            Some("http") => {}
            Some("https") if secure => {}
            Some("https") => return Err(insecure()),
            Some(_) => return Err(bad_scheme()),
        }
    }
    let text = authority.as_str();
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    if !host_like(text.as_bytes()) {
        return Err(bad_host());
    }
    let host = HeaderValue::from_str(text).map_err(|_| bad_host())?;
    headers.insert(header::HOST, host.clone());
    Ok(host)
}

/// The Host header; several become one.
fn one_host(headers: &mut HeaderMap) -> Result<HeaderValue, BadRequest> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let first = hosts.next().cloned().ok_or_else(no_host)?;
    if hosts.next().is_none() {
        return Ok(first);
    }
    let hosts = headers.get_all(header::HOST).iter();
    let hosts: Vec<_> = hosts
        .map(HeaderValue::as_bytes)
        .filter(|host| !host.is_empty())
        .collect();
    let joined = HeaderValue::from_bytes(&hosts.join(&b","[..])).map_err(|_| bad_host())?;
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
pub(super) fn take_path(
    method: &Method,
    uri: &Uri,
    how: PathNormalization,
) -> Result<PathAndQuery, BadRequest> {
    if uri.path() == "*" && *method != Method::OPTIONS {
        return Err(no_path());
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
        return Err(zero_in_path());
    }
    Ok(match normalised(path.as_str(), how) {
        Cow::Borrowed(_) => path,
        // Normalising leaves nothing that a path cannot have, so the result is one still.
        Cow::Owned(text) => PathAndQuery::try_from(text).unwrap_or(path),
    })
}

fn no_host() -> BadRequest {
    BadRequest::new(BadRequestKind::NoHost, "the request has no Host header")
}

fn bad_host() -> BadRequest {
    BadRequest::new(BadRequestKind::Host, "the Host header is not a host")
}

fn bad_scheme() -> BadRequest {
    let message = "the request's target is not an http URL";
    BadRequest::new(BadRequestKind::Scheme, message)
}

fn insecure() -> BadRequest {
    let message = "the request's target is an https URL, but the connection has no TLS";
    BadRequest::new(BadRequestKind::Insecure, message)
}

/// A host, or `*` in other requests than OPTIONS, where a path or a URL belongs.
fn no_path() -> BadRequest {
    let message = "the request's target is neither a path nor a URL";
    BadRequest::new(BadRequestKind::Syntax, message)
}

fn zero_in_path() -> BadRequest {
    BadRequest::new(BadRequestKind::Path, "the request's path has a zero byte")
}

#[cfg(test)]
mod tests;
