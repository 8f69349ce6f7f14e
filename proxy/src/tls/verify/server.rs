//! Verifies the certificates of servers.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use webpki::KeyUsage;

use crate::tls::crypto::provider;
use crate::tls::verify::names::{Names, has_one_of, mismatch};
use crate::tls::verify::revocation::{Chain, Revocation};
use crate::tls::verify::trusted::Trusted;

/// Verifies servers.
#[derive(Debug)]
pub(in crate::tls) struct ServerVerifier {
    /// `None` trusts every server (`insecureSkipVerify`).
    trusted: Option<Trusted>,
    revocation: Option<Revocation>,
    names: Names,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    pub(in crate::tls) fn new(
        trusted: Option<Trusted>,
        revocation: Option<Revocation>,
        names: Names,
    ) -> Self {
        Self {
            trusted,
            revocation,
            names,
            algorithms: provider().signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trusted) = &self.trusted else {
            return Ok(ServerCertVerified::assertion());
        };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &trusted.store,
            intermediates,
            now,
            self.algorithms.all,
        )
        .or_else(|error| trusted.judge(end_entity, error))?;
        if let Some(revocation) = &self.revocation {
            let usage = KeyUsage::server_auth();
            let chain = Chain {
                end_entity,
                intermediates,
            };
            revocation.check(chain, &trusted.store, usage, now)?;
        }
        match &self.names {
            Names::Any => {}
            Names::Connected => verify_server_name(&certificate, server_name)
                .map_err(|_| mismatch(&[server_name.to_str().as_ref()], end_entity))?,
            Names::OneOf(names) => has_one_of(end_entity, names)?,
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
