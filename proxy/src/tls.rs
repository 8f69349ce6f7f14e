//! TLS towards upstreams and towards clients, from the policies of the configuration.
//!
//! Cryptography is always [`provider`]'s; rustls's process-wide default is never used.

pub mod files;
pub mod verify;
mod shown;
mod spoken;
pub mod originate;
pub mod terminate;

use std::sync::{Arc, LazyLock};

use egret_config::model::tls::Digest;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;

/// Application protocols to offer, or to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpn {
    /// Nothing is said.
    Unsaid,
    /// `http/1.1`.
    Http1,
    /// `h2`.
    Http2,
    /// `h2`, else `http/1.1`.
    Either,
}

impl Alpn {
    /// What is offered to a proxy of the mesh, which tells mesh TLS from an application's by these.
    fn protocols_in_mesh(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::Unsaid => &[b"istio"],
            Self::Http1 => &[b"istio-http/1.1", b"istio", b"http/1.1"],
            Self::Http2 => &[b"istio-h2", b"istio", b"h2"],
            Self::Either => &[b"istio-h2", b"istio-http/1.1", b"istio", b"h2", b"http/1.1"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }

    fn protocols(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::Unsaid => &[],
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
            Self::Either => &[b"h2", b"http/1.1"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}

/// A fatal alert `access_denied`, as sent in the clear to a client whose hello is refused (RFC 8446, 6).
pub const ACCESS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];

/// The cryptography of all TLS here.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    PROVIDER.clone()
}

/// The SHA-256 of bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    let suite = TLS13_AES_128_GCM_SHA256.tls13();
    let hash = suite
        .expect("a suite of TLS 1.3 is one")
        .common
        .hash_provider;
    let digest = hash.hash(bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests;
