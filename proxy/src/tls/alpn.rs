//! Application protocols (ALPN, RFC 7301).

/// Application protocols to offer or to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpn {
    /// No protocol is offered.
    None,
    /// `http/1.1`.
    Http1,
    /// `h2`.
    Http2,
    /// `h2`, else `http/1.1`.
    Either,
}

impl Alpn {
    /// The protocols that are offered to a proxy of the mesh, which uses them to distinguish mesh TLS from an application's.
    pub(in crate::tls) fn protocols_in_mesh(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::None => &[b"istio"],
            Self::Http1 => &[b"istio-http/1.1", b"istio", b"http/1.1"],
            Self::Http2 => &[b"istio-h2", b"istio", b"h2"],
            Self::Either => &[b"istio-h2", b"istio-http/1.1", b"istio", b"h2", b"http/1.1"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }

    pub(in crate::tls) fn protocols(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::None => &[],
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
            Self::Either => &[b"h2", b"http/1.1"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}
