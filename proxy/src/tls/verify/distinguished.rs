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
}
