//! A connection of HTTP/2, and requests on it.

mod send;

use std::cell::Cell;
use std::future::Future;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use h2::client::Connection;
use h2::client::SendRequest;
use tokio::task::spawn_local;
use tracing::debug;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::message::pulse::Beat;
use crate::message::pulse::Pulse;
use crate::upstream::pool::CONNECTION_WINDOW;
use crate::upstream::pool::HEAD_MAX;
use crate::upstream::pool::STREAM_WINDOW;
use crate::upstream::pool::gate::Gate;
use crate::upstream::pool::gate::Inside;
use crate::upstream::stream::Stream;

pub use crate::upstream::pool::shared::send::Unanswered;
pub use crate::upstream::pool::shared::send::Why;

/// Requests under way at a time before the other side has said how many it takes.
const STREAMS_BEFORE: usize = 100;

/// How long the other side may say nothing to requests before it is asked whether it is there.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// How often it is asked again. Servers of gRPC end connections that ask more often than every five minutes.
const PING_INTERVAL: Duration = Duration::from_secs(5 * 60 + 10);

/// A connection that carries many HTTP/2 requests at once. It ends when nobody has it and no request is on it.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The way into it.
    sender: SendRequest<Bytes>,
    /// The endpoint's address.
    pub address: SocketAddr,
    /// Our address on it.
    pub local: SocketAddr,
    pub(in crate::upstream::pool) load: Rc<Load>,
}

#[derive(Debug)]
pub(in crate::upstream::pool) struct Load {
    /// As many requests as the other side takes at a time.
    pub(in crate::upstream::pool) gate: Rc<Gate>,
    /// Requests under way, those that wait at the gate among them.
    pub(in crate::upstream::pool) calls: Cell<usize>,
    /// Requests it has carried.
    pub(in crate::upstream::pool) served: Cell<u32>,
    /// The other side takes no more.
    pub(in crate::upstream::pool) left: Cell<bool>,
    /// A response came since this was looked at.
    heard: Cell<bool>,
    pub(in crate::upstream::pool) made: Instant,
    pub(in crate::upstream::pool) idle_since: Cell<Instant>,
}

/// A request under way on a shared connection, as long as this lives.
#[derive(Debug)]
#[must_use = "the request counts only while this lives"]
pub struct Call {
    load: Rc<Load>,
    /// Once it was sent.
    inside: Option<Inside>,
}

impl Call {
    fn begin(load: &Rc<Load>) -> Self {
        load.calls.set(load.calls.get() + 1);
        load.served.set(load.served.get().saturating_add(1));
        Self {
            load: Rc::clone(load),
            inside: None,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let left = self.load.calls.get().saturating_sub(1);
        self.load.calls.set(left);
        if left == 0 {
            self.load.idle_since.set(Instant::now());
        }
    }
}

impl Shared {
    /// Speaks HTTP/2 on a connection just made. Its tasks end with the connection.
    ///
    /// # Errors
    /// [`Cause::UpstreamProtocol`] when the other side does not speak it.
    pub async fn begin(
        stream: Stream,
        address: SocketAddr,
        local: SocketAddr,
    ) -> Result<Self, Failure> {
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
            gate: Gate::new(connection.max_concurrent_send_streams()),
            calls: Cell::new(0),
            served: Cell::new(0),
            left: Cell::new(false),
            heard: Cell::new(false),
            made: Instant::now(),
            idle_since: Cell::new(Instant::now()),
        });
        let running = Running {
            pulse: connection
                .ping_pong()
                .map(|pings| Pulse::new(pings, QUIET_MAX)),
            connection,
            load: Rc::clone(&load),
        };
        spawn_local(running.run());
        Ok(Self {
            sender,
            address,
            local,
            load,
        })
    }

    /// Leaves it to those that are on it.
    pub fn leave(&self) {
        self.load.left.set(true);
    }

    /// Whether it is over, or takes no more requests.
    pub(in crate::upstream::pool) fn is_closed(&self) -> bool {
        self.load.left.get() || self.load.gate.is_closed()
    }

    /// A place on it.
    pub fn call(&self) -> Call {
        Call::begin(&self.load)
    }
}

/// The connection itself.
struct Running {
    connection: Connection<Stream, Bytes>,
    pulse: Option<Pulse>,
    load: Rc<Load>,
}

impl Running {
    async fn run(mut self) {
        if let Err(error) = poll_fn(|context| self.poll(context)).await {
            debug!(%error, "upstream connection ended");
        }
        self.load.gate.close();
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        if let Poll::Ready(ended) = Pin::new(&mut self.connection).poll(context) {
            return Poll::Ready(ended);
        }
        let room = self.connection.max_concurrent_send_streams();
        self.load.gate.set_room(room);
        let Some(pulse) = &mut self.pulse else {
            return Poll::Pending;
        };
        while let Poll::Ready(beat) = pulse.poll(context) {
            match beat {
                Beat::Lost => {
                    debug!("the upstream says nothing any more");
                    return Poll::Ready(Ok(()));
                }
                Beat::Due if self.load.heard.take() || self.load.calls.get() == 0 => pulse.rest(),
                Beat::Due => pulse.ask(PING_INTERVAL),
            }
        }
        Poll::Pending
    }
}
