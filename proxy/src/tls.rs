//! TLS towards upstreams and towards clients, from the policies of the configuration.
//!
//! Cryptography is always [`crypto::provider`]'s; rustls's process-wide default is never used.

mod alpn;
pub mod certificate;
mod crypto;
pub mod files;
pub mod verify;
mod xfcc;
mod session;
mod versions;
pub mod originate;
pub mod terminate;

pub use crate::tls::alpn::Alpn;

/// A fatal alert `access_denied` in plaintext, for a client with a refused hello (RFC 8446, 6).
pub const ACCESS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];

#[cfg(test)]
mod tests;
