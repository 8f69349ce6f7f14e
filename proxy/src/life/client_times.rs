//! How long clients may take.

use std::time::Duration;

use egret_config::snapshot::workload::Mode;

/// How long a client of a gateway may take for the head of a request, from its first byte. The application beside a sidecar is
/// not hurried.
pub const HEAD_MAX: Duration = Duration::from_secs(60);

/// How long a client of a gateway may take for its TLS handshake, and before it for the PROXY header.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(15);

/// How long a client may say nothing between requests: Envoy's idle timeout of connections.
pub const IDLE_MAX: Duration = Duration::from_secs(60 * 60);

/// How long clients may take; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimes {
    /// For the head of a request, from its first byte.
    pub head: Option<Duration>,
    /// For a TLS handshake, and before it for the PROXY header.
    pub handshake: Duration,
    /// Between the requests of a connection.
    pub idle: Duration,
}

impl ClientTimes {
    /// Those of a proxy for which nothing else is set.
    pub fn of(mode: Mode) -> Self {
        Self {
            head: match mode {
                Mode::Sidecar => None,
                Mode::Gateway => Some(HEAD_MAX),
            },
            handshake: HANDSHAKE_MAX,
            idle: IDLE_MAX,
        }
    }
}
