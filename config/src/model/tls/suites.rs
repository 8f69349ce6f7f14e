//! Cipher suites of TLS 1.2: `cipherSuites`.

use crate::problem::Diagnostics;

/// The cipher suites of TLS 1.2 that egret supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CipherSuite {
    /// `ECDHE-ECDSA-AES128-GCM-SHA256`.
    EcdsaAes128,
    /// `ECDHE-ECDSA-AES256-GCM-SHA384`.
    EcdsaAes256,
    /// `ECDHE-ECDSA-CHACHA20-POLY1305`.
    EcdsaChaCha20,
    /// `ECDHE-RSA-AES128-GCM-SHA256`.
    RsaAes128,
    /// `ECDHE-RSA-AES256-GCM-SHA384`.
    RsaAes256,
    /// `ECDHE-RSA-CHACHA20-POLY1305`.
    RsaChaCha20,
}

/// OpenSSL's name, the name in IANA's registry, and what it means.
const SUPPORTED: [(&str, &str, CipherSuite); 6] = [
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::EcdsaAes128,
    ),
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        CipherSuite::EcdsaAes256,
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::EcdsaChaCha20,
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::RsaAes128,
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        CipherSuite::RsaAes256,
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::RsaChaCha20,
    ),
];

/// Istio's other suites, all of them without forward secrecy or with CBC.
const WEAK: [&str; 9] = [
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];

const OF_TLS13: [&str; 3] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

/// Reads names of suites in order. Empty is all of them; `None` means that names were given and none of them is
/// supported, which leaves TLS 1.3.
pub(super) fn parse(
    names: &[String],
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Vec<CipherSuite>> {
    let mut suites = Vec::new();
    let mut earlier = Vec::new();
    diagnostics.each("cipherSuites", names, |diagnostics, name| {
        if earlier.contains(&name) {
            diagnostics.warn("", name, ("listed twice", "leave one out"));
        }
        earlier.push(name);
        match element_suites(name) {
            Ok(named) => suites.extend(named),
            Err(reason) => diagnostics.warn("", name, reason),
        }
        Some(())
    });
    if !names.is_empty() && suites.is_empty() {
        diagnostics.warn(
            "cipherSuites",
            names.join(", "),
            "leaves no cipher suite of TLS 1.2, so only TLS 1.3 is used",
        );
        return None;
    }
    let mut kept = Vec::new();
    suites.retain(|suite| {
        let new = !kept.contains(suite);
        kept.push(*suite);
        new
    });
    Some(suites)
}

/// One element: a name, or several that the client chooses among, `[A|B]`.
fn element_suites(element: &str) -> Result<Vec<CipherSuite>, &'static str> {
    if element == "ALL" {
        return Ok(SUPPORTED.iter().map(|(_, _, suite)| *suite).collect());
    }
    let group = element
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let names = group.unwrap_or(element).split('|');
    names
        .map(|name| {
            let suite = SUPPORTED
                .iter()
                .find(|(openssl, iana, _)| [*openssl, *iana].contains(&name));
            match suite {
                Some((_, _, suite)) => Ok(*suite),
                None if WEAK.contains(&name) => Err("too weak to be supported: ignored"),
                None if OF_TLS13.contains(&name) => {
                    Err("a suite of TLS 1.3, which always has all three: passed over")
                }
                None => Err("no cipher suite has this name: ignored"),
            }
        })
        .collect()
}
