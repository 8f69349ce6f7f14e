//! Certificates, their keys and authorities, of both sides: where they are.

use std::sync::Arc;

/// Trusted authorities of [`ClientTls`](super::ClientTls).
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
