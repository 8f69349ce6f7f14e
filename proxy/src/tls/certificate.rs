//! The fields of a certificate for an admin page (RFC 5280, 4.1).

use std::net::IpAddr;

use der::asn1::ObjectIdentifier;
use der::{AnyRef, Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// `id-ce-subjectAltName`.
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// The fields of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The serial number, in hexadecimal digits.
    pub serial_number: String,
    /// Its subject alternative names.
    pub subject_alt_names: Vec<AltName>,
    /// The start of its validity.
    pub valid_from: Timestamp,
    /// The end of its validity.
    pub expiration_time: Timestamp,
}

/// A name that a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AltName {
    /// A DNS name.
    Dns(String),
    /// A URI.
    Uri(String),
    /// An address.
    Ip(IpAddr),
}

/// The certificates of a PEM text, up to the first that cannot be read.
pub fn certificates(pem: &[u8]) -> Vec<CertificateFacts> {
    CertificateDer::pem_slice_iter(pem)
        .map_while(Result::ok)
        .map_while(|certificate| facts(&certificate))
        .collect()
}

/// The fields of a certificate in DER; `None` where it cannot be parsed.
fn facts(certificate: &[u8]) -> Option<CertificateFacts> {
    let certificate = AnyRef::from_der(certificate).ok()?;
    let to_be_signed = elements(certificate.value()).next()?;
    let mut fields = elements(to_be_signed.value()).peekable();
    // The version, which certificates of version 1 do not have.
    fields.next_if(|field| field.tag() == context(0));
    let serial_number = hexadecimal(fields.next()?.value());
    let mut fields = fields.skip(2);
    let validity = fields.next()?;
    let mut times = elements(validity.value()).map(|element| time(element));
    let extensions = fields.find(|field| field.tag() == context(3));
    Some(CertificateFacts {
        serial_number,
        subject_alt_names: extensions.map_or_else(Vec::new, alt_names),
        valid_from: times.next()??,
        expiration_time: times.next()??,
    })
}

fn context(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    }
}

/// Consecutive elements, up to the first that cannot be parsed.
fn elements(bytes: &[u8]) -> impl Iterator<Item = AnyRef<'_>> {
    let mut reader = SliceReader::new(bytes).ok();
    std::iter::from_fn(move || {
        let reader = reader.as_mut()?;
        match reader.is_finished() {
            true => None,
            false => AnyRef::decode(reader).ok(),
        }
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    let start = bytes.iter().position(|byte| *byte != 0);
    let bytes = &bytes[start.unwrap_or(bytes.len())..];
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A UTCTime or a GeneralizedTime (RFC 5280, 4.1.2.5).
fn time(element: AnyRef<'_>) -> Option<Timestamp> {
    let text = std::str::from_utf8(element.value()).ok()?;
    let digits = text.strip_suffix('Z')?;
    let full = match element.tag() {
        Tag::UtcTime => {
            let year: u8 = digits.get(..2)?.parse().ok()?;
            let century = if year < 50 { "20" } else { "19" };
            format!("{century}{digits}")
        }
        Tag::GeneralizedTime => digits.to_owned(),
        _ => return None,
    };
    let date = DateTime::strptime("%Y%m%d%H%M%S", full).ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The names of a `subjectAltName` extension.
fn alt_names(extensions: AnyRef<'_>) -> Vec<AltName> {
    let list = elements(extensions.value()).next();
    let extensions = list.into_iter().flat_map(|list| elements(list.value()));
    let names = extensions.filter_map(|extension| {
        let mut fields = elements(extension.value());
        let identifier = ObjectIdentifier::from_bytes(fields.next()?.value()).ok()?;
        let is_names = identifier == SUBJECT_ALT_NAME;
        // The octet string is last, after an optional `critical` flag.
        fields.last().filter(|_| is_names)
    });
    names
        .filter_map(|octets| AnyRef::from_der(octets.value()).ok())
        .flat_map(|names| elements(names.value()))
        .filter_map(alt_name)
        .collect()
}

fn alt_name(name: AnyRef<'_>) -> Option<AltName> {
    let Tag::ContextSpecific { number, .. } = name.tag() else {
        return None;
    };
    let value = name.value();
    let text = || String::from_utf8_lossy(value).into_owned();
    match number.0 {
        2 => Some(AltName::Dns(text())),
        6 => Some(AltName::Uri(text())),
        7 => match *value {
            [a, b, c, d] => Some(AltName::Ip([a, b, c, d].into())),
            _ => Some(AltName::Ip(<[u8; 16]>::try_from(value).ok()?.into())),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, KeyPair, SanType, SerialNumber, date_time_ymd};

    use super::*;

    #[test]
    fn serial_number_names_and_times_are_read() {
        let mut params = CertificateParams::new(["a.example".to_owned()]).expect("names");
        let uri = Ia5String::try_from("spiffe://cluster.local/ns/a/sa/b").expect("URI");
        params.subject_alt_names.push(SanType::URI(uri));
        for ip in ["192.0.2.1", "2001:db8::1"] {
            params
                .subject_alt_names
                .push(SanType::IpAddress(ip.parse().expect("address")));
        }
        params.serial_number = Some(SerialNumber::from(vec![0x0a, 0xbc, 0x01]));
        params.not_before = date_time_ymd(2026, 1, 2);
        params.not_after = date_time_ymd(2051, 3, 4);
        let key = KeyPair::generate().expect("key");
        let pem = params.self_signed(&key).expect("certificate").pem();
        let both = format!("{pem}{}", key.serialize_pem());
        let expected = CertificateFacts {
            serial_number: "0abc01".to_owned(),
            subject_alt_names: vec![
                AltName::Dns("a.example".to_owned()),
                AltName::Uri("spiffe://cluster.local/ns/a/sa/b".to_owned()),
                AltName::Ip("192.0.2.1".parse().expect("address")),
                AltName::Ip("2001:db8::1".parse().expect("address")),
            ],
            valid_from: "2026-01-02T00:00:00Z".parse().expect("time"),
            expiration_time: "2051-03-04T00:00:00Z".parse().expect("time"),
        };
        assert_eq!(certificates(both.as_bytes()), [expected]);
    }

    #[test]
    fn malformed_certificates_are_left_out() {
        for pem in [
            "",
            "text",
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(certificates(pem.as_bytes()), [], "{pem}");
        }
    }
}
