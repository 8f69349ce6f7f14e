//! The sockets that this process dials with, by both their addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use egret_config::address::LocalAddress;

use crate::lock::lock;

/// Parts of the set, each with a lock of its own; a socket is in the one of its local port.
const SHARDS: usize = 64;

/// How often a socket that is connecting is waited for: far longer than two system calls take, unless many connect.
const SETTLING_MAX: usize = 200;

/// Local and remote address of a socket, without the scopes that `SocketAddr` has.
type Ends = (IpAddr, u16, IpAddr, u16);

/// The open upstream sockets of this process. The kernel has each pair of addresses once, so what comes back to a listener
/// with both addresses of a pair is that socket, and no other client's.
#[derive(Debug)]
pub(super) struct Upstream {
    shards: [Mutex<BTreeSet<Ends>>; SHARDS],
    /// Sockets that begin to connect, and whose local addresses are not in the set yet.
    connecting: AtomicUsize,
}

/// A socket that begins to connect, as long as this lives.
#[derive(Debug)]
#[must_use = "the socket is known to be coming only while this lives"]
pub struct Connecting(Arc<Upstream>);

/// An upstream socket that is known as one of ours as long as this lives.
#[derive(Debug)]
#[must_use = "the socket is known only while this lives"]
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
    /// Announces a socket, before `connect` makes the kernel choose its local address: a listener of ours may have the
    /// connection before [`Upstream::register`] is reached.
    pub(super) fn connecting(self: &Arc<Self>) -> Connecting {
        self.connecting.fetch_add(1, Ordering::SeqCst);
        Connecting(Arc::clone(self))
    }

    /// What `find` gives, asked again as long as it finds nothing and a socket is between `connect` and its
    /// registration, which is the time of two system calls.
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
