//! Connections that many requests share.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::pool::http2::{Call, Http2Connection};
use crate::client::pool::key::Key;
use crate::failure::Failure;
use crate::report::metrics::envoy::pool::PoolCounters;

/// Connections of HTTP/2 to one address at most, however many requests are under way.
const SHARED_MAX: usize = 16;

/// What comes of making a shared connection.
pub(super) type Made = Result<Http2Connection, Failure>;

/// The shared connections of a pool.
#[derive(Debug, Default)]
pub(super) struct SharedConnections {
    open: RefCell<FastMap<Key, Vec<Http2Connection>>>,
    /// Those that somebody is making: what comes of each.
    pub(super) making: RefCell<FastMap<Key, watch::Receiver<Option<Made>>>>,
    /// Counts the idle ones.
    counters: Arc<PoolCounters>,
}

impl SharedConnections {
    /// None yet; idle ones are counted.
    pub(super) fn new(counters: &Arc<PoolCounters>) -> Self {
        Self {
            counters: Arc::clone(counters),
            ..Self::default()
        }
    }

    /// Keeps a connection where the next request looks for it.
    pub(super) fn add(&self, key: Key, shared: Http2Connection) {
        shared.load.idle.count_in(&self.counters);
        let mut all = self.open.borrow_mut();
        all.entry(key).or_default().push(shared);
    }

    /// A connection with room for one more request, and the request's place on it. With as many connections as there may
    /// be, the least busy one. Those that have carried `served_max` requests, or are as old as `age_max`, get no more.
    pub(super) fn take(
        &self,
        key: &Key,
        served_max: u32,
        streams_max: Option<usize>,
        age_max: Duration,
    ) -> Option<(Http2Connection, Call)> {
        let mut all = self.open.borrow_mut();
        let connections = all.get_mut(key)?;
        connections.retain(|shared| {
            !shared.is_closed()
                && shared.load.served.get() < served_max
                && (age_max == Duration::MAX || shared.load.made.elapsed() < age_max)
        });
        let least = connections
            .iter()
            .min_by_key(|shared| shared.load.calls.get())?;
        let room = least
            .load
            .gate
            .room()
            .min(streams_max.unwrap_or(usize::MAX));
        let full = least.load.calls.get() >= room;
        // What the policy limits is held to, what the other side does is queued for.
        if full && (streams_max.is_some() || connections.len() < SHARED_MAX) {
            return None;
        }
        Some((least.clone(), least.call()))
    }

    /// Closes one that carries nothing.
    #[allow(clippy::iter_over_hash_type, reason = "any idle connection will do")]
    pub(super) fn close_idle(&self) {
        let mut open = self.open.borrow_mut();
        for connections in open.values_mut() {
            let place = connections
                .iter()
                .position(|shared| shared.load.calls.get() == 0);
            if let Some(place) = place {
                connections.remove(place);
                return;
            }
        }
    }

    /// Closes all without requests, and returns how many.
    #[allow(
        clippy::disallowed_methods,
        clippy::iter_over_hash_type,
        reason = "all are closed, and counted"
    )]
    pub(super) fn close_all_idle(&self) -> usize {
        let mut closed = 0;
        for connections in self.open.borrow_mut().values_mut() {
            let before = connections.len();
            connections.retain(|shared| shared.load.calls.get() > 0);
            closed += before - connections.len();
        }
        closed
    }

    /// Closes what idled for `idle_timeout`, and forgets what is closed.
    pub(super) fn sweep(&self, now: Instant, idle_timeout: Duration) {
        self.open.borrow_mut().retain(|_, connections| {
            connections.retain(|shared| {
                let load = &shared.load;
                let idle = load.calls.get() == 0;
                let rested = idle && now.duration_since(load.idle_since.get()) >= idle_timeout;
                !rested && !shared.is_closed()
            });
            !connections.is_empty()
        });
    }
}
use egret_config::fast_map::FastMap;
