//! Digests of certificates and of their keys, as a Gateway lists them.

use crate::problem::Diagnostics;
use crate::value::base64;

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Reads `verifyCertificateSpki`: base64.
pub(super) fn of_keys(texts: &[String], diagnostics: &mut Diagnostics<'_>) -> Vec<Digest> {
    let reason = "expected the SHA-256 of a public key in base64, 44 characters";
    each(
        texts,
        "verifyCertificateSpki",
        reason,
        diagnostics,
        base64::decode,
    )
}

/// Reads `verifyCertificateHash`: hexadecimal, with or without colons between the bytes.
pub(super) fn of_certificates(texts: &[String], diagnostics: &mut Diagnostics<'_>) -> Vec<Digest> {
    let reason = "expected the SHA-256 of a certificate in hexadecimal, with or without colons between the bytes";
    each(
        texts,
        "verifyCertificateHash",
        reason,
        diagnostics,
        hexadecimal,
    )
}

fn each(
    texts: &[String],
    field: &str,
    reason: &str,
    diagnostics: &mut Diagnostics<'_>,
    decode: fn(&str) -> Option<Vec<u8>>,
) -> Vec<Digest> {
    let mut digests = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        match decode(text).and_then(|bytes| Digest::try_from(bytes).ok()) {
            Some(digest) => digests.push(digest),
            None => diagnostics.error(&format!("{field}[{at}]"), text, reason),
        }
    }
    digests
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let spaced = text.len() == 32 * 3 - 1;
    let mut rest = text;
    let mut bytes = Vec::with_capacity(32);
    while !rest.is_empty() {
        if spaced && !bytes.is_empty() {
            rest = rest.strip_prefix(':')?;
        }
        let (pair, after) = rest.split_at_checked(2)?;
        if !pair.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(pair, 16).ok()?);
        rest = after;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_with_and_without_colons() {
        let plain = "aB".repeat(32);
        let spaced = ["Ab"; 32].join(":");
        for text in [&plain, &spaced] {
            assert_eq!(hexadecimal(text), Some(vec![0xab; 32]), "{text}");
        }
        let odd = "abc".to_owned();
        let sign = "+a".repeat(32);
        let some = format!("{}:{}", "ab".repeat(16), "ab".repeat(16));
        let misplaced = format!("{}abc:", ["ab"; 30].join(":") + ":");
        for text in [odd, sign, some, misplaced, "ä".repeat(32)] {
            assert_eq!(hexadecimal(&text), None, "{text}");
        }
    }
}
