//! Types of TLS, of both sides.

use std::sync::Arc;

use crate::model::tls::hashed::Hashed;

/// TLS that egret originates (DestinationRule `trafficPolicy.tls`). `DISABLE` is the absence of this value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientTls {
    /// Who shows a certificate.
    pub mode: ClientTlsMode,
    /// `sni`: the name sent; `None` means the request's host for HTTP, none for byte streams.
    pub sni: Option<Arc<str>>,
    /// Names of which the certificate must have one. Empty: the SNI's name is verified.
    pub subject_alt_names: Vec<Arc<str>>,
    /// Where the trusted authorities are.
    pub roots: Roots,
    /// `caCrl`: certificates that their authorities took back.
    pub revoked: Option<Revoked>,
    /// `insecureSkipVerify`.
    pub skip_verify: bool,
    /// `ISTIO_MUTUAL`: the other end is a proxy of the mesh, which goes by Istio's application protocols.
    pub in_mesh: bool,
    /// The mesh's `cipherSuites` leave none for TLS 1.2.
    pub only_tls13: bool,
    /// The mesh's `cipherSuites` of TLS 1.2; empty for all.
    pub suites: Vec<CipherSuite>,
    /// The mesh's `ecdhCurves`; empty for all.
    pub curves: Vec<Curve>,
}

/// Modes of [`ClientTls`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientTlsMode {
    /// `SIMPLE`: only the server.
    Simple,
    /// `MUTUAL` and `ISTIO_MUTUAL` (with the mesh's own files): both.
    Mutual(KeyFiles),
    /// Cannot be honoured (a `credentialName` without its Secret); calls fail closed with this reason.
    Unusable(Arc<str>),
}

/// Trusted authorities of [`ClientTls`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Roots {
    /// The operating system's bundle.
    System,
    /// `caCertificates`: a PEM file.
    File(Arc<str>),
    /// PEM text from a Secret.
    Pem(Arc<str>),
}

/// Lists of certificates that their authorities took back. Each authority of a chain must have one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Revoked {
    /// `caCrl`: a PEM file.
    File(Arc<str>),
    /// PEM text from a Secret.
    Pem(Arc<str>),
}

impl Revoked {
    /// `caCrl`, else what a Secret has.
    pub(super) fn new(file: &str, of_secret: Option<Arc<str>>) -> Option<Self> {
        if file.is_empty() {
            of_secret.map(Self::Pem)
        } else {
            Some(Self::File(file.into()))
        }
    }
}

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// A certificate chain and its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyFiles {
    /// PEM files.
    Files {
        /// Chain, leaf first.
        certificate: Arc<str>,
        /// Private key.
        key: Arc<str>,
    },
    /// PEM texts from a Secret.
    Pem {
        /// Chain, leaf first.
        certificate: Arc<str>,
        /// Private key.
        key: Arc<str>,
    },
}

/// TLS that a gateway terminates (`Gateway.servers[].tls`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerTls {
    /// The server's certificates; none while the Secret that has them is missing: then no handshake succeeds.
    pub keys: Vec<KeyFiles>,
    /// Whether and against what clients are verified.
    pub clients: ClientVerification,
    /// `ISTIO_MUTUAL`: with the mesh's own certificates.
    pub in_mesh: bool,
    /// Whether `minProtocolVersion` is TLS 1.3; `None` where nothing is said.
    pub only_tls13: Option<bool>,
    /// `maxProtocolVersion` is TLS 1.2.
    pub only_tls12: bool,
    /// `cipherSuites` of TLS 1.2; empty for all. TLS 1.3 has its own, which are not configurable.
    pub suites: Vec<CipherSuite>,
    /// The mesh's `ecdhCurves`; empty for all.
    pub curves: Vec<Curve>,
}

/// How the two sides of a handshake agree on keys, of what is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// `P-256`.
    P256,
    /// `P-384`.
    P384,
    /// `X25519`.
    X25519,
    /// `X25519MLKEM768`, which holds against quantum computers; TLS 1.3 only.
    X25519MlKem768,
}

/// The cipher suites of TLS 1.2 that are spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CipherSuite {
    /// `ECDHE-ECDSA-AES128-GCM-SHA256`.
    EcdsaAes128,
    /// `ECDHE-ECDSA-AES256-GCM-SHA384`.
    EcdsaAes256,
    /// `ECDHE-ECDSA-CHACHA20-POLY1305`.
    EcdsaChaCha20,
    /// `ECDHE-RSA-AES128-GCM-SHA256`.
    RsaAes128,
    /// `ECDHE-RSA-AES256-GCM-SHA384`.
    RsaAes256,
    /// `ECDHE-RSA-CHACHA20-POLY1305`.
    RsaChaCha20,
}

/// Verification of clients by a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientVerification {
    /// `SIMPLE`.
    Off,
    /// `OPTIONAL_MUTUAL`: a client may show none, but what it shows is verified.
    Optional(Accepted),
    /// `MUTUAL` and `ISTIO_MUTUAL`.
    Required(Accepted),
}

/// Which certificates of clients are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Accepted {
    /// Who may have signed them.
    pub roots: Roots,
    /// `subjectAltNames`: names of which they must have one; none for any.
    pub names: Vec<Arc<str>>,
    /// `caCrl`: those that their authorities took back.
    pub revoked: Option<Revoked>,
    /// `verifyCertificateSpki`: digests of their public keys. Where digests of either kind are given, one must fit.
    pub keys: Vec<Digest>,
    /// `verifyCertificateHash`: digests of whole certificates.
    pub certificates: Vec<Digest>,
}

impl Accepted {
    /// Whoever has a certificate that these signed.
    pub fn signed_by(roots: Roots) -> Self {
        Self {
            roots,
            names: Vec::new(),
            revoked: None,
            keys: Vec::new(),
            certificates: Vec::new(),
        }
    }
}

/// Where Istio's agent, or whoever plays its part, puts a workload's own certificate, its key and the mesh's roots.
pub(super) const MESH_FILES: [&str; 3] = [
    "/etc/certs/cert-chain.pem",
    "/etc/certs/key.pem",
    "/etc/certs/root-cert.pem",
];

pub(super) fn mesh_keys() -> KeyFiles {
    let [certificate, key, _] = MESH_FILES;
    KeyFiles::Files {
        certificate: certificate.into(),
        key: key.into(),
    }
}

pub(super) fn mesh_roots() -> Roots {
    let [.., roots] = MESH_FILES;
    Roots::File(roots.into())
}

/// What a server does with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerTlsMode {
    /// Plaintext.
    None,
    /// Plaintext HTTP that is always answered with a redirect to https (`httpsRedirect`).
    RedirectToHttps,
    /// `PASSTHROUGH`: routed by SNI.
    Passthrough,
    /// `AUTO_PASSTHROUGH`: the SNI names the cluster.
    AutoPassthrough,
    /// Decrypted here.
    Terminate(Hashed<ServerTls>),
}
