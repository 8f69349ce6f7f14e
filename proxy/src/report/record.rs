//! The facts about one call, gathered along the walk and written exactly once, when the record is dropped.

use std::borrow::Cow;
use std::fmt::Debug;
use std::fmt::Display;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use egret_config::decide::verdict::Refusal;
use http::header::{HOST, HeaderName, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};

use crate::failure::Cause;
use crate::failure::Failure;
use crate::failure::flags::Flag;
use crate::failure::flags::Flags;
use crate::report::access_log::AccessLog;

/// Envoy's word for both ways in which a stream may be reset.
const STREAM_RESET: &str = "http2.remote_reset";
/// `x-forwarded-for`
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `x-request-id`
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Counts a request's body while it comes.
pub trait Counter: Debug {
    /// Bytes so far.
    fn bytes(&self) -> u64;
}

/// How a request's stream on a connection of HTTP/2 ended before its answer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Its client reset it.
    ByClient,
    /// It was reset for its client's mistake.
    ForMistake,
}

/// Knows whether a request's stream was reset.
pub trait Stream: Debug {
    /// How it was, if it was.
    fn reset(&self) -> Option<Reset>;
}

/// One HTTP request, or one connection that is not HTTP. Its line is written when it is dropped, whatever happened; a
/// request that is dropped before [`Record::end`] was cut off by its client, and says so.
///
/// The fields are the access log's, under Istio's names; what stays `None` is shown as missing.
#[derive(Debug)]
pub struct Record {
    log: Arc<AccessLog>,
    /// When the call began, for the log; `None` where there was none then.
    pub start_time: Option<SystemTime>,
    /// When the call began, for its duration.
    pub start: Instant,
    ended: bool,
    silent: bool,
    /// A request whose head nobody noted, as there was no log to write it to.
    unnoted: bool,
    /// The method.
    pub method: Option<Method>,
    /// Path and query before any rewrite, in their regular spelling where the request could be read.
    pub path: Option<PathAndQuery>,
    /// The client's version of HTTP.
    pub protocol: Option<Version>,
    /// The status the client got; `None` (0) for byte streams and for clients that got none.
    pub response_code: Option<StatusCode>,
    /// What went wrong, in Envoy's short words.
    pub response_flags: Flags,
    /// Why this status.
    pub response_code_details: Option<Cow<'static, str>>,
    /// Why the client's connection was ended.
    pub connection_termination_details: Option<Cow<'static, str>>,
    /// Why connecting to the upstream failed.
    pub upstream_transport_failure_reason: Option<Arc<str>>,
    /// Body bytes from the client; all its bytes for byte streams.
    pub bytes_received: u64,
    /// What counts them until somebody says how many they were.
    pub counter: Option<Rc<dyn Counter>>,
    /// The stream it came on, over HTTP/2.
    pub stream: Option<Arc<dyn Stream>>,
    /// Body bytes to the client; all bytes to it for byte streams.
    pub bytes_sent: u64,
    /// From the request sent to the response's head received.
    pub upstream_service_time: Option<Duration>,
    /// The client's `x-forwarded-for`.
    pub x_forwarded_for: Option<HeaderValue>,
    /// The client's `user-agent`.
    pub user_agent: Option<HeaderValue>,
    /// `x-request-id`, the client's or ours.
    pub request_id: Option<HeaderValue>,
    /// The Host header or `:authority`, before any rewrite.
    pub authority: Option<HeaderValue>,
    /// The endpoint's address.
    pub upstream_host: Option<SocketAddr>,
    /// The cluster's name.
    pub upstream_cluster: Option<Arc<str>>,
    /// Our address towards the endpoint.
    pub upstream_local_address: Option<SocketAddr>,
    /// Whom the client dialled: on a sidecar the original destination.
    pub downstream_local_address: Option<SocketAddr>,
    /// The client.
    pub downstream_remote_address: Option<SocketAddr>,
    /// The client's SNI.
    pub requested_server_name: Option<Arc<str>>,
    /// The route's name.
    pub route_name: Option<Arc<str>>,
    /// Why it was decided so, in the trail's short form; only where the log tells reasons.
    pub reasons: Option<Box<str>>,
}

impl Record {
    /// Opens a record now, for a connection at accept or a request when its head has come.
    pub fn open(log: Arc<AccessLog>) -> Self {
        Self {
            start_time: log.has_lines().then(SystemTime::now),
            log,
            start: Instant::now(),
            ended: false,
            silent: false,
            unnoted: false,
            method: None,
            path: None,
            protocol: None,
            response_code: None,
            response_flags: Flags::default(),
            response_code_details: None,
            connection_termination_details: None,
            upstream_transport_failure_reason: None,
            bytes_received: 0,
            counter: None,
            stream: None,
            bytes_sent: 0,
            upstream_service_time: None,
            x_forwarded_for: None,
            user_agent: None,
            request_id: None,
            authority: None,
            upstream_host: None,
            upstream_cluster: None,
            upstream_local_address: None,
            downstream_local_address: None,
            downstream_remote_address: None,
            requested_server_name: None,
            route_name: None,
            reasons: None,
        }
    }

    /// A record for a request on this record's connection, begun now: same log, same addresses and SNI.
    pub fn request(&self) -> Self {
        let mut request = Self::open(self.log.clone());
        request.downstream_local_address = self.downstream_local_address;
        request.downstream_remote_address = self.downstream_remote_address;
        request.requested_server_name = self.requested_server_name.clone();
        request
    }

    /// Takes what the log wants from a request's head, as the client sent it. Where there is no log nothing is taken, and no
    /// line is written either, should a log come before the request ends.
    pub fn saw_request<B>(&mut self, request: &Request<B>) {
        self.protocol = Some(request.version());
        self.unnoted = !self.log.has_lines();
        if self.unnoted {
            return;
        }
        let (uri, headers) = (request.uri(), request.headers());
        self.method = Some(request.method().clone());
        self.path = uri.path_and_query().cloned();
        self.x_forwarded_for = headers.get(X_FORWARDED_FOR).cloned();
        self.user_agent = headers.get(USER_AGENT).cloned();
        self.request_id = headers.get(X_REQUEST_ID).cloned();
        self.authority = match uri.authority() {
            Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
            None => headers.get(HOST).cloned(),
        };
    }

    /// Takes the authority and the path in their regular spelling, by which the request is decided, and what the headers
    /// that go on say of it.
    pub fn read_as(&mut self, authority: &HeaderValue, path: &PathAndQuery, headers: &HeaderMap) {
        if self.unnoted {
            return;
        }
        self.request_id = headers.get(X_REQUEST_ID).cloned();
        self.x_forwarded_for = headers.get(X_FORWARDED_FOR).cloned();
        if self.authority.as_ref() != Some(authority) {
            self.authority = Some(authority.clone());
        }
        if self.path.as_ref() != Some(path) {
            self.path = Some(path.clone());
        }
    }

    /// Takes the name of the route, if it will be told.
    pub fn took_route(&mut self, name: Option<&str>) {
        if !self.unnoted {
            self.route_name = name.map(Arc::from);
        }
    }

    /// Takes the reasons of a decision, if the log tells reasons; otherwise no words are made of them.
    pub fn decided(&mut self, trail: &impl Display) {
        if !self.unnoted && self.log.tells_reasons() {
            self.reasons = Some(trail.to_string().into());
        }
    }

    /// Takes what a failed HTTP request says about itself.
    pub fn request_failed(&mut self, failure: &Failure) {
        self.response_code = failure.status();
        self.response_code_details = Some(failure.details());
        self.failed(failure, failure.flag());
    }

    /// Takes what a failed byte stream says about itself; it has no status, and details only where no chain took it.
    pub fn stream_failed(&mut self, failure: &Failure) {
        self.failed(failure, failure.stream_flag());
        match failure.cause() {
            // Nobody else can tell the operator why a client of a gateway is turned away.
            Cause::ClientTls | Cause::ProxyHeader => {
                self.connection_termination_details = Some(failure.to_string().into());
            }
            // The one try of a byte stream is its last, as Envoy sees it.
            Cause::Connect(_) | Cause::ConnectTimeout | Cause::UpstreamTls(_) => {
                self.response_flags.raise(Flag::URX);
            }
            Cause::Refused(Refusal::NoChain) => {
                self.response_code_details = Some(failure.details());
            }
            _ => {}
        }
    }

    fn failed(&mut self, failure: &Failure, flag: Option<Flag>) {
        if let Some(flag) = flag {
            self.response_flags.raise(flag);
        }
        if let Some(reason) = failure.transport_failure() {
            self.upstream_transport_failure_reason = Some(reason);
        }
    }

    /// The call came to its end, and the facts say how. Writes the line.
    pub fn end(mut self) {
        self.ended = true;
    }

    /// Writes no line: for a connection whose requests have records of their own.
    pub fn silence(&mut self) {
        self.silent = true;
    }

    /// When the call began, by the clock of now if nobody looked then.
    pub fn began(&self) -> SystemTime {
        self.start_time
            .unwrap_or_else(|| SystemTime::now() - self.duration())
    }

    /// Time since the call began.
    pub fn duration(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.silent || self.unnoted {
            return;
        }
        if !self.ended && self.method.is_some() && self.response_flags.is_empty() {
            let (flag, details) = match self.stream.as_ref().and_then(|stream| stream.reset()) {
                None => (Flag::DC, "downstream_remote_disconnect"),
                Some(Reset::ByClient) => (Flag::DR, STREAM_RESET),
                Some(Reset::ForMistake) => (Flag::DPE, STREAM_RESET),
            };
            self.response_flags.raise(flag);
            self.response_code_details = Some(Cow::Borrowed(details));
            if let Some(counter) = &self.counter {
                self.bytes_received = counter.bytes();
            }
        }
        self.log.write(self);
    }
}

#[cfg(test)]
mod tests;
