//! A connection of HTTP/2.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use egret_config::address::EndpointAddress;
use h2::client::{Connection, SendRequest};
use tokio::task::spawn_local;
use tokio::time::Instant;
use tracing::debug;

use crate::client::pool::limits::{CONNECTION_WINDOW, HEAD_MAX, STREAM_WINDOW};
use crate::client::pool::stream_limiter::{StreamLimiter, StreamPermit};
use crate::codec::http2_call_wire::{CountedStream, CountedStreams, Http2CallStream};
use crate::codec::http2_keepalive::{Beat, Keepalive};
use crate::dial::stream::Stream;
use crate::failure::{Cause, Failure};
use crate::report::facts::UpstreamConnectionFacts;
use crate::report::metrics::envoy::pool::Idle;

/// The number of concurrent requests before the upstream's SETTINGS are received.
const STREAMS_BEFORE: usize = 100;

/// How long the upstream may be silent during requests before a keepalive ping is sent.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// The interval of further pings. gRPC servers close connections with pings more often than every five minutes.
const PING_INTERVAL: Duration = Duration::from_secs(5 * 60 + 10);

/// A connection that carries many HTTP/2 requests at once. It ends when it has no owner and no request.
#[derive(Clone, Debug)]
pub struct Http2Connection {
    /// The handle that sends requests.
    pub(super) sender: SendRequest<Bytes>,
    /// The endpoint's address.
    pub address: EndpointAddress,
    /// Its facts.
    pub facts: Arc<UpstreamConnectionFacts>,
    /// Its counted streams.
    pub(super) counted: Rc<CountedStreams>,
    pub(in crate::client::pool) load: Rc<Load>,
}

#[derive(Debug)]
pub(in crate::client::pool) struct Load {
    /// Limits requests to what the upstream accepts at a time.
    pub(in crate::client::pool) stream_limiter: Rc<StreamLimiter>,
    /// Active requests, with those that wait for a stream.
    pub(in crate::client::pool) calls: Cell<usize>,
    /// Requests it has carried.
    pub(in crate::client::pool) served: Cell<u32>,
    /// The upstream accepts no more requests.
    pub(in crate::client::pool) left: Cell<bool>,
    /// A response came since this was looked at.
    pub(super) heard: Cell<bool>,
    /// A response came.
    pub(super) answered: Cell<bool>,
    pub(in crate::client::pool) made: Instant,
    pub(in crate::client::pool) idle_since: Cell<Instant>,
    /// Counts it while it is idle.
    pub(in crate::client::pool) idle: Idle,
}

/// An active request on a shared connection, until this is dropped.
#[derive(Debug)]
#[must_use = "the request is counted until this is dropped"]
pub struct Call {
    pub(super) load: Rc<Load>,
    /// Its stream, once it was sent.
    pub(super) permit: Option<StreamPermit>,
    /// Counts its bytes, where they count.
    pub(super) counted: Option<CountedStream>,
}

impl Call {
    fn begin(load: &Rc<Load>) -> Self {
        load.calls.set(load.calls.get() + 1);
        load.idle.set(false);
        load.served.set(load.served.get().saturating_add(1));
        Self {
            load: Rc::clone(load),
            permit: None,
            counted: None,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let left = self.load.calls.get().saturating_sub(1);
        self.load.calls.set(left);
        if left == 0 {
            self.load.idle_since.set(Instant::now());
            self.load.idle.set(!self.load.stream_limiter.is_closed());
        }
    }
}

impl Http2Connection {
    /// Starts HTTP/2 on a new connection. Its tasks end with the connection.
    ///
    /// # Errors
    /// [`Cause::UpstreamProtocol`] when the upstream does not speak HTTP/2.
    pub async fn begin(
        stream: Stream,
        address: EndpointAddress,
        facts: Arc<UpstreamConnectionFacts>,
    ) -> Result<Self, Failure> {
        let (stream, counted) = Http2CallStream::new(stream);
        let (sender, mut connection) = h2::client::Builder::new()
            .initial_max_send_streams(STREAMS_BEFORE)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_MAX as u32)
            .enable_push(false)
            .handshake(stream)
            .await
            .map_err(|error| {
                Failure::new(
                    Cause::UpstreamProtocol,
                    format!("no HTTP/2 with the upstream: {error}"),
                )
            })?;
        let load = Rc::new(Load {
            stream_limiter: StreamLimiter::new(connection.max_concurrent_send_streams()),
            calls: Cell::new(0),
            served: Cell::new(0),
            left: Cell::new(false),
            heard: Cell::new(false),
            answered: Cell::new(false),
            made: Instant::now(),
            idle_since: Cell::new(Instant::now()),
            idle: Idle::default(),
        });
        let running = Running {
            http2_keepalive: connection
                .ping_pong()
                .map(|pings| Keepalive::new(pings, QUIET_MAX)),
            connection,
            load: Rc::clone(&load),
        };
        spawn_local(running.run());
        Ok(Self {
            sender,
            address,
            facts,
            counted,
            load,
        })
    }

    /// Accepts no more requests; the active ones continue.
    pub fn leave(&self) {
        self.load.left.set(true);
    }

    /// Whether a request on it was answered.
    pub fn has_served(&self) -> bool {
        self.load.answered.get()
    }

    /// Whether requests that were sent on it are under way.
    pub fn is_serving(&self) -> bool {
        self.load.stream_limiter.active() > 0
    }

    /// Whether it is over, or takes no more requests.
    pub(in crate::client::pool) fn is_closed(&self) -> bool {
        self.load.left.get() || self.load.stream_limiter.is_closed()
    }

    /// Starts a request on it.
    pub fn call(&self) -> Call {
        Call::begin(&self.load)
    }
}

/// The connection itself.
struct Running {
    connection: Connection<Http2CallStream<Stream>, Bytes>,
    http2_keepalive: Option<Keepalive>,
    load: Rc<Load>,
}

impl Running {
    async fn run(mut self) {
        if let Err(error) = poll_fn(|context| self.poll(context)).await {
            debug!(%error, "upstream connection ended");
        }
        self.load.stream_limiter.close();
        self.load.idle.set(false);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        if let Poll::Ready(ended) = Pin::new(&mut self.connection).poll(context) {
            return Poll::Ready(ended);
        }
        let room = self.connection.max_concurrent_send_streams();
        self.load.stream_limiter.set_room(room);
        let Some(http2_keepalive) = &mut self.http2_keepalive else {
            return Poll::Pending;
        };
        while let Poll::Ready(beat) = http2_keepalive.poll(context) {
            match beat {
                Beat::Lost => {
                    debug!("the upstream does not answer HTTP/2 pings");
                    return Poll::Ready(Ok(()));
                }
                Beat::Due if self.load.heard.take() || self.load.calls.get() == 0 => {
                    http2_keepalive.postpone()
                }
                Beat::Due => http2_keepalive.send_ping(PING_INTERVAL),
            }
        }
        Poll::Pending
    }
}
