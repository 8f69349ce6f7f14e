//! A certificate authority of the test's own, and what it signs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A certificate with its key, as PEM texts.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    serial: SerialNumber,
}

/// The years, from the first of January each, in which a certificate is valid.
pub type Years = std::ops::Range<i32>;

/// Years that this one is among.
pub const NOW: Years = 2000..2100;

impl Pair {
    /// What `openssl req -x509` makes: signed by its own key, and marked as an authority.
    ///
    /// # Errors
    /// When a name is none, or the key cannot be made.
    pub fn self_signed(names: &[&str]) -> anyhow::Result<Self> {
        let mut params = leaf(names, NOW)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        Ok(Self {
            certificate: params.self_signed(&key)?.pem(),
            key: key.serialize_pem(),
            serial: SerialNumber::from(1),
        })
    }

    /// Settings of a TLS server that shows it; HTTP/1.1 by ALPN. With the PEM of an authority, clients must show a
    /// certificate that it signed.
    ///
    /// # Errors
    /// When the texts are not what they should be.
    pub fn server(&self, client_authority: Option<&str>) -> anyhow::Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let builder = match client_authority {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(pem.as_bytes())?)?;
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build()?)
            }
        };
        let mut config = builder.with_single_cert(
            vec![CertificateDer::from_pem_slice(self.certificate.as_bytes())?],
            PrivateKeyDer::from_pem_slice(self.key.as_bytes())?,
        )?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Signs the origins' certificates. Hosts trust exactly one of these.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// Makes an authority with a fresh key.
    ///
    /// # Errors
    /// When the key or the certificate cannot be made.
    pub fn new(common_name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            pem,
        })
    }

    /// The authority's own certificate, as a CA bundle holds it.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A TLS server's settings with a certificate for `names`; HTTP/1.1 by ALPN.
    ///
    /// # Errors
    /// When a name is none, or the key cannot be made.
    pub fn server(&self, names: &[&str]) -> anyhow::Result<Arc<ServerConfig>> {
        self.pair(names, NOW)?.server(None)
    }

    /// A certificate for `names`, of which those with a scheme are URIs, valid in `years`.
    ///
    /// # Errors
    /// When a name is none, or the key cannot be made.
    pub fn pair(&self, names: &[&str], years: Years) -> anyhow::Result<Pair> {
        let mut params = leaf(names, years)?;
        params.use_authority_key_identifier_extension = true;
        static LAST: AtomicU64 = AtomicU64::new(1);
        let serial = SerialNumber::from(LAST.fetch_add(1, Ordering::Relaxed) + 1);
        params.serial_number = Some(serial.clone());
        let key = KeyPair::generate()?;
        Ok(Pair {
            certificate: params.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
            serial,
        })
    }

    /// A list of certificates that this authority took back, valid in `years`, as PEM.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn revoked(&self, pairs: &[&Pair], years: Years) -> anyhow::Result<String> {
        let start = rcgen::date_time_ymd(years.start, 1, 1);
        let revoked = pairs.iter().map(|pair| RevokedCertParams {
            serial_number: pair.serial.clone(),
            revocation_time: start,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: start,
            next_update: rcgen::date_time_ymd(years.end, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.pem()?)
    }
}

fn leaf(names: &[&str], years: Years) -> anyhow::Result<CertificateParams> {
    let first = *names.first().context("a name is needed")?;
    let (uris, names): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.contains("://"));
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let mut params = CertificateParams::new(names)?;
    for uri in uris {
        params.subject_alt_names.push(SanType::URI(uri.try_into()?));
    }
    params.distinguished_name.push(DnType::CommonName, first);
    params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
    Ok(params)
}
