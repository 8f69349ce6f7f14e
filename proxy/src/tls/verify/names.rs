//! The names that a certificate must have.

use std::sync::Arc;

use rustls::Error;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;

use crate::tls::verify::message::invalid_certificate;

/// Which names a server's certificate must have.
#[derive(Clone, Debug)]
pub(in crate::tls) enum Names {
    /// The name that is connected to.
    Connected,
    /// One of these.
    OneOf(Arc<[Arc<str>]>),
    /// Any name: only the chain is verified.
    Any,
}

/// `subjectAltNames`: a DNS name or address that the certificate is valid for (its wildcards count), or exactly one of
/// its names, URIs such as SPIFFE identities included.
pub(in crate::tls::verify) fn has_one_of(
    end_entity: &CertificateDer<'_>,
    names: &[Arc<str>],
) -> Result<(), Error> {
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
pub(in crate::tls::verify) fn presented(end_entity: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(end_entity) else {
        return vec![];
    };
    certificate
        .valid_dns_names()
        .chain(certificate.valid_uri_names())
        .map(str::to_owned)
        .collect()
}

pub(in crate::tls::verify) fn mismatch(
    expected: &[&str],
    end_entity: &CertificateDer<'_>,
) -> Error {
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
    invalid_certificate(format!(
        "the certificate is for {}, expected {}",
        list(&presented),
        list(expected)
    ))
}
