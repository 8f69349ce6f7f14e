//! The sidecar and the gateway, one binary. [`connection::serve`] is the whole story of one connection on a screen; the
//! modules below follow its steps. What a configuration *means* is `egret-config`'s business; here are sockets, time
//! and processes. In reading order, from the ground up:

/// What the proxy asks of the kernel beyond std and tokio.
pub mod sys;
/// Start and end: readiness, draining, signals.
pub mod life;
/// Why a call was not served.
pub mod failure;
pub mod current;
pub mod proxy;
pub mod connection;
