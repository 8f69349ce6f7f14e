//! Connections kept for the next request: HTTP/1 ones while idle, HTTP/2 ones shared.

mod limits;
mod key;
mod http1;
mod stream_limiter;
mod http2;
mod shared;
mod connect_once;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egret_config::fast_map::FastMap;
use egret_config::model::policy::ConnectionPool;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::Instant;

use crate::client::pool::shared::SharedConnections;
use crate::report::metrics::envoy::pool::PoolCounters;

pub use crate::client::pool::connect_once::ConnectTurn;
pub use crate::client::pool::http1::Http1Connection;
pub use crate::client::pool::http2::{Call, Http2Connection, Unanswered, Why};
pub use crate::client::pool::key::Key;
pub use crate::client::pool::limits::{CONNECTION_WINDOW, STREAM_WINDOW};

/// Idle connections kept for one address; more are closed.
const IDLE_MAX: usize = 1024;

/// The connections of one cluster on one worker.
#[derive(Debug)]
pub struct Pool {
    idle: RefCell<FastMap<Key, Vec<Http1Connection>>>,
    shared: Rc<SharedConnections>,
    idle_timeout: Duration,
    /// Requests a connection may carry.
    served_max: u32,
    /// The HTTP/2 requests that a connection carries at a time, where the policy limits them.
    streams_max: Option<usize>,
    /// How old a connection may become.
    age_max: Duration,
    /// The number of responses on shared connections.
    answers: Cell<u64>,
    /// Notified when a connection becomes idle.
    idle_notify: Option<Arc<Notify>>,
    /// Counts the idle ones.
    counters: Arc<PoolCounters>,
}

impl Pool {
    /// An empty pool. Its connections are closed after `idle_timeout` without use or `served_max` requests.
    pub fn new(idle_timeout: Duration, served_max: Option<u32>) -> Self {
        Self {
            idle: RefCell::default(),
            shared: Rc::default(),
            idle_timeout,
            served_max: served_max.filter(|max| *max > 0).unwrap_or(u32::MAX),
            streams_max: None,
            age_max: Duration::MAX,
            answers: Cell::new(0),
            idle_notify: None,
            counters: Arc::default(),
        }
    }

    /// The same pool, which counts its idle connections.
    pub fn counted(self, counters: &Arc<PoolCounters>) -> Self {
        Self {
            counters: Arc::clone(counters),
            shared: Rc::new(SharedConnections::new(counters)),
            ..self
        }
    }

    /// The same pool with the limits of a policy, for counted connections. `idle_notify` is notified whenever a
    /// connection becomes idle.
    pub fn limited(self, idle_notify: Arc<Notify>, limits: &ConnectionPool) -> Self {
        Self {
            idle_notify: Some(idle_notify),
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
        self.shared.close_idle();
    }

    /// Closes all connections without requests, and returns how many.
    #[allow(clippy::disallowed_methods, reason = "all are closed, and counted")]
    pub fn close_all_idle(&self) -> usize {
        let closed: usize = self.idle.take().values().map(Vec::len).sum();
        closed + self.shared.close_all_idle()
    }

    /// The idle connection that was used last, if it is open. The others can reach their idle timeout.
    pub fn take(&self, key: &Key) -> Option<Http1Connection> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(key)?;
        let now = Instant::now();
        while let Some(mut connection) = connections.pop() {
            connection.in_use_since = now;
            connection.rested = now.duration_since(connection.idle_since);
            let aged = now.duration_since(connection.made) >= self.age_max;
            if connection.sender.is_ready() && connection.rested < self.idle_timeout && !aged {
                connection.idle.set(false);
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection after its response has been read to its end.
    pub fn put(self: &Rc<Self>, key: Key, mut connection: Http1Connection) {
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

    fn keep(&self, key: Key, connection: Http1Connection) {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(key).or_default();
        if connections.len() < IDLE_MAX {
            connection.idle.count_in(&self.counters);
            connection.idle.set(true);
            connections.push(connection);
        }
        drop(idle);
        if let Some(idle_notify) = &self.idle_notify {
            idle_notify.notify_waiters();
        }
    }

    /// A shared connection with room for one more request, and a stream on it. At the limit of connections it is the one
    /// with the fewest requests.
    pub fn shared(&self, key: &Key) -> Option<(Http2Connection, Call)> {
        self.shared
            .take(key, self.served_max, self.streams_max, self.age_max)
    }

    /// Counts a response on a shared connection.
    pub fn answered(&self) {
        self.answers.set(self.answers.get() + 1);
    }

    /// The number of responses on shared connections.
    pub fn answers(&self) -> u64 {
        self.answers.get()
    }

    /// Claims the right to make a shared connection.
    pub fn turn(&self, key: &Key) -> ConnectTurn {
        ConnectTurn::of(&self.shared, key)
    }

    /// Closes connections after their idle timeout, and removes closed ones.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|connection| {
                !connection.sender.is_closed() && now - connection.idle_since < self.idle_timeout
            });
            !connections.is_empty()
        });
        self.shared.sweep(now, self.idle_timeout);
    }
}
