//! Connections kept for the next request: HTTP/1 ones while idle, HTTP/2 ones shared.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use hyper::client::conn::http1;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tracing::debug;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::upstream::body::RequestBody;
use crate::upstream::clusters::Ends;
use crate::upstream::endpoints::Active;
use crate::upstream::limits::Usage;
use crate::upstream::stream::Stream;

/// Idle connections kept for one address; more are closed.
const IDLE_MAX: usize = 1024;

/// Bytes of a response's header block that are read before giving up.
const HEAD_MAX: usize = 256 * 1024;

/// Connections of HTTP/2 to one address at most, however many requests are under way.
const SHARED_MAX: usize = 16;

/// Bytes that may be under way, unread by us, on one HTTP/2 stream; and on a connection, so that a few streams whose
/// readers are slow do not hold up the others.
pub const STREAM_WINDOW: u32 = 1 << 20;
/// See [`STREAM_WINDOW`].
pub const CONNECTION_WINDOW: u32 = 16 << 20;

/// What makes two connections of one cluster interchangeable. The rest of the TLS identity is the cluster's policy, and
/// each cluster has a pool of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The endpoint.
    pub address: SocketAddr,
    /// The name sent and verified, where it depends on the request.
    pub name: Option<Arc<str>>,
    /// Whom a PROXY header names, where one is sent: such a connection is one client's. Boxed: it is rare.
    pub ends: Option<Box<Ends>>,
}

/// A connection that carries one HTTP/1 request at a time.
#[derive(Debug)]
pub struct Single {
    sender: http1::SendRequest<RequestBody>,
    /// Our address on it.
    pub local: SocketAddr,
    /// Requests it has carried.
    served: u32,
    made: Instant,
    idle_since: Instant,
}

/// A connection that carries many HTTP/2 requests at once.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The way into it.
    pub sender: http2::SendRequest<RequestBody>,
    /// The endpoint's address.
    pub address: SocketAddr,
    /// Our address on it.
    pub local: SocketAddr,
    load: Rc<Load>,
}

#[derive(Debug)]
struct Load {
    /// Requests that the other side takes at a time.
    room: Cell<usize>,
    /// Requests under way.
    calls: Cell<usize>,
    /// Requests it has carried.
    served: Cell<u32>,
    /// The other side takes no more.
    left: Cell<bool>,
    made: Instant,
    idle_since: Cell<Instant>,
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
type Made = Result<Shared, Failure>;

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
    pool: Rc<Pool>,
    key: Key,
    told: watch::Sender<Option<Made>>,
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

/// The connections of one cluster on one worker.
#[derive(Debug)]
pub struct Pool {
    idle: RefCell<HashMap<Key, Vec<Single>>>,
    shared: RefCell<HashMap<Key, Vec<Shared>>>,
    making: RefCell<HashMap<Key, watch::Receiver<Option<Made>>>>,
    idle_timeout: Duration,
    /// Requests a connection may carry.
    served_max: u32,
    /// How old a connection may become.
    age_max: Duration,
    /// Hears of idle connections.
    usage: Option<Arc<Usage>>,
}

impl Pool {
    /// An empty pool whose connections are closed after `idle_timeout` without use or `served_max` requests.
    pub fn new(idle_timeout: Duration, served_max: Option<u32>) -> Self {
        Self {
            idle: RefCell::default(),
            shared: RefCell::default(),
            making: RefCell::default(),
            idle_timeout,
            served_max: served_max.filter(|max| *max > 0).unwrap_or(u32::MAX),
            age_max: Duration::MAX,
            usage: None,
        }
    }

    /// The same pool for connections that are counted, and used up to an age.
    pub fn limited(self, usage: Arc<Usage>, age_max: Option<Duration>) -> Self {
        Self {
            usage: Some(usage),
            age_max: age_max.unwrap_or(Duration::MAX),
            ..self
        }
    }

    /// Closes the connection that idled longest.
    pub fn close_idle(&self) {
        let mut idle = self.idle.borrow_mut();
        let oldest = idle
            .values_mut()
            .filter(|connections| !connections.is_empty())
            .min_by_key(|connections| connections[0].idle_since);
        if let Some(connections) = oldest {
            connections.remove(0);
            return;
        }
        drop(idle);
        let mut shared = self.shared.borrow_mut();
        for connections in shared.values_mut() {
            let place = connections
                .iter()
                .position(|shared| shared.load.calls.get() == 0);
            if let Some(place) = place {
                connections.remove(place);
                return;
            }
        }
    }

    /// The connection used last, if a live one is idle. The last one is the warmest, and the others can grow old.
    pub fn take(&self, key: &Key) -> Option<Single> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(key)?;
        while let Some(connection) = connections.pop() {
            let rested = connection.idle_since.elapsed() >= self.idle_timeout;
            let aged = connection.made.elapsed() >= self.age_max;
            if connection.sender.is_ready() && !rested && !aged {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose response has been read to its end.
    pub fn put(self: &Rc<Self>, key: Key, mut connection: Single) {
        connection.served += 1;
        if connection.sender.is_closed() || connection.served >= self.served_max {
            return;
        }
        if connection.sender.is_ready() {
            connection.idle_since = Instant::now();
            self.keep(key, connection);
            return;
        }
        // The upstream answered before it had the whole request: the rest is still being sent.
        let pool = Rc::downgrade(self);
        spawn_local(async move {
            let ready = connection.sender.ready().await;
            if let (Ok(()), Some(pool)) = (ready, pool.upgrade()) {
                connection.idle_since = Instant::now();
                pool.keep(key, connection);
            }
        });
    }

    fn keep(&self, key: Key, connection: Single) {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(key).or_default();
        if connections.len() < IDLE_MAX {
            connections.push(connection);
        }
        drop(idle);
        if let Some(usage) = &self.usage {
            usage.freed();
        }
    }

    /// A shared connection with room for one more request, and the request's place on it. With as many connections as
    /// there may be, the least busy one.
    pub fn shared(&self, key: &Key) -> Option<(Shared, Call)> {
        let mut all = self.shared.borrow_mut();
        let connections = all.get_mut(key)?;
        connections.retain(|shared| {
            !shared.sender.is_closed()
                && !shared.load.left.get()
                && shared.load.served.get() < self.served_max
                && shared.load.made.elapsed() < self.age_max
        });
        let least = connections
            .iter()
            .min_by_key(|shared| shared.load.calls.get())?;
        let full = least.load.calls.get() >= least.load.room.get();
        if full && connections.len() < SHARED_MAX {
            return None;
        }
        Some((least.clone(), least.call()))
    }

    /// Asks for the right to make a shared connection.
    pub fn turn(self: &Rc<Self>, key: &Key) -> Turn {
        let mut making = self.making.borrow_mut();
        if let Some(others) = making.get(key) {
            return Turn::Wait(others.clone());
        }
        let (told, others) = watch::channel(None);
        making.insert(key.clone(), others);
        Turn::Make(Making {
            pool: Rc::clone(self),
            key: key.clone(),
            told,
        })
    }

    /// Closes what idled too long, and forgets what is closed.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|connection| {
                !connection.sender.is_closed() && now - connection.idle_since < self.idle_timeout
            });
            !connections.is_empty()
        });
        self.shared.borrow_mut().retain(|_, connections| {
            connections.retain(|shared| {
                let load = &shared.load;
                let idle = load.calls.get() == 0;
                let rested = idle && now.duration_since(load.idle_since.get()) >= self.idle_timeout;
                !rested && !shared.sender.is_closed()
            });
            !connections.is_empty()
        });
    }
}

impl Single {
    /// Speaks HTTP/1 on a connection just made. Its task ends with the connection.
    ///
    /// # Errors
    /// Hyper's, which has none to give at this point.
    pub async fn begin(stream: Stream, local: SocketAddr) -> Result<Self, Failure> {
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .max_headers(256)
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
        Ok(Self {
            sender,
            local,
            served: 0,
            made: Instant::now(),
            idle_since: Instant::now(),
        })
    }

    /// Whether it has carried a request before, so that the upstream may have closed it meanwhile.
    pub fn is_used(&self) -> bool {
        self.served > 0
    }

    /// Sends a request. On an error the request comes back if nothing of it was sent.
    pub async fn send(
        &mut self,
        request: http::Request<RequestBody>,
    ) -> Result<
        http::Response<hyper::body::Incoming>,
        (hyper::Error, Option<Box<http::Request<RequestBody>>>),
    > {
        self.sender
            .try_send_request(request)
            .await
            .map_err(|mut error| {
                let unsent = error.take_message().map(Box::new);
                (error.into_error(), unsent)
            })
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

fn internal(error: hyper::Error) -> Failure {
    Failure::new(Cause::Internal, error.to_string())
}

/// A connection in use. It goes back to its pool when the response has been read to its end, and is closed when this is
/// dropped before.
#[derive(Debug)]
pub struct Lease {
    /// The HTTP/1 connection; none for a shared one, which stays where it is.
    pub single: Option<Single>,
    /// The place on a shared connection.
    pub call: Option<Call>,
    /// Where it goes back to.
    pub pool: Rc<Pool>,
    /// Under which key.
    pub key: Key,
    /// Counts the call at its endpoint.
    pub active: Option<Active>,
}

impl Lease {
    /// The response is complete.
    pub fn give_back(self) {
        if let Some(single) = self.single {
            self.pool.put(self.key, single);
        }
    }
}
