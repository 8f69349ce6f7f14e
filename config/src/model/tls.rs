//! TLS towards upstreams and towards clients.

pub(crate) mod client;
mod curves;
pub(crate) mod defaults;
mod digests;
mod hashed;
pub(crate) mod server;
mod suites;
mod types;

pub use crate::model::tls::hashed::Hashed;
pub use crate::model::tls::types::{
    Accepted, CipherSuite, ClientTls, ClientTlsMode, ClientVerification, Curve, Digest, KeyFiles,
    Revoked, Roots, ServerTls, ServerTlsMode,
};
