//! The client side of HTTP: connections of HTTP/1 and HTTP/2, pools of them, and the bodies of requests.
//!
//! Endpoints and clusters are not known here: a pool gives out connections by key.

pub mod body;
pub mod pool;
