//! TLS towards upstreams and towards clients.

mod hashed;
mod certificates;
mod curves;
mod digests;
mod suites;
pub(crate) mod client;
mod client_verification;
mod server_keys;
pub(crate) mod server;
pub(crate) mod defaults;

pub use crate::model::tls::certificates::{KeyFiles, Revoked, Roots};
pub use crate::model::tls::client::{ClientTls, ClientTlsMode};
pub use crate::model::tls::client_verification::{Accepted, ClientVerification};
pub use crate::model::tls::curves::Curve;
pub use crate::model::tls::digests::Digest;
pub use crate::model::tls::hashed::Hashed;
pub use crate::model::tls::server::{ServerTls, ServerTlsMode};
pub use crate::model::tls::suites::CipherSuite;
