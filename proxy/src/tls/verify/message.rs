//! The messages of failed verifications and handshakes.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, Error, OtherError};

use crate::tls::verify::distinguished;

/// Adds what was expected and what was received to the errors of rustls that lack it.
pub(in crate::tls::verify) fn detailed(
    error: Error,
    trusted: &str,
    end_entity: &CertificateDer<'_>,
) -> Error {
    let Error::InvalidCertificate(fault) = &error else {
        return error;
    };
    match fault {
        // An authority made anew under its old name has another key, so its old signatures look bad and not unknown.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            invalid_certificate(format!(
                "the certificate of {} is not signed by a trusted authority ({trusted}) but by {}",
                quoted_name(end_entity, Part::Subject),
                quoted_name(end_entity, Part::Issuer),
            ))
        }
        CertificateError::ExpiredContext { time, not_after } => invalid_certificate(format!(
            "the certificate of {} expired at {}, and it is {}",
            quoted_name(end_entity, Part::Subject),
            utc(*not_after),
            utc(*time)
        )),
        CertificateError::NotValidYetContext { time, not_before } => invalid_certificate(format!(
            "the certificate of {} is valid from {}, and it is {}",
            quoted_name(end_entity, Part::Subject),
            utc(*not_before),
            utc(*time)
        )),
        CertificateError::Other(other)
            if matches!(
                other.0.downcast_ref(),
                Some(webpki::Error::CaUsedAsEndEntity)
            ) =>
        {
            invalid_certificate(format!(
                "the certificate of {} is an authority's, and not one of those trusted ({trusted})",
                quoted_name(end_entity, Part::Subject)
            ))
        }
        _ => error,
    }
}

/// A time in UTC, as `2026-01-31T12:00:00Z`.
pub(in crate::tls::verify) fn utc(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("{seconds} s"), |time| time.to_string())
}

pub(in crate::tls::verify) enum Part {
    Subject,
    Issuer,
}

/// A distinguished name of a certificate, quoted for a message.
pub(in crate::tls::verify) fn quoted_name(certificate: &CertificateDer<'_>, part: Part) -> String {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
        return "nobody".into();
    };
    let name = match part {
        Part::Subject => certificate.subject(),
        Part::Issuer => certificate.issuer(),
    };
    let name = distinguished::readable(name);
    if name.is_empty() {
        "an empty name".into()
    } else {
        format!("`{name}`")
    }
}

/// A failed verification with this proxy's own message.
#[derive(Debug)]
struct VerificationError(String);

impl fmt::Display for VerificationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for VerificationError {}

pub(in crate::tls::verify) fn invalid_certificate(message: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(
        VerificationError(message),
    ))))
}

/// The reason of a failed handshake, in one line without the layers it came through.
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
