//! A client's certificate in the format of `x-forwarded-client-cert`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;
use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::tls::crypto::sha256;
use crate::tls::verify::rfc2253;

/// One element of `x-forwarded-client-cert` as Istio's gateways configure it: the local certificate's URI (`By`), and
/// the certificate's digest, whole text, subject, URIs and DNS names. `None` when a certificate is not one.
pub(in crate::tls) fn element(
    own: Option<&CertificateDer<'_>>,
    client: &CertificateDer<'_>,
) -> Option<HeaderValue> {
    let read = EndEntityCert::try_from(client).ok()?;
    let mut parts = Vec::new();
    if let Some(own) = own.and_then(|own| EndEntityCert::try_from(own).ok()) {
        parts.extend(own.valid_uri_names().map(|uri| format!("By={uri}")));
    }
    let digest: String = sha256(client)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    parts.push(format!("Hash={digest}"));
    parts.push(format!("Cert=\"{}\"", pem(client)));
    parts.push(format!("Subject=\"{}\"", rfc2253(read.subject())));
    let before = parts.len();
    parts.extend(read.valid_uri_names().map(|uri| format!("URI={uri}")));
    if parts.len() == before {
        parts.push("URI=".into());
    }
    parts.extend(read.valid_dns_names().map(|name| format!("DNS={name}")));
    HeaderValue::try_from(parts.join(";")).ok()
}

/// Characters that are escaped in a quoted part of the header.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'+').add(b'/').add(b'=');

/// Bytes of a certificate in one line of PEM.
const LINE: usize = 48;

/// A certificate as PEM, percent-encoded where a header requires it.
fn pem(certificate: &[u8]) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in certificate.chunks(LINE) {
        STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    utf8_percent_encode(&text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_written_as_pem_fit_for_a_header() {
        for (bytes, middle) in [
            (&b"a"[..], "YQ%3D%3D%0A"),
            (b"ab", "YWI%3D%0A"),
            (b"abc", "YWJj%0A"),
            (&[0xfb, 0xff, 0xbf], "%2B%2F%2B%2F%0A"),
            (&[0; 49], &format!("{}%0AAA%3D%3D%0A", "A".repeat(64))),
        ] {
            assert_eq!(
                pem(bytes),
                format!("-----BEGIN%20CERTIFICATE-----%0A{middle}-----END%20CERTIFICATE-----%0A")
            );
        }
    }
}
