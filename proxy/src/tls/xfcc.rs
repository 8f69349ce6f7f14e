//! What a client's certificate says, in the words of `x-forwarded-client-cert`.

use http::HeaderValue;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::tls::crypto::sha256;
use crate::tls::verify::rfc2253;

/// One element of `x-forwarded-client-cert` as Istio's gateways have Envoy write it: who took the connection (`By`), and
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

/// A certificate as PEM, with what may not stand in a header percent-encoded.
fn pem(certificate: &[u8]) -> String {
    let mut text = String::with_capacity(certificate.len() * 3 / 2 + 80);
    text.push_str("-----BEGIN%20CERTIFICATE-----%0A");
    for line in certificate.chunks(48) {
        for three in line.chunks(3) {
            base64(three, &mut text);
        }
        text.push_str("%0A");
    }
    text.push_str("-----END%20CERTIFICATE-----%0A");
    text
}

/// Up to three bytes as four digits of base64, percent-encoded where they are not letters or numbers.
fn base64(three: &[u8], out: &mut String) {
    let at = |place: usize| u32::from(three.get(place).copied().unwrap_or_default());
    let bits = at(0) << 16 | at(1) << 8 | at(2);
    for place in 0..4 {
        if place > three.len() {
            out.push_str("%3D");
            continue;
        }
        match (bits >> (18 - 6 * place) & 0x3f) as u8 {
            digit @ 0..26 => out.push((b'A' + digit).into()),
            digit @ 26..52 => out.push((b'a' + digit - 26).into()),
            digit @ 52..62 => out.push((b'0' + digit - 52).into()),
            62 => out.push_str("%2B"),
            _ => out.push_str("%2F"),
        }
    }
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
