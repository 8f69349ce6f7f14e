//! Revoked certificates.

use std::sync::Arc;

use egret_config::model::tls::Revoked;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::{Error, RootCertStore};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use crate::tls::crypto::provider;
use crate::tls::files::{Files, Unusable};
use crate::tls::verify::message::{Part, invalid_certificate, quoted_name, utc};

/// Certificate revocation lists.
#[derive(Clone, Debug)]
pub(in crate::tls) struct Revocation {
    lists: Arc<[CertRevocationList<'static>]>,
    /// A description of their source.
    name: Arc<str>,
}

/// The certificates that a peer sends.
#[derive(Clone, Copy, Debug)]
pub(in crate::tls::verify) struct Chain<'c> {
    /// Its own.
    pub(in crate::tls::verify) end_entity: &'c CertificateDer<'c>,
    /// Those of the authorities between it and a root.
    pub(in crate::tls::verify) intermediates: &'c [CertificateDer<'c>],
}

impl Revocation {
    /// Reads the lists of a policy, at least one.
    pub(in crate::tls) fn read(revoked: &Revoked, files: &Files) -> Result<Self, Unusable> {
        let (pem, name) = match revoked {
            Revoked::File(path) => (files.get(path)?, format!("`{path}`")),
            Revoked::Pem(pem) => (pem.as_bytes(), "the secret's revocation lists".into()),
        };
        let mut lists = Vec::new();
        for der in CertificateRevocationListDer::pem_slice_iter(pem) {
            let der = der.map_err(|error| Unusable::new(format!("{name} is not PEM: {error}")))?;
            let list = OwnedCertRevocationList::from_der(&der)
                .map_err(|error| Unusable::new(format!("{name} holds no usable list: {error}")))?;
            lists.push(list.into());
        }
        if lists.is_empty() {
            return Err(Unusable::new(format!(
                "{name} holds no list of certificates taken back"
            )));
        }
        Ok(Self {
            lists: lists.into(),
            name: name.into(),
        })
    }

    /// As in OpenSSL and Envoy: no certificate of the chain may be listed, each authority of the chain must have
    /// a list, and a list must be younger than its own next update.
    pub(in crate::tls::verify) fn check(
        &self,
        Chain {
            end_entity,
            intermediates,
        }: Chain<'_>,
        roots: &RootCertStore,
        usage: KeyUsage,
        now: UnixTime,
    ) -> Result<(), Error> {
        let refused = |error: webpki::Error| self.detailed(&error, end_entity);
        let lists: Vec<_> = self.lists.iter().collect();
        let options = RevocationOptionsBuilder::new(&lists)
            .map_err(|_| invalid_certificate("there is no list of certificates taken back".into()))?
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build();
        EndEntityCert::try_from(end_entity)
            .map_err(refused)?
            .verify_for_usage(
                provider().signature_verification_algorithms.all,
                &roots.roots,
                intermediates,
                now,
                usage,
                Some(options),
                None,
            )
            .map(drop)
            .map_err(refused)
    }

    fn detailed(&self, error: &webpki::Error, end_entity: &CertificateDer<'_>) -> Error {
        let name = &self.name;
        invalid_certificate(match error {
            webpki::Error::CertRevoked => format!(
                "the certificate of {}, or one it is signed with, was taken back by its authority ({name})",
                quoted_name(end_entity, Part::Subject)
            ),
            webpki::Error::UnknownRevocationStatus => format!(
                "{name} has no list of an authority that the certificate of {} is signed with",
                quoted_name(end_entity, Part::Subject)
            ),
            webpki::Error::CrlExpired { next_update, .. } => format!(
                "{name} is too old to go by: its authority was to renew it by {}",
                utc(*next_update)
            ),
            error => format!(
                "{name} does not state whether the certificate of {} is revoked: {error}",
                quoted_name(end_entity, Part::Subject)
            ),
        })
    }
}
