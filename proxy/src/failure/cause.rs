//! What can go wrong with a call.

use std::sync::Arc;

use egret_config::decide::bad_request::BadRequestKind;
use egret_config::decide::verdict::Refusal;
use http::StatusCode;

/// The party that caused a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller's.
    Client,
    /// The upstream's, or the network's on the way to it.
    Upstream,
    /// None: the configuration requires it.
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
    /// An upstream may have acted on it: only as the route's retry policy allows.
    ByPolicy,
    /// It would change nothing, or it is too late.
    Never,
}

/// A limit on what clients of the process take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientLimit {
    /// Connections.
    Connections,
    /// Connections of one source address.
    SourceConnections,
    /// Requests in flight.
    Requests,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The configuration refuses the call, or has no place for it.
    Refused(Refusal),
    /// The client went away, or reset the connection.
    ClientGone,
    /// The request is refused for what it is.
    BadRequest(BadRequestKind),
    /// What the client sends on its connection is not HTTP/2, which ends the connection without an answer.
    BadConnection,
    /// The connection does not begin with a PROXY header, though a gateway asks for it.
    ProxyHeader,
    /// The client did not complete a TLS handshake with a gateway.
    ClientTls,
    /// No endpoint of the cluster can be used.
    NoEndpoint,
    /// A name of the cluster has no address now; why, as `dns_resolution_failure{reason}` and the resolver's words.
    NoAddress(Arc<str>),
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
    /// The upstream reported that it did not process the request (HTTP/2 REFUSED_STREAM, or GOAWAY before it).
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
    /// A fault rule aborts the call with this status.
    FaultAbort(StatusCode),
    /// There is no room for the call: no descriptor is left.
    Overloaded,
    /// Clients take as much together as they may.
    ClientLimit(ClientLimit),
    /// A bug of ours.
    Internal,
}
