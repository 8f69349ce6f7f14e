//! The conditions of an HTTP rule. One condition is one variant; what can be done with it stands side by side, and
//! each `match` names every variant, so that a new one does not compile until it is complete.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

use crate::value::StringMatch;

/// One condition. A request matches an alternative of a rule when it satisfies all of its conditions.
#[derive(Clone, Debug)]
pub enum Condition {
    /// `uri`, over the path without query.
    Path(StringMatch),
    /// `scheme`.
    Scheme(StringMatch),
    /// `method`.
    Method(StringMatch),
    /// `authority`, over the header as it is (port included, case kept).
    Authority(StringMatch),
    /// `headers`: a line of this name, in lower case, matches.
    Header(Arc<str>, StringMatch),
    /// `withoutHeaders`: no line of this name, in lower case, matches.
    WithoutHeader(Arc<str>, StringMatch),
    /// `queryParams`: the first value of this parameter matches.
    Query(Arc<str>, StringMatch),
}

/// The parts of a request that conditions check.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'c> {
    /// The method, as sent.
    pub method: &'c str,
    /// `http` or `https`.
    pub scheme: &'c str,
    /// The Host header or `:authority`, as sent.
    pub authority: &'c str,
    /// Path and query.
    pub target: &'c str,
    /// The path without query.
    pub path: &'c str,
    /// The query without its question mark.
    pub query: &'c str,
    /// The other headers.
    pub headers: &'c HeaderMap,
}

/// What a condition of a root and one of its delegate are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// They ask for different parts of a request: both hold.
    Both,
    /// The delegate's is within the root's and holds alone.
    Leaf,
    /// The root's does not let the delegate's through.
    Conflict,
}

impl Condition {
    /// Whether a request satisfies it.
    pub fn holds(&self, request: &RequestHead<'_>) -> bool {
        match self {
            Self::Path(text) => text.matches(request.path),
            Self::Scheme(text) => text.matches(request.scheme),
            Self::Method(text) => text.matches(request.method),
            Self::Authority(text) => text.matches(request.authority),
            Self::Header(name, text) => request.any_line(name, |line| text.matches_bytes(line)),
            Self::WithoutHeader(name, text) => {
                let there = request.any_line(name, |_| true);
                let matches = match text {
                    StringMatch::Present => there,
                    text if there => request.any_line(name, |line| text.matches_bytes(line)),
                    // As in Envoy, a header that is not there is an empty one.
                    text => text.matches(""),
                };
                !matches
            }
            Self::Query(name, text) => request
                .parameter(name)
                .is_some_and(|value| text.matches(value)),
        }
    }

    /// Whether every request satisfies it: every path begins with a slash.
    pub fn is_always_met(&self) -> bool {
        match self {
            Self::Path(StringMatch::Prefix(prefix) | StringMatch::PrefixIgnoreCase(prefix)) => {
                matches!(&**prefix, "" | "/")
            }
            Self::Path(text) => text.matches_all(),
            Self::Scheme(_)
            | Self::Method(_)
            | Self::Authority(_)
            | Self::Header(..)
            | Self::WithoutHeader(..)
            | Self::Query(..) => false,
        }
    }

    /// Whether it is certain that every request that satisfies `narrower` satisfies this too.
    pub fn covers(&self, narrower: &Self) -> bool {
        match (self, narrower) {
            (Self::Path(wider), Self::Path(narrower))
            | (Self::Scheme(wider), Self::Scheme(narrower))
            | (Self::Method(wider), Self::Method(narrower))
            | (Self::Authority(wider), Self::Authority(narrower)) => wider.covers(narrower),
            (Self::Header(name, wider), Self::Header(other, narrower))
            | (Self::Query(name, wider), Self::Query(other, narrower)) => {
                name == other && wider.covers(narrower)
            }
            (Self::WithoutHeader(name, wider), Self::WithoutHeader(other, narrower)) => {
                name == other && wider.covers(narrower) && narrower.covers(wider)
            }
            (
                Self::Path(_)
                | Self::Scheme(_)
                | Self::Method(_)
                | Self::Authority(_)
                | Self::Header(..)
                | Self::WithoutHeader(..)
                | Self::Query(..),
                _,
            ) => false,
        }
    }

    /// This condition of a root, and one of its delegate.
    pub fn merge(&self, leaf: &Self) -> Merged {
        let (root, leaf) = match (self, leaf) {
            (Self::Path(root), Self::Path(leaf))
            | (Self::Scheme(root), Self::Scheme(leaf))
            | (Self::Method(root), Self::Method(leaf))
            | (Self::Authority(root), Self::Authority(leaf)) => (root, leaf),
            (Self::Header(name, root), Self::Header(other, leaf))
            | (Self::WithoutHeader(name, root), Self::WithoutHeader(other, leaf))
            | (Self::Query(name, root), Self::Query(other, leaf))
                if name == other =>
            {
                (root, leaf)
            }
            (
                Self::Path(_)
                | Self::Scheme(_)
                | Self::Method(_)
                | Self::Authority(_)
                | Self::Header(..)
                | Self::WithoutHeader(..)
                | Self::Query(..),
                _,
            ) => return Merged::Both,
        };
        if root.lets_through(leaf) {
            Merged::Leaf
        } else {
            Merged::Conflict
        }
    }

    /// The order in which conditions are checked.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Path(_) => 0,
            Self::Scheme(_) => 1,
            Self::Method(_) => 2,
            Self::Authority(_) => 3,
            Self::Header(..) => 4,
            Self::WithoutHeader(..) => 5,
            Self::Query(..) => 6,
        }
    }

    /// The field of `match` that it comes from, as `uri` or `headers.x-canary`.
    pub fn field(&self) -> String {
        match self {
            Self::Path(_) => "uri".to_owned(),
            Self::Scheme(_) => "scheme".to_owned(),
            Self::Method(_) => "method".to_owned(),
            Self::Authority(_) => "authority".to_owned(),
            Self::Header(name, _) => format!("headers.{name}"),
            Self::WithoutHeader(name, _) => format!("withoutHeaders.{name}"),
            Self::Query(name, _) => format!("queryParams.{name}"),
        }
    }
}

/// The short form of admin pages: `/prefix*`, `method=GET`, `header x-canary=true`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(text) => write!(f, "{text}"),
            Self::Scheme(text) => write!(f, "scheme={text}"),
            Self::Method(text) => write!(f, "method={text}"),
            Self::Authority(text) => write!(f, "authority={text}"),
            Self::Header(name, text) => write!(f, "header {name}={text}"),
            Self::WithoutHeader(name, text) => write!(f, "without header {name}={text}"),
            Self::Query(name, text) => write!(f, "query {name}={text}"),
        }
    }
}

impl<'c> RequestHead<'c> {
    /// Whether a line of a header, or its pseudo-header in HTTP/2, matches.
    fn any_line(&self, name: &str, mut matches: impl FnMut(&[u8]) -> bool) -> bool {
        match name {
            ":authority" | "host" => matches(self.authority.as_bytes()),
            ":method" => matches(self.method.as_bytes()),
            ":path" => matches(self.target.as_bytes()),
            ":scheme" => matches(self.scheme.as_bytes()),
            _ => {
                let mut lines = self.headers.get_all(name).iter();
                lines.any(|line| matches(line.as_bytes()))
            }
        }
    }

    /// The first value of a query parameter, as sent.
    fn parameter(&self, key: &str) -> Option<&'c str> {
        self.query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests;
