//! A connection of HTTP/2, and requests on it.

mod connection;
mod send;

pub use crate::client::pool::http2::connection::{Call, Http2Connection};
pub use crate::client::pool::http2::send::{Unanswered, Why};
