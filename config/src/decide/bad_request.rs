//! Requests that are refused under any configuration.

use std::borrow::Cow;

/// The rule that a request breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRequestKind {
    /// It is no HTTP request (RFC 9112, 2 and 3).
    Syntax,
    /// It has both a length and a transfer coding (RFC 9112, 6.1).
    Framing,
    /// Its transfer coding is not `chunked` alone (RFC 9112, 6.1: 501).
    Coding,
    /// Its target is a URL of another scheme than `http` and `https`.
    Scheme,
    /// Its target is an `https` URL on a connection without TLS.
    Insecure,
    /// Its host contains characters that no host has.
    Host,
    /// It has no host (RFC 9112, 3.2).
    NoHost,
    /// Its path has no regular form.
    Path,
    /// Its upgrade is not offered.
    Upgrade,
    /// Its header block is too large (RFC 6585, 5: 431).
    TooLarge,
}

/// A request that is refused under any configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// The rule.
    pub kind: BadRequestKind,
    /// The message for the operator.
    pub message: Cow<'static, str>,
}

impl BadRequest {
    /// A request that breaks `kind`, with a message for the operator.
    pub fn new(kind: BadRequestKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}
