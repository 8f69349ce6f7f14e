//! Why a call was not served: whose fault, at which step, may it be tried again. Retry, response code, log flag and
//! words all come from this one value. The codes, flags and details are Envoy's, so that what users know keeps meaning
//! what they know.

pub mod flags;
mod row;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use egret_config::decide::verdict::Refusal;
use http::StatusCode;

use crate::failure::flags::Flag;
use crate::failure::row::Row;
use crate::failure::row::row;

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller's.
    Client,
    /// The upstream's, or the network's on the way to it.
    Upstream,
    /// Nobody's: the configuration says so.
    Policy,
    /// Ours.
    Proxy,
}

/// The step of the walk at which a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading what the client sent.
    Read,
    /// Deciding what to do.
    Decide,
    /// Finding an endpoint and connecting to it, TLS included.
    Connect,
    /// Sending the request and waiting for the start of the response.
    Exchange,
    /// Passing on the response or the bytes.
    Relay,
}

/// Whether another try may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing of the call reached an upstream: any call may be tried again.
    Safe,
    /// An upstream may have acted on it: only as the route's retry policy says.
    ByPolicy,
    /// It would change nothing, or it is too late.
    Never,
}

/// What is wrong with a bad request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// It cannot be read.
    Syntax,
    /// It has both a length and a transfer coding.
    Framing,
    /// Its target is a URL of a scheme that is not ours.
    Scheme,
    /// Its host is none.
    Host,
    /// It has no host.
    NoHost,
    /// Its path has no regular spelling.
    Path,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The configuration refuses the call, or has no place for it.
    Refused(Refusal),
    /// The client went away, or reset the connection.
    ClientGone,
    /// The client's bytes are not the protocol they claim to be.
    BadRequest(Bad),
    /// What the client sends on its connection is not HTTP/2, which ends the connection without an answer.
    BadConnection,
    /// The client asks for an upgrade that is not offered (403) or for a CONNECT that no route allows.
    UpgradeRefused,
    /// The client asks for an `https` URL on a connection without TLS: 403.
    Insecure,
    /// The request's transfer coding is not one we know: 501.
    Coding,
    /// The client's header block, or body to be kept for a retry, is too large: 431.
    TooLarge,
    /// The connection does not begin with a PROXY header, though a gateway asks for it.
    ProxyHeader,
    /// The client did not complete a TLS handshake with a gateway.
    ClientTls,
    /// No endpoint of the cluster can be used.
    NoEndpoint,
    /// A name of the cluster has no address now.
    NoAddress,
    /// A limit of the cluster is reached.
    Overflow,
    /// The upstream refused the connection or cannot be reached; in the kernel's words.
    Connect(Arc<str>),
    /// The upstream did not accept the connection in time.
    ConnectTimeout,
    /// No TLS with the upstream: what was expected and what came.
    UpstreamTls(Arc<str>),
    /// The upstream closed or reset the connection before the response began.
    ResetBefore,
    /// The upstream said that it did not look at the request (HTTP/2 REFUSED_STREAM, or GOAWAY before it).
    StreamRefused,
    /// The upstream reset the request's HTTP/2 stream before the response began.
    StreamReset,
    /// The upstream closed or reset the connection in the middle of the response.
    ResetAfter,
    /// The upstream reset the HTTP/2 stream in the middle of the response.
    StreamResetAfter,
    /// The upstream's response breaks HTTP.
    UpstreamProtocol,
    /// The upstream's response breaks HTTP after it began, or ends before its own end.
    ProtocolAfter,
    /// The route's time limit passed.
    Timeout,
    /// A try's time limit passed and there is no further try.
    TryTimeout,
    /// Nothing moved for the idle limit.
    Idle,
    /// A fault rule aborts the call with this status.
    FaultAbort(StatusCode),
    /// The process is ending and patience is over.
    Drained,
    /// More connections than we serve.
    Overloaded,
    /// A bug or a lack of ours, as out of files.
    Internal,
}

/// A call that was not served.
#[derive(Clone, Debug)]
pub struct Failure {
    cause: Cause,
    words: Cow<'static, str>,
}

macro_rules! reset {
    ($reason:literal) => {
        concat!(
            "upstream connect error or disconnect/reset before headers. reset reason: ",
            $reason
        )
    };
}

impl Failure {
    /// A failure with longer words for the operator: names, addresses, the rule that applied. They never reach the
    /// caller.
    pub fn new(cause: Cause, words: impl Into<Cow<'static, str>>) -> Self {
        Self {
            cause,
            words: words.into(),
        }
    }

    /// What went wrong.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        self.row().0
    }

    /// Where in the walk it happened.
    pub fn step(&self) -> Step {
        self.row().1
    }

    /// Whether another try may be made.
    pub fn retry(&self) -> Retry {
        self.row().2
    }

    /// The status an HTTP caller gets; `None` when no response can be sent any more (logged as 0).
    pub fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.row().3).ok()
    }

    /// Envoy's response flag for an HTTP request.
    pub fn flag(&self) -> Option<Flag> {
        self.row().4
    }

    /// Envoy's response flag for a byte stream: refusals are UH there, what happens on the way is as with HTTP.
    pub fn stream_flag(&self) -> Option<Flag> {
        match self.cause {
            Cause::Refused(Refusal::Blackhole | Refusal::OwnListener) => Some(Flag::UH),
            Cause::ClientGone
            | Cause::Idle
            | Cause::ResetAfter
            | Cause::StreamResetAfter
            | Cause::ProtocolAfter => None,
            _ => self.flag(),
        }
    }

    /// Envoy's `RESPONSE_CODE_DETAILS`: one word without spaces.
    pub fn details(&self) -> Cow<'static, str> {
        self.row().5
    }

    /// The body an HTTP caller gets, Envoy's words for it; empty where Envoy sends none.
    pub fn words_for_caller(&self) -> &'static str {
        match &self.cause {
            Cause::NoEndpoint | Cause::NoAddress => "no healthy upstream",
            Cause::Overflow => reset!("overflow"),
            Cause::Connect(_) | Cause::UpstreamTls(_) => reset!("remote connection failure"),
            Cause::ConnectTimeout => reset!("connection timeout"),
            Cause::ResetBefore => reset!("connection termination"),
            Cause::StreamRefused => reset!("remote refused stream reset"),
            Cause::StreamReset => reset!("remote reset"),
            Cause::UpstreamProtocol => reset!("protocol error"),
            Cause::Timeout | Cause::TryTimeout => "upstream request timeout",
            Cause::Idle => "stream timeout",
            Cause::FaultAbort(_) => "fault filter abort",
            Cause::BadRequest(_) => "Bad Request",
            Cause::Overloaded => "envoy overloaded",
            _ => "",
        }
    }

    /// What the access log shows as `UPSTREAM_TRANSPORT_FAILURE_REASON`.
    pub fn transport_failure(&self) -> Option<Arc<str>> {
        match &self.cause {
            Cause::UpstreamTls(why) | Cause::Connect(why) => Some(why.clone()),
            _ => None,
        }
    }

    fn row(&self) -> Row {
        row(&self.cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Failure {}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let words = match &refusal {
            Refusal::Blackhole => {
                "nothing is registered for this destination and the policy is REGISTRY_ONLY".into()
            }
            Refusal::OwnListener => {
                "the connection was not redirected here, so it has no destination".into()
            }
            Refusal::NoRoute => "no virtual host or route fits".into(),
            Refusal::NoCluster(name) => Cow::Owned(format!("cluster `{name}` does not exist")),
            Refusal::NoChain => "no server of the gateway fits the SNI".into(),
        };
        Self::new(Cause::Refused(refusal), words)
    }
}

#[cfg(test)]
mod tests;
