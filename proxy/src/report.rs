//! What is reported about each call: one [`Facts`](facts::Facts) from accept to end, given to every sink once.
//!
//! Facts flow one way. The walk of a connection fills them; nothing reads them back to decide what happens next.

pub mod stream_bytes;
pub mod facts;
pub mod call_destination;
pub mod now;
pub mod attributes;
pub mod expression_text;
pub mod needs;
pub mod access_log;
pub mod reporter;
pub mod overload;
pub mod metrics;
pub mod spans;
pub mod destinations;
