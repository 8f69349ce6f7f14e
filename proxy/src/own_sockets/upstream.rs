//! The upstream sockets of this process, by both their addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use egret_config::address::LocalAddress;

use crate::lock::lock;

/// The number of parts of the set. Each has its own lock; the local port selects the part.
const SHARDS: usize = 64;

/// The number of polls for a connecting socket: much longer than two system calls take, unless many sockets connect.
const SETTLING_MAX: usize = 200;

/// Local and remote address of a socket, without the scopes that `SocketAddr` has.
type Ends = (IpAddr, u16, IpAddr, u16);

/// The open upstream sockets of this process. A pair of addresses is unique, so a connection that a listener
/// accepts with both addresses of a pair is that socket's.
#[derive(Debug)]
pub(super) struct Upstream {
    shards: [Mutex<BTreeSet<Ends>>; SHARDS],
    /// The number of connecting sockets. Their local addresses are not in the set yet.
    connecting: AtomicUsize,
}

/// A connecting socket, until this is dropped.
#[derive(Debug)]
#[must_use = "the socket counts as connecting until this is dropped"]
pub struct Connecting(Arc<Upstream>);

/// A registered upstream socket. Dropping this removes it from the set.
#[derive(Debug)]
#[must_use = "the socket is registered until this is dropped"]
pub struct Registered {
    upstream: Arc<Upstream>,
    ends: Ends,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            connecting: AtomicUsize::new(0),
        }
    }
}

impl Upstream {
    /// Announces a socket, before `connect` makes the kernel choose its local address: a listener of this proxy may accept the
    /// connection before [`Upstream::register`] is called.
    pub(super) fn connecting(self: &Arc<Self>) -> Connecting {
        self.connecting.fetch_add(1, Ordering::SeqCst);
        Connecting(Arc::clone(self))
    }

    /// The result of `find`. It is called again while it returns nothing and a socket is between `connect` and its
    /// registration.
    fn settled(&self, find: impl Fn() -> bool) -> bool {
        for _ in 0..SETTLING_MAX {
            let connecting = self.connecting.load(Ordering::SeqCst);
            if find() {
                return true;
            }
            if connecting == 0 {
                return false;
            }
            thread::yield_now();
        }
        find()
    }

    pub(super) fn register(
        self: &Arc<Self>,
        local: LocalAddress,
        remote: SocketAddr,
    ) -> Registered {
        let ends = (local.ip(), local.port(), remote.ip(), remote.port());
        self.shard(local.port()).insert(ends);
        Registered {
            upstream: Arc::clone(self),
            ends,
        }
    }

    pub(super) fn contains(&self, local: LocalAddress, remote: SocketAddr) -> bool {
        let ends = (local.ip(), local.port(), remote.ip(), remote.port());
        self.settled(|| self.shard(local.port()).contains(&ends))
    }

    pub(super) fn has_local(&self, local: LocalAddress) -> bool {
        let first = (
            local.ip(),
            local.port(),
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            0,
        );
        self.settled(|| {
            let shard = self.shard(local.port());
            let next = shard.range(first..).next();
            next.is_some_and(|(ip, port, ..)| (*ip, *port) == (local.ip(), local.port()))
        })
    }

    fn shard(&self, port: u16) -> MutexGuard<'_, BTreeSet<Ends>> {
        lock(&self.shards[usize::from(port) % SHARDS])
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.upstream.shard(self.ends.1).remove(&self.ends);
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.connecting.fetch_sub(1, Ordering::SeqCst);
    }
}
