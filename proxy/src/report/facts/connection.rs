//! A connection to an endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use egret_config::address::UpstreamLocalAddress;
use tokio::time::Instant;

use crate::report::facts::tls::TlsFacts;

/// The number of the next connection of this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The number of a connection that begins: the clients' and those to endpoints share them.
pub fn next_connection_id() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What the attempts on one connection to an endpoint have in common.
#[derive(Clone, Debug)]
pub struct UpstreamConnectionFacts {
    /// Its number.
    pub id: u64,
    /// Our address on it.
    pub local: UpstreamLocalAddress,
    /// When connecting began.
    pub connect_begin: Instant,
    /// When it was connected.
    pub connect_end: Instant,
    /// When TLS was set up; `None` without TLS.
    pub handshake_end: Option<Instant>,
    /// TLS; `None` without.
    pub tls: Option<Arc<TlsFacts>>,
}

impl UpstreamConnectionFacts {
    /// A connection that began to be made at this time, and is connected now.
    pub fn connected(local: UpstreamLocalAddress, connect_begin: Instant) -> Self {
        Self {
            id: next_connection_id(),
            local,
            connect_begin,
            connect_end: Instant::now(),
            handshake_end: None,
            tls: None,
        }
    }

    /// TLS is set up on it now.
    pub fn secured(&mut self, tls: TlsFacts) {
        self.handshake_end = Some(Instant::now());
        self.tls = Some(Arc::new(tls));
    }
}
