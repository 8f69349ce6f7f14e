//! How long a connection is served that carries nothing.

use std::time::Duration;

/// How long a client may say nothing between requests: Envoy's idle timeout of connections.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(60 * 60);
