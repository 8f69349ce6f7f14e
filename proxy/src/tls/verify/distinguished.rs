//! Distinguished names of certificates as text.

use der::asn1::ObjectIdentifier;
use der::{AnyRef, Decode, Reader, SliceReader, Tag, Tagged};

/// An attribute of a name: its identifier, and its value as it is encoded.
type Attribute<'n> = (ObjectIdentifier, &'n [u8]);

/// OpenSSL's short names of attributes.
const SHORT_NAMES: [(ObjectIdentifier, &str); 16] = [
    (oid("2.5.4.3"), "CN"),
    (oid("2.5.4.4"), "SN"),
    (oid("2.5.4.5"), "serialNumber"),
    (oid("2.5.4.6"), "C"),
    (oid("2.5.4.7"), "L"),
    (oid("2.5.4.8"), "ST"),
    (oid("2.5.4.9"), "street"),
    (oid("2.5.4.10"), "O"),
    (oid("2.5.4.11"), "OU"),
    (oid("2.5.4.12"), "title"),
    (oid("2.5.4.42"), "GN"),
    (oid("2.5.4.43"), "initials"),
    (oid("2.5.4.46"), "dnQualifier"),
    (oid("0.9.2342.19200300.100.1.25"), "DC"),
    (oid("0.9.2342.19200300.100.1.1"), "UID"),
    (oid("1.2.840.113549.1.9.1"), "emailAddress"),
];

/// The attributes that messages include.
const READABLE: [&str; 3] = ["CN", "OU", "O"];

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// The parts of a DER `Name`, without its outer header, that messages include: `CN=shop, O=Example`. Empty
/// when it has none of them, or is no name.
pub(super) fn readable(name: &[u8]) -> String {
    let mut parts = Vec::new();
    for (identifier, value) in sets(name).into_iter().flatten() {
        if let Some(short) = short_name(identifier)
            && READABLE.contains(&short)
            && let Ok(value) = AnyRef::from_der(value)
        {
            let text: String = String::from_utf8_lossy(value.value())
                .chars()
                .filter(|c| !c.is_control())
                .take(64)
                .collect();
            parts.push(format!("{short}={text}"));
        }
    }
    parts.join(", ")
}

/// A DER `Name`, without its outer header, as RFC 2253 writes it and OpenSSL prints it: the last part first, all ASCII.
pub(in crate::tls) fn rfc2253(name: &[u8]) -> String {
    let sets = sets(name).into_iter().rev().map(|set| {
        let attributes = set.into_iter().rev();
        let texts: Vec<_> = attributes.map(attribute).collect();
        texts.join("+")
    });
    sets.collect::<Vec<_>>().join(",")
}

/// The attributes of a name, one set for each part, up to the first element that is not DER.
fn sets(name: &[u8]) -> Vec<Vec<Attribute<'_>>> {
    elements(name, Tag::Set)
        .map(|set| {
            let pairs = elements(set, Tag::Sequence);
            pairs.filter_map(pair).collect()
        })
        .collect()
}

/// The contents of consecutive elements with this tag.
fn elements(bytes: &[u8], tag: Tag) -> impl Iterator<Item = &[u8]> {
    let mut reader = SliceReader::new(bytes).ok();
    std::iter::from_fn(move || {
        let element = AnyRef::decode(reader.as_mut()?).ok()?;
        (element.tag() == tag).then(|| element.value())
    })
}

/// The identifier and the value in a pair.
fn pair(bytes: &[u8]) -> Option<Attribute<'_>> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let identifier = ObjectIdentifier::decode(&mut reader).ok()?;
    Some((identifier, reader.tlv_bytes().ok()?))
}

fn short_name(identifier: ObjectIdentifier) -> Option<&'static str> {
    let (_, short) = SHORT_NAMES.iter().find(|(known, _)| *known == identifier)?;
    Some(short)
}

fn attribute((identifier, value): Attribute<'_>) -> String {
    let short = short_name(identifier);
    match (short, AnyRef::from_der(value).ok().and_then(text)) {
        (Some(short), Some(text)) => format!("{short}={}", escaped(&text)),
        (short, _) => {
            let name = short.map_or_else(|| identifier.to_string(), str::to_owned);
            let value: String = value.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("{name}=#{value}")
        }
    }
}

/// The text of a DER string.
fn text(string: AnyRef<'_>) -> Option<String> {
    let value = string.value();
    match string.tag() {
        Tag::Utf8String
        | Tag::NumericString
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::VisibleString => String::from_utf8(value.to_vec()).ok(),
        // Latin 1 in practice.
        Tag::TeletexString => Some(value.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let units = value
                .chunks_exact(2)
                .map(|two| u16::from_be_bytes([two[0], two[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => out.extend(['\\', byte.into()]),
            b'#' if at == 0 => out.push_str("\\#"),
            b' ' if at == 0 || at == last => out.push_str("\\ "),
            0x20..=0x7e => out.push(byte.into()),
            _ => out.push_str(&format!("\\{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_nonsense_is_not() {
        let name = [
            &[0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 6, 0x13, 2][..],
            b"DE",
            &[0x31, 13, 0x30, 11, 6, 3, 0x55, 4, 3, 0x0c, 4],
            b"shop",
            &[0x31, 12, 0x30, 10, 6, 3, 0x55, 4, 10, 0x0c, 3],
            b"E\nx",
        ]
        .concat();
        assert_eq!(readable(&name), "CN=shop, O=Ex");
        for cut in 0..name.len() {
            assert!(!readable(&name[..cut]).contains("O="), "{cut}");
        }
        assert_eq!(readable(&[0x31, 0x84, 0xff, 0xff, 0xff, 0xff]), "");
    }

    #[test]
    fn names_are_written_as_openssl_prints_them() {
        let one = |identifier: &[u8], tag: u8, text: &[u8]| {
            let identifier = [&[6, identifier.len() as u8], identifier].concat();
            let value = [&[tag, text.len() as u8], text].concat();
            let pair = [identifier, value].concat();
            let pair = [&[0x30, pair.len() as u8][..], &pair].concat();
            [&[0x31, pair.len() as u8][..], &pair].concat()
        };
        let cn = [0x55, 4, 3];
        for (name, printed) in [
            (
                [
                    one(&[0x55, 4, 6], 0x13, b"DE"),
                    one(&cn, 0x0c, b"a, \"b\" + c"),
                ]
                .concat(),
                r#"CN=a\, \"b\" \+ c,C=DE"#,
            ),
            (one(&cn, 0x0c, "#\u{e9} ".as_bytes()), r"CN=\#\C3\A9\ "),
            (one(&cn, 0x1e, &[0, b'h', 0, b'i']), "CN=hi"),
            (one(&cn, 0x0c, b"x\r\ny"), r"CN=x\0D\0Ay"),
            (one(&cn, 0x04, b"x"), "CN=#040178"),
            (one(&[0x2a, 3, 4], 0x0c, b"x"), "1.2.3.4=#0C0178"),
            (vec![], ""),
        ] {
            assert_eq!(rfc2253(&name), printed);
            for cut in 0..name.len() {
                rfc2253(&name[..cut]);
            }
        }
    }
}
