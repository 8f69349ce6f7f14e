//! TLS that egret ended or originated.

use std::sync::Arc;

/// What a handshake came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version, as `TLSv1.3`.
    pub version: Option<&'static str>,
    /// The cipher suite, by the name that OpenSSL gives it.
    pub cipher: Option<&'static str>,
    /// Whether the other side showed a certificate.
    pub has_peer_certificate: bool,
    /// The names in the other side's certificate.
    pub peer: CertificateNames,
    /// The names in the certificate that egret showed.
    pub local: CertificateNames,
    /// The SNI that was sent.
    pub server_name: Option<Arc<str>>,
}

/// The subject alternative names of a certificate, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// URIs.
    pub uris: Box<str>,
    /// DNS names.
    pub dns: Box<str>,
}
