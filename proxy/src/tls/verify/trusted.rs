//! Authorities: the system's, or those of a policy.

use std::sync::{Arc, OnceLock};

use egret_config::model::tls::Roots;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error, OtherError, RootCertStore};

use crate::tls::files::{Files, Unusable, authorities};
use crate::tls::verify::message::detailed;

/// Authorities, and their description in messages.
#[derive(Clone, Debug)]
pub(in crate::tls) struct Trusted {
    pub(in crate::tls) store: Arc<RootCertStore>,
    /// The certificates that the policy itself lists; none for the system's, which are authorities and nothing else.
    listed: Arc<[CertificateDer<'static>]>,
    pub(in crate::tls) name: Arc<str>,
}

impl Trusted {
    /// The result of a verification that failed with `error`.
    ///
    /// A certificate that the policy lists is trusted as itself, as in OpenSSL and Envoy: `openssl req -x509`
    /// makes such certificates, marked as authorities, and servers send them. webpki refuses an authority at the end of
    /// a chain, but only after the checks of its validity and its use, so no check is skipped.
    pub(in crate::tls::verify) fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        error: Error,
    ) -> Result<(), Error> {
        if is_about_issuer(&error) && self.listed.iter().any(|listed| listed == end_entity) {
            return Ok(());
        }
        Err(detailed(error, &self.name, end_entity))
    }
}

/// Whether a certificate was refused for its position in the chain.
fn is_about_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => matches!(
            other.downcast_ref::<webpki::Error>(),
            Some(webpki::Error::CaUsedAsEndEntity)
        ),
        _ => false,
    }
}

/// The operating system's authorities, read once, on first use.
#[derive(Debug, Default)]
pub(in crate::tls) struct SystemRoots(OnceLock<Result<Trusted, Unusable>>);

impl SystemRoots {
    fn get(&self) -> Result<Trusted, Unusable> {
        self.0.get_or_init(read_system_roots).clone()
    }
}

fn read_system_roots() -> Result<Trusted, Unusable> {
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::warn!(%error, "reading the system's certificate authorities");
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(loaded.certs);
    if store.is_empty() {
        return Err(Unusable::new(
            "the system has no certificate authorities: install ca-certificates, set SSL_CERT_FILE, or name a file in \
             `caCertificates`",
        ));
    }
    Ok(Trusted {
        store: Arc::new(store),
        listed: [].into(),
        name: "the system's".into(),
    })
}

/// The authorities of a policy.
pub(in crate::tls) fn trusted(
    roots: &Roots,
    files: &Files,
    system: &SystemRoots,
) -> Result<Trusted, Unusable> {
    let Some((certificates, name)) = authorities(roots, files)? else {
        return system.get();
    };
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store
            .add(certificate.clone())
            .map_err(|error| Unusable::new(format!("{name} holds no usable authority: {error}")))?;
    }
    Ok(Trusted {
        store: Arc::new(store),
        listed: certificates.into(),
        name: name.into(),
    })
}
