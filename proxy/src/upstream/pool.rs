//! Connections kept for the next request: HTTP/1 ones while idle, HTTP/2 ones shared.

mod single;
mod gate;
mod shared;
mod making;

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use egret_config::model::policy::ConnectionPool;
use tokio::sync::watch;
use tokio::task::spawn_local;

use crate::upstream::clusters::Ends;
use crate::upstream::endpoints::Active;
use crate::upstream::limits::Usage;

pub use crate::upstream::pool::making::Making;
pub use crate::upstream::pool::making::Turn;
pub use crate::upstream::pool::shared::Call;
pub use crate::upstream::pool::shared::Shared;
pub use crate::upstream::pool::shared::Unanswered;
pub use crate::upstream::pool::shared::Why;
pub use crate::upstream::pool::single::Single;

use crate::upstream::pool::making::Made;

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

/// The connections of one cluster on one worker.
#[derive(Debug)]
pub struct Pool {
    idle: RefCell<HashMap<Key, Vec<Single>>>,
    shared: RefCell<HashMap<Key, Vec<Shared>>>,
    making: RefCell<HashMap<Key, watch::Receiver<Option<Made>>>>,
    idle_timeout: Duration,
    /// Requests a connection may carry.
    served_max: u32,
    /// Requests of HTTP/2 that a connection carries at a time, where the policy says so.
    streams_max: Option<usize>,
    /// How old a connection may become.
    age_max: Duration,
    /// Answers that came on shared connections.
    answers: Cell<u64>,
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
            streams_max: None,
            age_max: Duration::MAX,
            answers: Cell::new(0),
            usage: None,
        }
    }

    /// The same pool for connections that are counted, and used as a policy says.
    pub fn limited(self, usage: Arc<Usage>, limits: &ConnectionPool) -> Self {
        Self {
            usage: Some(usage),
            streams_max: limits.streams_max.map(|max| max.max(1) as usize),
            age_max: limits.connection_duration_max.unwrap_or(Duration::MAX),
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
        let now = Instant::now();
        while let Some(mut connection) = connections.pop() {
            connection.rested = now.duration_since(connection.idle_since);
            let aged = now.duration_since(connection.made) >= self.age_max;
            if connection.sender.is_ready() && connection.rested < self.idle_timeout && !aged {
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
            !shared.is_closed()
                && shared.load.served.get() < self.served_max
                && (self.age_max == Duration::MAX || shared.load.made.elapsed() < self.age_max)
        });
        let least = connections
            .iter()
            .min_by_key(|shared| shared.load.calls.get())?;
        let room = least
            .load
            .gate
            .room()
            .min(self.streams_max.unwrap_or(usize::MAX));
        let full = least.load.calls.get() >= room;
        // What the policy limits is held to, what the other side does is queued for.
        if full && (self.streams_max.is_some() || connections.len() < SHARED_MAX) {
            return None;
        }
        Some((least.clone(), least.call()))
    }

    /// Notes an answer that came on a shared connection.
    pub fn answered(&self) {
        self.answers.set(self.answers.get() + 1);
    }

    /// How many answers came on shared connections so far.
    pub fn answers(&self) -> u64 {
        self.answers.get()
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
                !rested && !shared.is_closed()
            });
            !connections.is_empty()
        });
    }
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
