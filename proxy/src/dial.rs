//! A connection to an upstream: TCP or a Unix socket, the other addresses of a name, PROXY headers, tunnels.
//!
//! The callers choose the address and use the connection. Nothing here depends on clusters or requests.

pub mod failed_addresses;
pub mod proxy_protocol;
pub mod post_tunnel;
pub mod stream;
pub mod connect;
pub mod tunnel;
