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

/// The limit of HTTP/2 connections to one address.
const SHARED_MAX: usize = 16;

/// The result of making a shared connection.
pub(super) type Made = Result<Http2Connection, Failure>;

/// The shared connections of a pool.
#[derive(Debug, Default)]
pub(super) struct SharedConnections {
    open: RefCell<FastMap<Key, Vec<Http2Connection>>>,
    /// The results of connections that are being made.
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

    /// Adds a connection to the pool.
    pub(super) fn add(&self, key: Key, shared: Http2Connection) {
        shared.load.idle.count_in(&self.counters);
        let mut all = self.open.borrow_mut();
        all.entry(key).or_default().push(shared);
    }

    /// A connection with room for one more request, and a stream on it. At the limit of connections it is the one with the
    /// fewest requests. Those that have carried `served_max` requests, or are as old as `age_max`, get no more.
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
            .stream_limiter
            .room()
            .min(streams_max.unwrap_or(usize::MAX));
        let full = least.load.calls.get() >= room;
        // The policy's limit holds. Requests above the upstream's limit are queued.
        if full && (streams_max.is_some() || connections.len() < SHARED_MAX) {
            return None;
        }
        Some((least.clone(), least.call()))
    }

    /// Closes one idle connection.
    #[allow(clippy::iter_over_hash_type, reason = "any idle connection will do")]
    pub(super) fn close_idle(&self) {
        let mut open = self.open.borrow_mut();
        for connections in open.values_mut() {
            let index = connections
                .iter()
                .position(|shared| shared.load.calls.get() == 0);
            if let Some(index) = index {
                connections.remove(index);
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

    /// Closes connections that were idle for `idle_timeout`, and removes closed ones.
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
