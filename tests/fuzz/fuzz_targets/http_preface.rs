//! The first bytes of a connection as HTTP: what is said of a part is not taken back when more comes.

#![no_main]

use egret_proxy::sniff::http_preface::Preface;
use egret_proxy::sniff::http_preface::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    for end in 0..bytes.len().min(2_048) {
        let part = parse(&bytes[..end]);
        assert!(
            matches!(part, Preface::More { .. }) || part == whole,
            "{end}: {part:?}, then {whole:?}"
        );
    }
});
