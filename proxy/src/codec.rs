//! Codecs of HTTP messages for both sides of a connection: incoming bodies, chunks, trailers, and the parts that clients and
//! servers of HTTP/2 share. Nothing here depends on the request or on the peer.

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
