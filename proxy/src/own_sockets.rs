//! This proxy's own sockets: its listeners, which it must not dial, and its upstream sockets, which must not connect to its
//! listeners.

mod upstream;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use egret_config::address::{ClientAddress, LocalAddress, OriginalDestination};
use egret_config::decide::destination;
use egret_config::decide::destination::{AddressSource, DialRefusal, Dialable};
use egret_config::decide::verdict::Refusal;
use nix::unistd::Uid;
use tokio::time::Instant;
use tracing::warn;

use crate::current::Current;
use crate::failure::{Cause, Failure};
use crate::own_sockets::upstream::Upstream;
use crate::sys::addresses;
use crate::sys::orig_dst::canonical;
use crate::warning_interval::WarningInterval;

pub use crate::own_sockets::upstream::{Connecting, Registered};

/// How old the known addresses of this host may be before a dial of a listener's port reads them again.
const ADDRESSES_AGE_MAX: Duration = Duration::from_secs(5);

/// The uid that egret-init excludes from redirection by default, as istio-iptables does.
const EXCLUDED_UID: u32 = 1337;

/// The sockets of one process, shared by its workers.
#[derive(Debug)]
pub struct OwnSockets {
    current: Arc<Current>,
    addresses: ArcSwap<Addresses>,
    upstream: Arc<Upstream>,
    dial_warning: WarningInterval,
    client_warning: WarningInterval,
}

#[derive(Debug, Default)]
struct Addresses {
    all: BTreeSet<IpAddr>,
    /// When they were read; `None` before that.
    read: Option<Instant>,
}

impl OwnSockets {
    /// The sockets of a process that listens on the addresses in `current`.
    pub fn new(current: Arc<Current>) -> Self {
        Self {
            current,
            addresses: ArcSwap::default(),
            upstream: Arc::default(),
            dial_warning: WarningInterval::default(),
            client_warning: WarningInterval::default(),
        }
    }

    /// Whether an upstream address may be dialled.
    pub fn dialable(&self, address: SocketAddr, source: AddressSource) -> Dialable {
        let snapshot = self.current.load();
        let mode = snapshot.workload.mode;
        let of_workload = destination::own_sockets(&snapshot);
        let answer = destination::dialable(address, source, mode, of_workload);
        if answer != Dialable::Allowed || !of_workload.listens_on(address.port()) {
            return answer;
        }
        let addresses = self.addresses(address.ip().to_canonical());
        let own = destination::OwnSockets {
            addresses: &addresses.all,
            ..of_workload
        };
        destination::dialable(address, source, mode, own)
    }

    /// The addresses of this host, read again if they lack `ip` and are old.
    fn addresses(&self, ip: IpAddr) -> Arc<Addresses> {
        let known = self.addresses.load_full();
        let old = |read: Instant| read.elapsed() >= ADDRESSES_AGE_MAX;
        if known.all.contains(&ip) || !known.read.is_none_or(old) {
            return known;
        }
        // When they cannot be read, the old ones stay.
        let all = addresses::local().unwrap_or_else(|_| known.all.clone());
        let read = Some(Instant::now());
        let new = Arc::new(Addresses { all, read });
        self.addresses.store(Arc::clone(&new));
        new
    }

    /// Those of the addresses that may be dialled, as far as the listeners are known; `None` when all may.
    ///
    /// # Errors
    /// [`Refusal::OwnListener`] when none of them may be.
    pub fn allowed(&self, addresses: &[SocketAddr]) -> Result<Option<Vec<SocketAddr>>, Failure> {
        let refusal = |address: &SocketAddr| match self.dialable(*address, AddressSource::Endpoint)
        {
            Dialable::Allowed => None,
            Dialable::Refused(refusal) => Some(refusal),
        };
        let Some(refused) = addresses.iter().find_map(refusal) else {
            return Ok(None);
        };
        let others = addresses.iter().copied();
        let others: Vec<_> = others.filter(|other| refusal(other).is_none()).collect();
        if others.is_empty() {
            return Err(self.refused(refused));
        }
        Ok(Some(others))
    }

    /// The failure of a call to addresses that are all this proxy's own. Logs a warning.
    pub fn refused(&self, refusal: DialRefusal) -> Failure {
        if self.dial_warning.is_due() {
            warn!(address = %refusal.address, "refused to connect to an upstream address: {refusal}");
        }
        Failure::new(Cause::Refused(Refusal::OwnListener), refusal.to_string())
    }

    /// Announces an upstream socket that begins to connect. The result must be kept until the socket is registered.
    pub fn connecting(&self) -> Connecting {
        self.upstream.connecting()
    }

    /// Registers an upstream socket from `local` to `remote` until the result is dropped.
    pub fn register(&self, local: LocalAddress, remote: SocketAddr) -> Registered {
        let local = LocalAddress(canonical(local.0));
        self.upstream.register(local, canonical(remote))
    }

    /// Whether this client's address is that of an upstream socket of this proxy, with any destination.
    pub fn has_upstream_at(&self, client: ClientAddress) -> bool {
        self.upstream.has_local(LocalAddress(client.0))
    }

    /// Whether this client's address is that of an upstream socket of this proxy to `to`.
    pub fn has_upstream(&self, client: ClientAddress, to: OriginalDestination) -> bool {
        self.upstream.contains(LocalAddress(client.0), to.0)
    }

    /// The failure of a connection that comes from an upstream socket of this proxy. Logs a warning.
    pub fn client_refused(&self, client: ClientAddress, to: OriginalDestination) -> Failure {
        let uid = Uid::effective();
        let message = format!(
            "own_listener: the client {client} is this proxy's own upstream socket to {to}: its connections are redirected \
             back to it. egret-init excludes uid {EXCLUDED_UID} and this proxy runs as uid {uid}: run it as uid \
             {EXCLUDED_UID}, or start egret-init with --proxy-uid {uid}"
        );
        if self.client_warning.is_due() {
            warn!("{message}");
        }
        Failure::new(Cause::Refused(Refusal::OwnListener), message)
    }
}

#[cfg(test)]
pub(crate) mod tests;
