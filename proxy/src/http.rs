//! HTTP: one client connection served, each request decided, sent, tried again, answered.
//!
//! [`serve`] reads requests off a connection; [`exchange`] is the story of one of them. What a route means is decided
//! elsewhere; how an upstream is reached is `upstream`'s business.

pub mod request_trace;
pub mod downstream;
pub mod headers;
pub mod framing;
pub mod http1_io;
pub mod informational;
pub mod outgoing;
pub mod body;
pub mod date;
pub mod answer;
pub mod upgrade;
pub mod deadline;
pub mod cors;
pub mod retry;
pub mod fault;
pub mod attempt;
pub mod upstream_request;
pub mod trace;
pub mod mirror;
pub mod forward;
pub mod connect;
pub mod exchange;
pub mod serve;

#[cfg(test)]
mod tests;
