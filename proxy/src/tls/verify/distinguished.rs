//! Distinguished names of certificates as people read them.

/// Attributes that are shown, with the last byte of their identifier below 2.5.4.
const SHOWN: [(u8, &str); 3] = [(3, "CN"), (11, "OU"), (10, "O")];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const IDENTIFIER: u8 = 0x06;

/// The parts of a DER `Name`, without its outer header, that people know a certificate by: `CN=shop, O=Example`. Empty
/// when it has none of them, or is no name.
pub(super) fn readable(name: &[u8]) -> String {
    let mut found = Vec::new();
    let mut rest = name;
    while let Some((SET, set, after)) = element(rest) {
        rest = after;
        let mut rest = set;
        while let Some((SEQUENCE, pair, after)) = element(rest) {
            rest = after;
            if let Some((IDENTIFIER, &[0x55, 0x04, attribute], value)) = element(pair)
                && let Some((_, value, _)) = element(value)
                && let Some((_, label)) = SHOWN.iter().find(|(code, _)| *code == attribute)
            {
                let text: String = String::from_utf8_lossy(value)
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(64)
                    .collect();
                found.push(format!("{label}={text}"));
            }
        }
    }
    found.join(", ")
}

/// Attributes that OpenSSL names by a word, with their encoded identifiers.
const WORDS: [(&[u8], &str); 16] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "street"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 42], "GN"),
    (&[0x55, 4, 43], "initials"),
    (&[0x55, 4, 46], "dnQualifier"),
    (&[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1],
        "emailAddress",
    ),
];

/// A DER `Name`, without its outer header, as RFC 2253 writes it and OpenSSL prints it: the last part first, all ASCII.
pub(in crate::tls) fn rfc2253(name: &[u8]) -> String {
    let mut sets = Vec::new();
    let mut rest = name;
    while let Some((SET, set, after)) = element(rest) {
        rest = after;
        let mut pairs = Vec::new();
        let mut rest = set;
        while let Some((SEQUENCE, pair, after)) = element(rest) {
            rest = after;
            if let Some((IDENTIFIER, identifier, value)) = element(pair) {
                pairs.push(attribute(identifier, value));
            }
        }
        pairs.reverse();
        sets.push(pairs.join("+"));
    }
    sets.reverse();
    sets.join(",")
}

fn attribute(identifier: &[u8], value: &[u8]) -> String {
    let word = WORDS.iter().find(|(known, _)| *known == identifier);
    let text = element(value).and_then(|(tag, value, _)| text(tag, value));
    match (word, text) {
        (Some((_, word)), Some(text)) => format!("{word}={}", escaped(&text)),
        (word, _) => {
            let name = word.map_or_else(|| dotted(identifier), |(_, word)| (*word).to_owned());
            let value: String = value.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("{name}=#{value}")
        }
    }
}

/// The text of a DER string.
fn text(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        // UTF8String, NumericString, PrintableString, IA5String, VisibleString.
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a => String::from_utf8(value.to_vec()).ok(),
        // TeletexString, which is Latin 1 in practice.
        0x14 => Some(value.iter().copied().map(char::from).collect()),
        // BMPString.
        0x1e => {
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

/// An identifier as numbers, `1.2.840`.
fn dotted(identifier: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_u64;
    for byte in identifier {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first.to_string());
                number -= first * 40;
            }
            numbers.push(number.to_string());
            number = 0;
        }
    }
    numbers.join(".")
}

/// The first DER element: its tag, what is in it, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        // Longer than any name.
        _ => return None,
    };
    let (value, after) = rest.split_at_checked(length)?;
    Some((tag, value, after))
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
