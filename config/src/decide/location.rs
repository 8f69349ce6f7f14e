//! Paths and locations: what a rewrite sends and where a redirect points.

use crate::decide::call::Request;
use crate::model::route::PathRewrite;
use crate::model::route::Redirect;
use crate::model::route::RedirectPath;
use crate::model::route::RedirectPort;
use crate::snapshot::table::RuleAction;
use crate::value::StringMatch;

/// The path and query a rule sends instead of `path`; `None` when it does not rewrite.
pub(crate) fn rewritten(action: &RuleAction, path: &str) -> Option<String> {
    let rewrite = action.route.rewrite.as_ref()?.path.as_ref()?;
    let (plain, query) = split_query(path);
    Some(match rewrite {
        PathRewrite::Strip => {
            let prefix = action.condition().and_then(|wanted| wanted.segments);
            let rest = plain.get(prefix.unwrap_or(0)..).unwrap_or_default();
            format!("/{}{query}", rest.strip_prefix('/').unwrap_or(rest))
        }
        PathRewrite::Uri(uri) => format!("{uri}{}{query}", &plain[matched(action, plain)..]),
        PathRewrite::Regex {
            pattern,
            substitution,
        } => {
            let replaced = pattern.replace_all(plain.as_bytes(), groups(substitution).as_bytes());
            format!("{}{query}", String::from_utf8_lossy(&replaced))
        }
    })
}

/// The `location` of a redirect.
pub(crate) fn redirect(
    redirect: &Redirect,
    action: &RuleAction,
    call: &Request<'_>,
    path: &str,
) -> String {
    let scheme = redirect.scheme.as_deref().unwrap_or(call.scheme);
    let port = match redirect.port {
        Some(RedirectPort::Number(port)) => Some(port),
        Some(RedirectPort::FromRequest) => Some(action.port),
        Some(RedirectPort::FromScheme) | None => None,
    };
    // A scheme's own port is not written.
    let port = port.filter(|port| !is_default(scheme, *port));
    let host = match &redirect.authority {
        Some(authority) => authority,
        None => {
            let numbered = matches!(redirect.port, Some(RedirectPort::Number(_)));
            kept_host(call, scheme, numbered || port.is_some())
        }
    };
    let (plain, query) = split_query(path);
    let path = match &redirect.path {
        None => path.to_owned(),
        Some(RedirectPath::Whole(uri)) if uri.contains('?') => uri.to_string(),
        Some(RedirectPath::Whole(uri)) => format!("{uri}{query}"),
        Some(RedirectPath::Prefix(uri)) => {
            format!("{uri}{}{query}", &plain[matched(action, plain)..])
        }
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

/// How much of the path the rule matched: a prefix its length, anything else all of it, no condition the first `/`.
fn matched(action: &RuleAction, plain: &str) -> usize {
    let wanted = action.condition();
    if let Some(prefix) = wanted.and_then(|wanted| wanted.segments) {
        return prefix.min(plain.len());
    }
    let length = match wanted.and_then(|wanted| wanted.uri.as_ref()) {
        Some(StringMatch::Prefix(prefix) | StringMatch::PrefixIgnoreCase(prefix)) => prefix.len(),
        Some(_) => plain.len(),
        None => usize::from(plain.starts_with('/')),
    };
    length.min(plain.len())
}

fn split_query(path: &str) -> (&str, &str) {
    match path.find('?') {
        Some(at) => path.split_at(at),
        None => (path, ""),
    }
}

/// RE2's `\1` as the `regex` crate writes it.
fn groups(substitution: &str) -> String {
    let mut out = String::with_capacity(substitution.len() + 4);
    let mut rest = substitution.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek().copied()) {
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                rest.next();
                out.push_str(&format!("${{{digit}}}"));
            }
            ('\\', Some('\\')) => {
                rest.next();
                out.push('\\');
            }
            ('$', _) => out.push_str("$$"),
            (c, _) => out.push(c),
        }
    }
    out
}
