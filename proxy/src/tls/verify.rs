//! Whom we trust: the chain as usual, and on top of it the names that the policy asks for.

mod distinguished;

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use egret_config::model::tls::Roots;

use crate::tls::files::Files;
use crate::tls::files::Unusable;
use crate::tls::files::authorities;
use crate::tls::provider;

/// Authorities, and what to call them in words.
#[derive(Clone, Debug)]
pub(in crate::tls) struct Trusted {
    pub(in crate::tls) store: Arc<RootCertStore>,
    /// The certificates that the policy itself lists; none for the system's, which are authorities and nothing else.
    listed: Arc<[CertificateDer<'static>]>,
    pub(in crate::tls) name: Arc<str>,
}

impl Trusted {
    /// What a verification that failed with `error` comes to.
    ///
    /// A certificate that the policy lists is trusted as itself, as OpenSSL and so Envoy have it: `openssl req -x509`
    /// makes such certificates, marked as authorities, and servers show them. webpki refuses an authority at the end of
    /// a chain, but only once it has found it valid now and for this use, so nothing is left unchecked.
    fn judge(&self, end_entity: &CertificateDer<'_>, error: Error) -> Result<(), Error> {
        if is_about_issuer(&error) && self.listed.iter().any(|listed| listed == end_entity) {
            return Ok(());
        }
        Err(said(error, &self.name, end_entity))
    }
}

/// Whether it is the place in the chain that a certificate was refused for.
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

/// The operating system's authorities, read once when first asked for.
#[derive(Debug, Default)]
pub(in crate::tls) struct SystemRoots(OnceLock<Result<Trusted, Unusable>>);

impl SystemRoots {
    fn get(&self) -> Result<Trusted, Unusable> {
        self.0.get_or_init(read_system_roots).clone()
    }
}

fn read_system_roots() -> Result<Trusted, Unusable> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "reading the system's certificate authorities");
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
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

/// Which names a server's certificate must have.
#[derive(Clone, Debug)]
pub(in crate::tls) enum Names {
    /// The name that is connected to.
    Connected,
    /// One of these.
    OneOf(Arc<[Arc<str>]>),
    /// Any: the chain is all there is to go by.
    Any,
}

/// Verifies servers.
#[derive(Debug)]
pub(in crate::tls) struct ServerVerifier {
    /// `None` trusts everybody (`insecureSkipVerify`).
    trusted: Option<Trusted>,
    names: Names,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    pub(in crate::tls) fn new(trusted: Option<Trusted>, names: Names) -> Self {
        Self {
            trusted,
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

/// Verifies clients of a gateway: as usual, and that they have one of the names.
#[derive(Debug)]
pub(in crate::tls) struct ClientVerifier {
    pub(in crate::tls) usual: Arc<dyn ClientCertVerifier>,
    pub(in crate::tls) trusted: Trusted,
    /// None: any.
    pub(in crate::tls) names: Arc<[Arc<str>]>,
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

/// `subjectAltNames`: a DNS name or address that the certificate is valid for (its wildcards count), or exactly one of
/// its names, URIs such as SPIFFE identities included.
fn has_one_of(end_entity: &CertificateDer<'_>, names: &[Arc<str>]) -> Result<(), Error> {
    let certificate = ParsedCertificate::try_from(end_entity)?;
    let presented = presented(end_entity);
    let fits = |name: &Arc<str>| {
        presented.iter().any(|presented| **presented == **name)
            || ServerName::try_from(&**name)
                .is_ok_and(|name| verify_server_name(&certificate, &name).is_ok())
    };
    if names.iter().any(fits) {
        return Ok(());
    }
    let names: Vec<_> = names.iter().map(|name| &**name).collect();
    Err(mismatch(&names, end_entity))
}

/// The DNS names and URIs of a certificate.
fn presented(end_entity: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(end_entity) else {
        return vec![];
    };
    certificate
        .valid_dns_names()
        .chain(certificate.valid_uri_names())
        .map(str::to_owned)
        .collect()
}

fn mismatch(expected: &[&str], end_entity: &CertificateDer<'_>) -> Error {
    let list = |names: &[&str]| match names {
        [] => "no name".to_owned(),
        names => names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
    };
    let presented = presented(end_entity);
    let presented: Vec<_> = presented.iter().map(String::as_str).collect();
    words(format!(
        "the certificate is for {}, expected {}",
        list(&presented),
        list(expected)
    ))
}

/// Says what an operator can act on where rustls's own words do not: what was expected, and what came.
fn said(error: Error, trusted: &str, end_entity: &CertificateDer<'_>) -> Error {
    let Error::InvalidCertificate(fault) = &error else {
        return error;
    };
    match fault {
        // An authority made anew under its old name has another key, so its old signatures look bad and not unknown.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => words(format!(
            "the certificate of {} is not signed by a trusted authority ({trusted}) but by {}",
            whole(end_entity, Part::Subject),
            whole(end_entity, Part::Issuer),
        )),
        CertificateError::ExpiredContext { time, not_after } => words(format!(
            "the certificate of {} expired at {}, and it is {}",
            whole(end_entity, Part::Subject),
            at(*not_after),
            at(*time)
        )),
        CertificateError::NotValidYetContext { time, not_before } => words(format!(
            "the certificate of {} is valid from {}, and it is {}",
            whole(end_entity, Part::Subject),
            at(*not_before),
            at(*time)
        )),
        CertificateError::Other(other)
            if matches!(
                other.0.downcast_ref(),
                Some(webpki::Error::CaUsedAsEndEntity)
            ) =>
        {
            words(format!(
                "the certificate of {} is an authority's, and not one of those trusted ({trusted})",
                whole(end_entity, Part::Subject)
            ))
        }
        _ => error,
    }
}

/// A time in UTC, as `2026-01-31T12:00:00Z`.
fn at(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("{seconds} s"), |time| time.to_string())
}

enum Part {
    Subject,
    Issuer,
}

/// A distinguished name of a certificate: what people read in it.
fn whole(certificate: &CertificateDer<'_>, part: Part) -> String {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
        return "nobody".into();
    };
    let name = match part {
        Part::Subject => certificate.subject(),
        Part::Issuer => certificate.issuer(),
    };
    let said = distinguished::readable(name);
    if said.is_empty() {
        "an empty name".into()
    } else {
        format!("`{said}`")
    }
}

/// A failed verification told in our words.
#[derive(Debug)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Told {}

fn words(words: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Told(words)))))
}

/// What a failed handshake says about itself, in one line without the layers it came through.
pub(in crate::tls) fn reason(error: &std::io::Error) -> String {
    let Some(inner) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    else {
        return match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                "the connection was closed during the TLS handshake".into()
            }
            _ => error.to_string(),
        };
    };
    match inner {
        Error::InvalidCertificate(CertificateError::Other(other)) => other.to_string(),
        Error::InvalidMessage(_) => format!("the peer does not speak TLS: {inner}"),
        Error::AlertReceived(alert) => format!("the peer refused the TLS handshake: {alert:?}"),
        inner => inner.to_string(),
    }
}
