//! The first bytes of a connection as HTTP: what is said of a part is not taken back when more comes.

use egret_proxy::sniff::http_preface::{Preface, parse};

/// Bytes after which no more ends are tried.
const ENDS_MAX: usize = 2_048;

pub(crate) fn check(bytes: &[u8]) {
    let whole = parse(bytes);
    for end in 0..bytes.len().min(ENDS_MAX) {
        let part = parse(&bytes[..end]);
        assert!(
            matches!(part, Preface::More { .. }) || part == whole,
            "{end}: {part:?}, then {whole:?}"
        );
    }
}
