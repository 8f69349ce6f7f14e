//! Headers of traces: what a request brings, whether its spans are reported, what is sent on.
//!
//! [`incoming::Incoming`] reads the headers of a request, [`decision::is_sampled`] decides, and
//! [`context::TraceContext`] writes the headers of the next hop. Ids of traces have 128 bits, those of spans 64.

pub mod b3;
pub mod context;
pub mod decision;
mod hex;
pub mod incoming;
pub mod request_id;
pub mod w3c;

#[cfg(test)]
mod tests;
