//! What HTTP messages are made of whoever speaks: bodies that come, whatever carries them, and what both sides of HTTP/2
//! have in common. Neither who asks nor what is asked is known here.

pub mod cut;
pub mod incoming;
pub mod fields;
pub mod chunks;
pub mod body_sender;
pub mod grpc_messages;
pub mod trailers;
pub mod metered;
pub mod http1_call_wire;
pub mod http2_call_wire;
pub mod http2_keepalive;
pub mod http2_frames;
pub mod http2_calm;
pub mod http2_meter;
