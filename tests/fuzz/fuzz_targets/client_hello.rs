//! The first bytes of a connection as a ClientHello: what is said of a part is not taken back when more comes.

#![no_main]

use egret_proxy::sniff::client_hello::Hello;
use egret_proxy::sniff::client_hello::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    for end in 0..bytes.len().min(2_048) {
        let part = parse(&bytes[..end]);
        assert!(
            part == Hello::More || part == whole,
            "{end}: {part:?}, then {whole:?}"
        );
    }
});
