//! Paths and locations: what a rewrite sends and where a redirect points.

use crate::decide::call::Request;
use crate::snapshot::location::{Matched, PathRewrite, Redirect, RedirectPath, RedirectPort};

/// The path and query that are sent instead of `path`.
pub(crate) fn rewritten(rewrite: &PathRewrite, path: &str) -> String {
    let (plain, query) = split_query(path);
    match rewrite {
        PathRewrite::Strip(prefix) => {
            let rest = plain.get(*prefix..).unwrap_or_default();
            format!("/{}{query}", rest.strip_prefix('/').unwrap_or(rest))
        }
        PathRewrite::Replace(matched, uri) => format!("{uri}{}{query}", rest(*matched, plain)),
        PathRewrite::Regex(pattern, substitution) => {
            let replaced = pattern.replace_all(plain.as_bytes(), substitution.as_bytes());
            format!("{}{query}", String::from_utf8_lossy(&replaced))
        }
    }
}

/// The `location` of a redirect.
pub(crate) fn redirect(redirect: &Redirect, call: &Request<'_>) -> String {
    let scheme = redirect.scheme.as_deref().unwrap_or(call.scheme);
    let port = match redirect.port {
        RedirectPort::Number(port) | RedirectPort::Listener(port) => Some(port),
        RedirectPort::Kept => None,
    };
    // A scheme's own port is not written.
    let port = port.filter(|port| !is_default(scheme, *port));
    let host = match &redirect.authority {
        Some(authority) => authority,
        None => {
            let numbered = matches!(redirect.port, RedirectPort::Number(_));
            kept_host(call, scheme, numbered || port.is_some())
        }
    };
    let (plain, query) = split_query(call.path);
    let path = match &redirect.path {
        RedirectPath::Kept => call.path.to_owned(),
        RedirectPath::Whole(uri) if uri.contains('?') => uri.to_string(),
        RedirectPath::Whole(uri) => format!("{uri}{query}"),
        RedirectPath::Replace(matched, uri) => format!("{uri}{}{query}", rest(*matched, plain)),
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    match port {
        Some(port) => format!("{scheme}://{host}:{port}{slash}{path}"),
        None => format!("{scheme}://{host}{slash}{path}"),
    }
}

/// The same request over https: a port of the host is kept unless it is 80.
pub(crate) fn to_https(call: &Request<'_>) -> String {
    let host = kept_host(call, "https", false);
    format!("https://{host}{}", call.path)
}

/// The request's host, without its port when another is given, or when the port is the default of a scheme that changes.
fn kept_host<'c>(call: &Request<'c>, scheme: &str, other_port: bool) -> &'c str {
    let authority = call.authority;
    let port_at = authority
        .rfind(':')
        .filter(|at| !authority[*at..].contains(']'));
    let Some(at) = port_at else {
        return authority;
    };
    let default = authority[at + 1..]
        .parse()
        .is_ok_and(|port| is_default(call.scheme, port));
    if other_port || (default && scheme != call.scheme) {
        &authority[..at]
    } else {
        authority
    }
}

fn is_default(scheme: &str, port: u16) -> bool {
    matches!((scheme, port), ("http", 80) | ("https", 443))
}

/// What follows the part of a path that a rule matched.
fn rest(matched: Matched, plain: &str) -> &str {
    match matched {
        Matched::Prefix(length) => plain.get(length..).unwrap_or_default(),
        Matched::Whole => "",
        Matched::Root => plain.strip_prefix('/').unwrap_or(plain),
    }
}

fn split_query(path: &str) -> (&str, &str) {
    match path.find('?') {
        Some(at) => path.split_at(at),
        None => (path, ""),
    }
}
