//! The bytes that are read ahead of a connection.

/// Bytes of a response's header block that are read before giving up.
pub(super) const HEAD_MAX: usize = 256 * 1024;

/// The receive window of one HTTP/2 stream in bytes. That of a connection is larger, so that a few streams with slow
/// readers do not block the others.
pub const STREAM_WINDOW: u32 = 1 << 20;

/// See [`STREAM_WINDOW`].
pub const CONNECTION_WINDOW: u32 = 16 << 20;
