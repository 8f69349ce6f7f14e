//! A connection of HTTP/1.

use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;
use tokio::time::Instant;
use tracing::debug;

use crate::client::body::RequestBody;
use crate::client::pool::limits::HEAD_MAX;
use crate::codec::http1_call_wire::{CurrentCall, Http1CallStream};
use crate::codec::incoming::Incoming;
use crate::codec::trailers;
use crate::codec::trailers::{TrailerSlot, Trailing};
use crate::dial::stream::Stream;
use crate::failure::{Cause, Failure};
use crate::report::facts::{CallWire, UpstreamConnectionFacts};
use crate::report::metrics::envoy::pool::Idle;

/// A connection that was idle for less than this was not closed by the upstream's idle timeout.
const REST_SHORT: Duration = Duration::from_millis(500);

/// A connection that carries one HTTP/1 request at a time.
#[derive(Debug)]
pub struct Http1Connection {
    pub(in crate::client::pool) sender: http1::SendRequest<RequestBody>,
    /// Where the current request puts its trailers.
    trailers: TrailerSlot,
    /// The request under way, if its bytes count.
    current_call: Arc<CurrentCall>,
    /// Its facts.
    pub facts: Arc<UpstreamConnectionFacts>,
    /// Requests it has carried.
    pub(in crate::client::pool) served: u32,
    pub(in crate::client::pool) made: Instant,
    pub(in crate::client::pool) idle_since: Instant,
    /// Counts it while it is idle.
    pub(in crate::client::pool) idle: Idle,
    /// When its current request started to use it.
    pub in_use_since: Instant,
    /// How long it was idle before that.
    pub(in crate::client::pool) rested: Duration,
}

impl Http1Connection {
    /// Starts HTTP/1 on a new connection. Its task ends with the connection.
    ///
    /// # Errors
    /// Hyper's, which has none to give at this point.
    pub async fn begin(
        stream: Stream,
        facts: Arc<UpstreamConnectionFacts>,
    ) -> Result<Self, Failure> {
        let (stream, current_call) = Http1CallStream::new(stream);
        let (stream, trailers) = Trailing::new(stream);
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .max_buf_size(HEAD_MAX)
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(internal)?;
        spawn_local(async move {
            if let Err(error) = connection.with_upgrades().await {
                debug!(%error, "upstream connection ended");
            }
        });
        let made = Instant::now();
        Ok(Self {
            sender,
            trailers,
            current_call,
            facts,
            served: 0,
            made,
            idle_since: made,
            idle: Idle::default(),
            in_use_since: made,
            rested: Duration::ZERO,
        })
    }

    /// Whether it has carried a request before, so that the upstream may have closed it meanwhile.
    pub fn is_used(&self) -> bool {
        self.served > 0
    }

    /// Whether it was kept open after more than one request, and then had no time to grow old.
    pub fn is_steady(&self) -> bool {
        self.served > 1 && self.rested < REST_SHORT
    }

    /// Sends a request, whose bytes and those of its response are added to `wire`. On an error the request comes back if
    /// nothing of it was sent.
    pub async fn send(
        &mut self,
        mut request: http::Request<RequestBody>,
        wire: Option<&Arc<CallWire>>,
    ) -> Result<http::Response<Incoming>, (hyper::Error, Option<Box<http::Request<RequestBody>>>)>
    {
        if trailers::may_follow(request.version(), request.headers(), request.body()) {
            request
                .body_mut()
                .leave_trailers(Some(self.trailers.clone()));
        }
        self.current_call.begin(wire);
        self.sender
            .try_send_request(request)
            .await
            .map(|response| response.map(Incoming::Http1))
            .map_err(|mut error| {
                let mut unsent = error.take_message().map(Box::new);
                if let Some(unsent) = &mut unsent {
                    unsent.body_mut().leave_trailers(None);
                }
                (error.into_error(), unsent)
            })
    }
}

fn internal(error: hyper::Error) -> Failure {
    Failure::new(Cause::Internal, error.to_string())
}
