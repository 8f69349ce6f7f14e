//! The facts about one call, as plain data by stage. They are filled for every call, whether or not a sink is
//! configured, so filling them neither allocates nor looks at the clock of the wall.

mod attempts;
mod captured;
mod connection;
mod request;
mod times;
mod tls;
mod trace;
mod wire;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use egret_config::address::{ClientAddress, LocalAddress};
use egret_config::decide::flag::{Flag, Flags};
use egret_config::decide::normalize::NormalizedRequest;
use egret_config::decide::outcome::OutcomeKind;
use egret_config::decide::verdict::{Refusal, RouteName};
use egret_config::header_names::{FORWARDED_FOR, GRPC_MESSAGE, GRPC_STATUS, REQUEST_ID};
use egret_config::model::tls::Hashed;
use egret_config::snapshot::cluster::DestinationService;
use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use tokio::time::Instant;
use uuid::Uuid;

use crate::failure::{Cause, ClientLimit, Failure};
pub use crate::report::facts::attempts::{Attempt, Attempts};
pub use crate::report::facts::captured::{Captured, HeaderPlan, Part, Wanted};
pub use crate::report::facts::connection::{UpstreamConnectionFacts, next_connection_id};
pub use crate::report::facts::request::{AuthorityFact, RequestFacts, is_known_header};
pub use crate::report::facts::times::Times;
pub use crate::report::facts::tls::{CertificateNames, TlsFacts};
pub use crate::report::facts::trace::{SpanIds, TraceFacts, TracedHeaders, TryFacts};
pub use crate::report::facts::wire::{CallWire, WireBytes};
use crate::report::metrics::envoy::cluster::ClusterCounters;
use crate::report::metrics::envoy::downstream::{HttpCounters, ListenerCounters};
use crate::report::stream_bytes::StreamBytes;

/// One HTTP request, or one connection that carries no HTTP.
#[derive(Debug)]
pub struct Facts {
    /// When the connection was accepted, or the first byte of the request came; over HTTP/2, its whole head.
    pub began: Instant,
    /// When the call was over, for all who report it; `None` while it is under way.
    pub ended: Option<Instant>,
    /// When what happened since; only where a format asks for it.
    pub times: Option<Box<Times>>,
    /// Headers that formats ask for.
    pub captured: Option<Box<Captured>>,
    /// The span of the call, where it has one.
    pub span: Option<SpanIds>,
    /// What that span says besides; only where it is sampled.
    pub trace: Option<Box<TraceFacts>>,
    /// A UUID for a call that has no `x-request-id`, once a format asked for it.
    pub stream_id: OnceCell<Uuid>,
    /// What the connection carries, as far as it was read.
    pub protocol: CallProtocol,
    /// The client's side.
    pub downstream: DownstreamFacts,
    /// The request; empty for byte streams and for bytes that never became a request.
    pub request: RequestFacts,
    /// What the configuration decided.
    pub decision: DecisionFacts,
    /// The attempts to reach an endpoint, in order.
    pub attempts: Attempts,
    /// What the client got.
    pub response: ResponseFacts,
    /// Envoy's response flags, in the order in which they were raised.
    pub flags: Flags,
    /// Body bytes from the client; for byte streams all bytes from it.
    pub bytes_received: u64,
    /// Body bytes to the client; for byte streams all bytes to it.
    pub bytes_sent: u64,
    /// Messages from the client, of a gRPC call.
    pub request_messages: u64,
    /// Messages to the client, of a gRPC call.
    pub response_messages: u64,
    /// The bytes of a byte stream that is relayed, while they pass.
    pub stream: Option<Arc<StreamBytes>>,
    /// The row that counts the call among the destinations of its worker, from the decision on.
    pub destination_row: Option<u32>,
    /// The counters of the cluster that the call goes to.
    pub upstream: Option<Arc<ClusterCounters>>,
    /// How the call ended; `None` while it is under way.
    pub end: Option<End>,
    /// The limit on what clients take together that was in the way.
    pub client_limit: Option<ClientLimit>,
}

/// What a call's connection carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CallProtocol {
    /// HTTP that is read: each request is a call.
    Http,
    /// TLS that is not ended here.
    Tls,
    /// Any other bytes.
    #[default]
    Tcp,
}

/// The client's side of a call.
#[derive(Clone, Debug, Default)]
pub struct DownstreamFacts {
    /// The number of the connection.
    pub connection_id: u64,
    /// The client's address.
    pub remote_address: Option<ClientAddress>,
    /// The address of the peer, whatever a PROXY header names, and the one that it connected to.
    pub direct: Option<(SocketAddr, SocketAddr)>,
    /// The address that the client connected to: on a sidecar the original destination.
    pub local_address: Option<LocalAddress>,
    /// The client's SNI.
    pub requested_server_name: Option<Arc<str>>,
    /// TLS that egret ended; `None` without.
    pub tls: Option<Arc<TlsFacts>>,
    /// When that was set up.
    pub handshake_end: Option<Instant>,
    /// Why TLS with the client failed.
    pub transport_failure: Option<Arc<str>>,
    /// Why egret closed the client's connection.
    pub termination_details: Option<Cow<'static, str>>,
    /// Bytes of the call on the client's connection, complete at its end.
    pub wire: WireBytes,
    /// The counters of the listener that accepted the connection.
    pub listener: Option<Arc<ListenerCounters>>,
    /// The counters of HTTP on the port that was called.
    pub http: Option<Arc<HttpCounters>>,
}

/// What the configuration decided.
#[derive(Clone, Debug, Default)]
pub struct DecisionFacts {
    /// What the decision comes to; `None` while nothing is decided, and for inbound connections.
    pub verdict: Option<OutcomeKind>,
    /// The cluster's name.
    pub cluster: Option<Arc<str>>,
    /// How metrics name the service of that cluster; `None` where there is no such cluster.
    pub service: Option<Hashed<DestinationService>>,
    /// The route's name.
    pub route: Option<RouteName>,
    /// The trail's short form; only where a sink wants it, since it is a text of its own.
    pub reasons: Option<Box<str>>,
}

/// What the client got.
#[derive(Clone, Debug, Default)]
pub struct ResponseFacts {
    /// The status; `None` (logged as 0) for byte streams and for clients that got none.
    pub code: Option<StatusCode>,
    /// Envoy's `RESPONSE_CODE_DETAILS`: why this status.
    pub details: Option<Cow<'static, str>>,
    /// Why connecting to the upstream failed: Envoy's `UPSTREAM_TRANSPORT_FAILURE_REASON`.
    pub transport_failure: Option<Arc<str>>,
    /// From the request sent to the head of the response received.
    pub upstream_service_time: Option<Duration>,
    /// The status of a gRPC call, in the response's headers or its trailers.
    pub grpc_status: Option<u32>,
    /// The body of a response that egret made itself; only where a format asks for it.
    pub local_body: Option<Bytes>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// egret is done with it: it was served, or refused, or it failed.
    Complete,
    /// It was dropped before: the client left.
    ClientLeft,
}

/// How a request's HTTP/2 stream was reset before its response had ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamReset {
    /// By the client.
    Client,
    /// By us, because the client broke HTTP/2.
    ProtocolError,
}

impl DownstreamFacts {
    /// Whether the client showed a certificate.
    pub fn has_client_certificate(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|tls| tls.has_peer_certificate)
    }
}

impl Facts {
    /// The facts of a call that begins now.
    pub fn begin() -> Self {
        Self::begin_at(Instant::now())
    }

    /// The facts of a call that began then.
    pub fn begin_at(began: Instant) -> Self {
        Self {
            began,
            ended: None,
            times: None,
            captured: None,
            span: None,
            trace: None,
            stream_id: OnceCell::new(),
            protocol: CallProtocol::default(),
            downstream: DownstreamFacts::default(),
            request: RequestFacts::default(),
            decision: DecisionFacts::default(),
            attempts: Attempts::default(),
            response: ResponseFacts::default(),
            flags: Flags::default(),
            bytes_received: 0,
            bytes_sent: 0,
            request_messages: 0,
            response_messages: 0,
            stream: None,
            destination_row: None,
            upstream: None,
            end: None,
            client_limit: None,
        }
    }

    /// When the call was over; now, while it is under way.
    pub fn end_time(&self) -> Instant {
        self.ended.unwrap_or_else(Instant::now)
    }

    /// Whether these are the facts of a request, and not of a byte stream.
    pub fn is_request(&self) -> bool {
        self.request.method.is_some()
    }

    /// Whether this is a connection that no filter chain of its listener is for.
    pub fn is_without_chain(&self) -> bool {
        self.decision.verdict == Some(OutcomeKind::NoChain)
    }

    /// Sets the request, as the client sent it.
    pub fn set_request<B>(&mut self, request: &Request<B>) {
        let (method, uri) = (request.method(), request.uri());
        self.set_head(method, uri, request.version(), request.headers());
    }

    /// Sets the request, by its parts, as the client sent it.
    pub fn set_parts(&mut self, parts: &Parts) {
        self.set_head(&parts.method, &parts.uri, parts.version, &parts.headers);
    }

    fn set_head(&mut self, method: &Method, uri: &Uri, version: Version, headers: &HeaderMap) {
        let authority = match uri.authority() {
            Some(authority) => Some(AuthorityFact::Target(authority.clone())),
            None => headers.get(HOST).cloned().map(AuthorityFact::Header),
        };
        let path = uri.path_and_query().cloned();
        self.request = RequestFacts::new(method, path, version, authority, headers);
    }

    /// Sets the request, with the authority and the path by which it is decided, and the headers that are sent on.
    pub fn set_normalized(&mut self, request: &NormalizedRequest) {
        let parts = &request.parts;
        let (path, authority) = (request.path.clone(), request.authority.clone());
        let authority = Some(AuthorityFact::Header(authority));
        self.request = RequestFacts::new(
            &parts.method,
            Some(path),
            parts.version,
            authority,
            &parts.headers,
        );
    }

    /// Sets what a route changed in a request before it is sent: headers, path, authority.
    pub fn set_rewritten(
        &mut self,
        headers: &HeaderMap,
        path: &PathAndQuery,
        authority: &HeaderValue,
    ) {
        let request = &mut self.request;
        request.user_agent = headers.get(USER_AGENT).cloned();
        request.x_forwarded_for = headers.get(FORWARDED_FOR).cloned();
        request.request_id = headers.get(REQUEST_ID).cloned();
        if request.path.as_ref() != Some(path) {
            request.rewritten_path = Some(path.clone());
        }
        let before = request.authority.as_ref().map(AuthorityFact::as_bytes);
        if before != Some(authority.as_bytes()) {
            let rewritten = AuthorityFact::Header(authority.clone());
            request.original_authority = request.authority.replace(rewritten);
        }
    }

    /// Sets the status of a gRPC call, if these headers or trailers of its response say it.
    pub fn set_grpc_status(&mut self, headers: &HeaderMap) {
        if !self.request.grpc {
            return;
        }
        let status_header = headers
            .get(GRPC_STATUS)
            .and_then(|status| status.to_str().ok());
        if let Some(status) = status_header.and_then(|status| status.parse().ok()) {
            self.response.grpc_status = Some(status);
            if let Some(trace) = &mut self.trace {
                trace.grpc_message = headers.get(GRPC_MESSAGE).cloned();
            }
        }
    }

    /// Sets the status and its details.
    pub fn set_response(&mut self, code: StatusCode, details: &'static str) {
        self.response.code = Some(code);
        self.response.details = Some(Cow::Borrowed(details));
    }

    /// Sets what follows from the failure of an HTTP request.
    pub fn set_request_failure(&mut self, failure: &Failure) {
        self.response.code = failure.status();
        self.response.details = Some(failure.details());
        self.set_failure(failure, failure.reply().flag);
    }

    /// Sets what follows from the failure of a byte stream. It has no status, and details only where no filter chain
    /// matched.
    pub fn set_stream_failure(&mut self, failure: &Failure) {
        let reply = failure.reply();
        self.set_failure(failure, reply.stream_flag);
        if failure.ends_attempts() {
            self.flags.raise(Flag::URX);
        }
        if let Cause::ClientTls = failure.cause() {
            self.downstream.transport_failure = Some(failure.to_string().into());
        }
        if failure.ends_connection() {
            self.downstream.termination_details = Some(failure.to_string().into());
        }
        if reply.stream_details {
            self.response.details = Some(failure.details());
        }
    }

    fn set_failure(&mut self, failure: &Failure, flag: Option<Flag>) {
        match failure.cause() {
            Cause::Refused(refusal) => {
                self.decision.verdict = Some(OutcomeKind::refused(refusal));
            }
            Cause::BadRequest(_) => self.decision.verdict = Some(OutcomeKind::BadRequest),
            Cause::FaultAbort(_) => self.decision.verdict = Some(OutcomeKind::Fault),
            Cause::NoEndpoint | Cause::NoAddress(_) => {
                self.decision.verdict = Some(OutcomeKind::NoEndpoint);
            }
            Cause::ClientLimit(limit) => self.client_limit = Some(*limit),
            _ => {}
        }
        if let Some(flag) = flag {
            self.flags.raise(flag);
        }
        if let Some(reason) = failure.transport_failure() {
            self.response.transport_failure = Some(reason);
        }
        if let (Cause::Refused(Refusal::OwnListener), Some(reasons)) =
            (failure.cause(), &self.decision.reasons)
            && !reasons.contains(" refused=")
        {
            self.decision.reasons = Some(format!("{reasons} refused=own_listener").into());
        }
    }
}

#[cfg(test)]
mod tests;
