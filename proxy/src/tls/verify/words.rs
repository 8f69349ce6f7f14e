//! What failed verifications and handshakes say, in words that an operator can act on.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, Error, OtherError};

use crate::tls::verify::distinguished;

/// Says what an operator can act on where rustls's own words do not: what was expected, and what came.
pub(in crate::tls::verify) fn said(
    error: Error,
    trusted: &str,
    end_entity: &CertificateDer<'_>,
) -> Error {
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
pub(in crate::tls::verify) fn at(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("{seconds} s"), |time| time.to_string())
}

pub(in crate::tls::verify) enum Part {
    Subject,
    Issuer,
}

/// A distinguished name of a certificate: what people read in it.
pub(in crate::tls::verify) fn whole(certificate: &CertificateDer<'_>, part: Part) -> String {
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

pub(in crate::tls::verify) fn words(words: String) -> Error {
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
        Error::InvalidMessage(_) => format!("the peer does not use TLS: {inner}"),
        Error::AlertReceived(alert) => format!("the peer refused the TLS handshake: {alert:?}"),
        inner => inner.to_string(),
    }
}
