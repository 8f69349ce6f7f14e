//! Verification of clients by a Gateway's server.

use std::sync::Arc;

use crate::model::secret::Secrets;
use crate::model::tls::certificates::{Revoked, Roots};
use crate::model::tls::digests::{self, Digest};
use crate::problem::Diagnostics;
use crate::wire::gateway::ServerTls as Wire;

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

/// Which certificates of clients are accepted.
pub(super) fn accepted(
    wire: &Wire,
    diagnostics: &mut Diagnostics<'_>,
    secrets: &Secrets,
    namespace: &str,
    roots: Roots,
) -> Accepted {
    // The lists stand beside the authorities.
    let listed = std::iter::once(&wire.ca_cert_credential_name)
        .chain([&wire.credential_name])
        .chain(&wire.credential_names)
        .find_map(|name| secrets.revoked(name, namespace));
    Accepted {
        roots,
        names: wire
            .subject_alt_names
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        revoked: Revoked::new(&wire.ca_crl, listed),
        keys: digests::of_keys(&wire.verify_certificate_spki, diagnostics),
        certificates: digests::of_certificates(&wire.verify_certificate_hash, diagnostics),
    }
}

/// The authorities of `caCertCredentialName`. Without them no handshake succeeds, as clients cannot be verified.
pub(super) fn authorities(
    name: &str,
    diagnostics: &mut Diagnostics<'_>,
    secrets: &Secrets,
    namespace: &str,
) -> Option<Roots> {
    let roots = secrets.roots(name, namespace);
    if roots.is_none() {
        diagnostics.warn(
            "caCertCredentialName",
            name,
            "no Secret of this name with ca.crt was loaded; every handshake is refused until it is there",
        );
    }
    roots.map(Roots::Pem)
}
