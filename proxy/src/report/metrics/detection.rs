//! What connections carry, as their first bytes show it.

/// What was detected on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// HTTP/1.
    Http1,
    /// HTTP/2.
    Http2,
    /// TLS.
    Tls,
    /// Other bytes, or bytes that need not be read because the port says enough.
    Opaque,
    /// The server spoke first.
    ServerFirst,
    /// Neither side sent anything.
    Silent,
}

impl Detection {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Http1,
        Self::Http2,
        Self::Tls,
        Self::Opaque,
        Self::ServerFirst,
        Self::Silent,
    ];

    /// The value of the label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Tls => "tls",
            Self::Opaque => "opaque",
            Self::ServerFirst => "server_first",
            Self::Silent => "silent",
        }
    }
}
