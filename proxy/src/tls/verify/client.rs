//! Verifies the certificates of a gateway's clients.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::KeyUsage;

use crate::tls::verify::names::has_one_of;
use crate::tls::verify::pins::Pins;
use crate::tls::verify::revocation::{Chain, Revocation};
use crate::tls::verify::trusted::Trusted;

/// Verifies clients of a gateway: as usual, and that they are among those that the policy accepts.
#[derive(Debug)]
pub(in crate::tls) struct ClientVerifier {
    pub(in crate::tls) usual: Arc<dyn ClientCertVerifier>,
    pub(in crate::tls) trusted: Trusted,
    pub(in crate::tls) revocation: Option<Revocation>,
    /// None: any.
    pub(in crate::tls) names: Arc<[Arc<str>]>,
    pub(in crate::tls) pins: Pins,
}

impl ClientCertVerifier for ClientVerifier {
    fn offer_client_auth(&self) -> bool {
        self.usual.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.usual.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.usual.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.usual
            .verify_client_cert(end_entity, intermediates, now)
            .map(drop)
            .or_else(|error| self.trusted.judge(end_entity, error))?;
        if let Some(revocation) = &self.revocation {
            let (roots, usage) = (&self.trusted.store, KeyUsage::client_auth());
            let chain = Chain {
                end_entity,
                intermediates,
            };
            revocation.check(chain, roots, usage, now)?;
        }
        self.pins.check(end_entity)?;
        if !self.names.is_empty() {
            has_one_of(end_entity, &self.names)?;
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
