//! A connection to an upstream: TCP or a Unix socket, the other addresses of a name, PROXY headers, tunnels.
//!
//! Which address is dialled, and what is asked of it, comes from above; clusters and requests are not known here.

pub mod failed_addresses;
pub mod proxy_protocol;
pub mod post_tunnel;
pub mod stream;
pub mod connect;
pub mod tunnel;
