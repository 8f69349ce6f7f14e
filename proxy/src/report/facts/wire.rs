//! Bytes of a call as they were on the wire.

/// Bytes of a request and its response on one connection: heads, bodies and what frames them, inside TLS where there is
/// TLS. For HTTP/1 every byte. For HTTP/2 every frame of the stream with its nine bytes of header, compressed heads as they
/// were sent; frames of the connection belong to no call. For byte streams the bytes relayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireBytes {
    /// That egret received.
    pub received: u64,
    /// That egret sent.
    pub sent: u64,
    /// Those of `received` that are heads. In HTTP/2 trailers are heads, too, and so are informational responses in both
    /// versions.
    pub header_received: u64,
    /// Those of `sent` that are heads.
    pub header_sent: u64,
}
