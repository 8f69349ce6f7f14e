//! Bytes of a call as they were on the wire.

use crate::report::stream_bytes::ByteCount;

/// Bytes of a request and its response on one connection: heads, bodies and what frames them, inside TLS where there is
/// TLS. For HTTP/1 every byte. For HTTP/2 every frame of the stream with its nine bytes of header, compressed heads as they
/// were sent; frames of the connection belong to no call. For byte streams the bytes relayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireBytes {
    /// That egret received.
    pub received: u64,
    /// That egret sent.
    pub sent: u64,
    /// The header fields of `received`, as Envoy counts them. In HTTP/1 each is its name, its value and three bytes; the first
    /// line, the empty one and trailers are not among them. In HTTP/2 they are the whole frames of heads and of trailers.
    /// Those of informational responses count in both versions.
    pub header_received: u64,
    /// The same of `sent`. In HTTP/1 each is the whole line.
    pub header_sent: u64,
}

/// The same of one call towards endpoints, while its bytes pass. One thread adds to it, and others may read it.
#[derive(Debug, Default)]
pub struct CallWire {
    received: ByteCount,
    sent: ByteCount,
    header_received: ByteCount,
    header_sent: ByteCount,
}

impl CallWire {
    /// The bytes so far.
    pub fn bytes(&self) -> WireBytes {
        WireBytes {
            received: self.received.get(),
            sent: self.sent.get(),
            header_received: self.header_received.get(),
            header_sent: self.header_sent.get(),
        }
    }

    /// Adds bytes that were received, of which so many are header fields.
    pub fn add_received(&self, bytes: u64, fields: u64) {
        self.received.add(bytes);
        self.header_received.add(fields);
    }

    /// Adds bytes that were sent, of which so many are header fields.
    pub fn add_sent(&self, bytes: u64, fields: u64) {
        self.sent.add(bytes);
        self.header_sent.add(fields);
    }
}
