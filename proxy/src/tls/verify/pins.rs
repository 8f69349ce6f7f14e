//! Certificates and keys that are listed by their digests.

use egret_config::model::tls::Digest;
use rustls::Error;
use rustls::pki_types::CertificateDer;

use crate::tls::crypto::sha256;
use crate::tls::verify::message::{Part, invalid_certificate, quoted_name};

/// Digests of which a certificate must have one, of its own or of its key; none for any.
#[derive(Debug, Default)]
pub(in crate::tls) struct Pins {
    pub(in crate::tls) keys: Vec<Digest>,
    pub(in crate::tls) certificates: Vec<Digest>,
}

impl Pins {
    pub(in crate::tls::verify) fn check(
        &self,
        end_entity: &CertificateDer<'_>,
    ) -> Result<(), Error> {
        if self.keys.is_empty() && self.certificates.is_empty() {
            return Ok(());
        }
        let own = sha256(end_entity);
        let key = webpki::EndEntityCert::try_from(end_entity)
            .map(|certificate| sha256(&certificate.subject_public_key_info()));
        let is_listed =
            self.certificates.contains(&own) || key.is_ok_and(|key| self.keys.contains(&key));
        if is_listed {
            return Ok(());
        }
        let own: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
        Err(invalid_certificate(format!(
            "the certificate of {} (SHA-256 {own}) is none of those listed",
            quoted_name(end_entity, Part::Subject)
        )))
    }
}
