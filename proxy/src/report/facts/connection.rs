//! A connection to an endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// When connecting began.
    pub connect_begin: Instant,
    /// When it was connected.
    pub connect_end: Instant,
    /// When TLS was set up; `None` without TLS.
    pub handshake_end: Option<Instant>,
    /// TLS; `None` without.
    pub tls: Option<Arc<TlsFacts>>,
}
