//! Curves of key exchanges: `ecdhCurves`.

use crate::problem::Diagnostics;

/// The supported key exchanges of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// `P-256`.
    P256,
    /// `P-384`.
    P384,
    /// `X25519`.
    X25519,
    /// `X25519MLKEM768`, which holds against quantum computers; TLS 1.3 only.
    X25519MlKem768,
}

/// Names of key exchanges, with the supported ones.
const KNOWN: [(&str, Option<Curve>); 7] = [
    ("P-256", Some(Curve::P256)),
    ("P-384", Some(Curve::P384)),
    ("X25519", Some(Curve::X25519)),
    ("X25519MLKEM768", Some(Curve::X25519MlKem768)),
    ("P-224", None),
    ("P-521", None),
    ("X25519Kyber768Draft00", None),
];

/// Reads names of curves, in order of preference. Empty is all of them. So is a list in which no name is
/// supported, which is reported.
pub(super) fn parse(names: &[String], diagnostics: &mut Diagnostics<'_>) -> Vec<Curve> {
    let mut curves = Vec::new();
    let mut earlier = Vec::new();
    diagnostics.each("ecdhCurves", names, |diagnostics, name| {
        if earlier.contains(&name) {
            diagnostics.warn("", name, ("listed twice", "leave one out"));
            return Some(());
        }
        earlier.push(name);
        match KNOWN.iter().find(|(known, _)| known == name) {
            Some((_, Some(curve))) => curves.push(*curve),
            Some((_, None)) => diagnostics.warn("", name, "not supported: ignored"),
            None => {
                let message = (
                    "no curve has this name: ignored",
                    "write one such as X25519 or P-256",
                );
                diagnostics.warn("", name, message);
            }
        }
        Some(())
    });
    if !names.is_empty() && curves.is_empty() {
        let message = (
            "none of these is supported, so the default ones are used",
            "write one such as X25519 or P-256",
        );
        diagnostics.warn("ecdhCurves", names.join(", "), message);
    }
    curves
}
