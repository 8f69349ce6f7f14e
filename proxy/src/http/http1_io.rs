//! The client's HTTP/1 connection, between hyper and the socket. It does what hyper's server does not: it notices a
//! client that leaves while its request waits for an upstream, lets no client take for ever to send a request's head,
//! sends informational responses (103 and other 1xx, but 100), sees what a request's framing hides, and knows when
//! there is nothing to do, so that hyper can be let go until there is.
//!
//! Both ends, [`HyperIo`] in hyper's hands and [`ConnectionMonitor`] beside it, are polled by the same task.

pub mod informational;
mod state;
mod request_link;
mod served;
mod monitor;
mod closing;

pub use crate::http::http1_io::monitor::{
    ConnectionEvent, ConnectionMonitor, RequestStart, watched,
};
pub use crate::http::http1_io::served::HyperIo;

#[cfg(test)]
mod tests;
