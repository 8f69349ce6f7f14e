//! The result of resolving a name: its addresses, or the reason why there are none.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The addresses of a name, from a name server or `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// All addresses, IPv6 after IPv4, without repeats, in the server's order.
    pub addresses: Vec<IpAddr>,
    /// The TTL of the server.
    pub ttl: Duration,
}

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// NXDOMAIN: there is no such name.
    NoSuchName,
    /// The name has records of other types only.
    NoAddress,
    /// The name server refuses to answer (REFUSED).
    Refused,
    /// The name server failed (SERVFAIL, or another code).
    ServerFailure,
    /// The name's aliases (CNAME) lead in a circle, or are too many.
    AliasLoop,
    /// The answer has records of other names only.
    OtherNames,
    /// No name server answered in time.
    NoAnswer,
    /// No name server can be reached.
    Unreachable,
    /// There is no `resolv.conf`, or it names no server.
    NoServer,
    /// No DNS question can be made of the name, or the answer cannot be read.
    Malformed,
}

impl Reason {
    /// The name of the reason in logs, pages and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSuchName => "nxdomain",
            Self::NoAddress => "nodata",
            Self::Refused => "refused",
            Self::ServerFailure => "servfail",
            Self::AliasLoop => "cname_loop",
            Self::OtherNames => "other_names",
            Self::NoAnswer => "timeout",
            Self::Unreachable => "unreachable",
            Self::NoServer => "no_name_server",
            Self::Malformed => "malformed",
        }
    }

    /// Whether it is a negative answer of a name server, and not a failure to answer.
    pub fn is_negative_answer(self) -> bool {
        matches!(self, Self::NoSuchName | Self::NoAddress)
    }

    /// Whether no name server answered at all.
    pub fn is_silence(self) -> bool {
        matches!(self, Self::NoAnswer | Self::Unreachable | Self::NoServer)
    }
}

/// A name without addresses, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The name that was queried.
    pub name: Arc<str>,
    /// The kind of failure.
    pub reason: Reason,
    /// A description for the operator.
    pub details: Arc<str>,
    /// The TTL of a negative answer (RFC 2308).
    pub ttl: Option<Duration>,
}

impl Unresolved {
    /// A failure without a TTL.
    pub fn new(name: &Arc<str>, reason: Reason, details: impl Into<Arc<str>>) -> Self {
        Self {
            name: Arc::clone(name),
            reason,
            details: details.into(),
            ttl: None,
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.reason.is_negative_answer() {
            true => "has no address",
            false => "cannot be resolved",
        };
        write!(f, "`{}` {what}: {}", self.name, self.details)
    }
}

impl Error for Unresolved {}
