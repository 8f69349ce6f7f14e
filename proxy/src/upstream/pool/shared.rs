//! A connection of HTTP/2, and the right to make one.

use std::cell::Cell;
use std::future::Future;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tracing::debug;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::upstream::body::RequestBody;
use crate::upstream::pool::CONNECTION_WINDOW;
use crate::upstream::pool::HEAD_MAX;
use crate::upstream::pool::Key;
use crate::upstream::pool::Pool;
use crate::upstream::pool::STREAM_WINDOW;
use crate::upstream::stream::Stream;

/// A connection that carries many HTTP/2 requests at once.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The way into it.
    pub sender: http2::SendRequest<RequestBody>,
    /// The endpoint's address.
    pub address: SocketAddr,
    /// Our address on it.
    pub local: SocketAddr,
    pub(in crate::upstream::pool) load: Rc<Load>,
}

#[derive(Debug)]
pub(in crate::upstream::pool) struct Load {
    /// Requests that the other side takes at a time.
    pub(in crate::upstream::pool) room: Cell<usize>,
    /// Requests under way.
    pub(in crate::upstream::pool) calls: Cell<usize>,
    /// Requests it has carried.
    pub(in crate::upstream::pool) served: Cell<u32>,
    /// The other side takes no more.
    pub(in crate::upstream::pool) left: Cell<bool>,
    pub(in crate::upstream::pool) made: Instant,
    pub(in crate::upstream::pool) idle_since: Cell<Instant>,
}

/// A request under way on a shared connection, as long as this lives.
#[derive(Debug)]
#[must_use = "the request counts only while this lives"]
pub struct Call(Rc<Load>);

impl Call {
    fn begin(load: &Rc<Load>) -> Self {
        load.calls.set(load.calls.get() + 1);
        load.served.set(load.served.get().saturating_add(1));
        Self(Rc::clone(load))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.calls.set(self.0.calls.get().saturating_sub(1));
        self.0.idle_since.set(Instant::now());
    }
}

/// What comes of making a shared connection.
pub(in crate::upstream::pool) type Made = Result<Shared, Failure>;

/// Whose turn it is to make a shared connection.
#[derive(Debug)]
pub enum Turn {
    /// Ours.
    Make(Making),
    /// Somebody else is at it; what comes of it, or `None` if they gave up.
    Wait(watch::Receiver<Option<Made>>),
}

/// The right to make a shared connection. Whoever comes meanwhile waits for it.
#[derive(Debug)]
pub struct Making {
    pub(in crate::upstream::pool) pool: Rc<Pool>,
    pub(in crate::upstream::pool) key: Key,
    pub(in crate::upstream::pool) told: watch::Sender<Option<Made>>,
}

impl Making {
    /// Says what came of it, and keeps the connection where the next request looks for it.
    pub fn done(self, made: &Made) {
        if let Ok(shared) = made {
            let mut all = self.pool.shared.borrow_mut();
            all.entry(self.key.clone())
                .or_default()
                .push(shared.clone());
        }
        self.told.send_replace(Some(made.clone()));
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.pool.making.borrow_mut().remove(&self.key);
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
        let (sender, connection) = http2::Builder::new(OnThisThread)
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_MAX as u32)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| {
                Failure::new(
                    Cause::UpstreamProtocol,
                    format!("no HTTP/2 with the upstream: {error}"),
                )
            })?;
        let load = Rc::new(Load {
            room: Cell::new(connection.current_max_send_streams()),
            calls: Cell::new(0),
            served: Cell::new(0),
            left: Cell::new(false),
            made: Instant::now(),
            idle_since: Cell::new(Instant::now()),
        });
        let watched = Rc::clone(&load);
        spawn_local(async move {
            let mut connection = pin!(connection);
            let ended = poll_fn(|context| {
                let ended = connection.as_mut().poll(context);
                watched.room.set(connection.current_max_send_streams());
                ended
            });
            if let Err(error) = ended.await {
                debug!(%error, "upstream connection ended");
            }
        });
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

    /// A place on it.
    pub fn call(&self) -> Call {
        Call::begin(&self.load)
    }
}

/// Runs hyper's HTTP/2 tasks on the worker that asked for them.
#[derive(Clone, Copy, Debug)]
pub struct OnThisThread;

impl<F> hyper::rt::Executor<F> for OnThisThread
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}
