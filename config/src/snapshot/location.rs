//! What a rule does with paths and locations, compiled: how much of a path it matched is known by then.

use std::sync::Arc;

use regex::bytes::Regex;

use crate::model::route;
use crate::value::StringMatch;

/// How much of a path, without query, a rule matched.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Matched {
    /// So many bytes of its beginning.
    Prefix(usize),
    /// All of it.
    Whole,
    /// The first slash: the rule has no condition on the path.
    Root,
}

/// How a path is rewritten.
#[derive(Clone, Debug)]
pub(crate) enum PathRewrite {
    /// `uri`: instead of what was matched.
    Replace(Matched, Arc<str>),
    /// What was matched goes, down to `/`.
    Strip(usize),
    /// `uriRegexRewrite`: what the pattern matches becomes this, in the syntax of the `regex` crate.
    Regex(Regex, Box<str>),
}

/// `redirect`.
#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    /// The status.
    pub(crate) code: u16,
    /// `authority`.
    pub(crate) authority: Option<Arc<str>>,
    /// The path.
    pub(crate) path: RedirectPath,
    /// `scheme`.
    pub(crate) scheme: Option<Arc<str>>,
    /// The port.
    pub(crate) port: RedirectPort,
}

/// The path of a redirect.
#[derive(Clone, Debug)]
pub(crate) enum RedirectPath {
    /// The request's, with its query.
    Kept,
    /// `uri`; the query is kept unless this has one.
    Whole(Arc<str>),
    /// `prefixRewrite`: instead of what was matched.
    Replace(Matched, Arc<str>),
}

/// The port of a redirect.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RedirectPort {
    /// That of the authority, unless it is the default of a scheme that changes.
    Kept,
    /// `port`.
    Number(u16),
    /// `derivePort: FROM_REQUEST_PORT`: the listener's.
    Listener(u16),
}

impl Matched {
    /// The part of a path that a rule with this condition matched.
    pub(crate) fn by(path: Option<&StringMatch>) -> Self {
        match path {
            None => Self::Root,
            Some(
                StringMatch::Prefix(prefix)
                | StringMatch::PrefixIgnoreCase(prefix)
                | StringMatch::Segments(prefix)
                | StringMatch::SegmentsIgnoreCase(prefix),
            ) => Self::Prefix(prefix.len()),
            Some(
                StringMatch::Exact(_)
                | StringMatch::ExactIgnoreCase(_)
                | StringMatch::Regex(_)
                | StringMatch::Present,
            ) => Self::Whole,
        }
    }
}

impl PathRewrite {
    /// Compiles a rewrite of a rule with this condition on the path.
    pub(crate) fn new(rewrite: &route::PathRewrite, path: Option<&StringMatch>) -> Self {
        match rewrite {
            route::PathRewrite::Uri(uri) => Self::Replace(Matched::by(path), uri.clone()),
            route::PathRewrite::Strip => Self::Strip(match path {
                Some(StringMatch::Segments(prefix) | StringMatch::SegmentsIgnoreCase(prefix)) => {
                    prefix.len()
                }
                _ => 0,
            }),
            route::PathRewrite::Regex {
                pattern,
                substitution,
            } => Self::Regex(pattern.clone(), groups(substitution).into()),
        }
    }
}

impl Redirect {
    /// Compiles a redirect of a rule with this condition on the path, for a listener's port.
    pub(crate) fn new(redirect: &route::Redirect, path: Option<&StringMatch>, port: u16) -> Self {
        Self {
            code: redirect.code,
            authority: redirect.authority.clone(),
            path: match &redirect.path {
                None => RedirectPath::Kept,
                Some(route::RedirectPath::Whole(uri)) => RedirectPath::Whole(uri.clone()),
                Some(route::RedirectPath::Prefix(uri)) => {
                    RedirectPath::Replace(Matched::by(path), uri.clone())
                }
            },
            scheme: redirect.scheme.clone(),
            port: match redirect.port {
                Some(route::RedirectPort::Number(number)) => RedirectPort::Number(number),
                Some(route::RedirectPort::FromRequest) => RedirectPort::Listener(port),
                Some(route::RedirectPort::FromScheme) | None => RedirectPort::Kept,
            },
        }
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
