//! How much of a connection is read before somebody takes it.

/// Bytes of a response's header block that are read before giving up.
pub(super) const HEAD_MAX: usize = 256 * 1024;

/// Bytes that may be under way, unread by us, on one HTTP/2 stream; and on a connection, so that a few streams whose
/// readers are slow do not hold up the others.
pub const STREAM_WINDOW: u32 = 1 << 20;

/// See [`STREAM_WINDOW`].
pub const CONNECTION_WINDOW: u32 = 16 << 20;
