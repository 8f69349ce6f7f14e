//! The first bytes of a connection as a PROXY header: what is said of a part is not taken back when more comes, a header ends
//! within the bytes, and what follows it is not read as part of it.

use egret_proxy::sniff::proxy_header::{Header, parse};

/// Bytes after which no more ends are tried.
const ENDS_MAX: usize = 2_048;

pub(crate) fn check(bytes: &[u8]) {
    let whole = parse(bytes);
    for end in 0..bytes.len().min(ENDS_MAX) {
        let part = parse(&bytes[..end]);
        assert!(
            part == Header::More || part == whole,
            "{end}: {part:?}, then {whole:?}"
        );
    }
    if let Header::Whole(length, _) = whole {
        assert!(length <= bytes.len(), "{length}");
        assert_eq!(parse(&bytes[..length]), whole);
        assert_eq!(
            parse(&[&bytes[..length], b"GET / HTTP/1.1"].concat()),
            whole
        );
    }
}
