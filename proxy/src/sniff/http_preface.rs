//! Detects HTTP at the start of a connection. Pure: it is called again with all bytes when more are received.

/// The client's preface of HTTP/2 (RFC 9113, 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The length of the longest method.
const METHOD_MAX: usize = 64;

/// The result for the first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preface {
    /// A request line of HTTP/1.0 or 1.1, of any method; the codec checks whether it is valid.
    One,
    /// The preface of HTTP/2.
    Two,
    /// Not HTTP.
    Neither,
    /// More bytes are needed.
    More {
        /// A method and a space were received.
        method: bool,
    },
}

/// Parses the first bytes of a connection, all that were received so far.
pub fn parse(bytes: &[u8]) -> Preface {
    if bytes.starts_with(HTTP2) {
        return Preface::Two;
    }
    if HTTP2.starts_with(bytes) {
        return Preface::More { method: false };
    }
    let length = bytes
        .iter()
        .take(METHOD_MAX + 1)
        .take_while(|byte| is_token(**byte))
        .count();
    if length > METHOD_MAX || (length == 0 && !bytes.is_empty()) {
        return Preface::Neither;
    }
    let Some(after) = bytes.get(length..).filter(|after| !after.is_empty()) else {
        return Preface::More { method: false };
    };
    let Some(rest) = after.strip_prefix(b" ") else {
        return Preface::Neither;
    };
    match rest.iter().position(|byte| is_control(*byte)) {
        Some(end) if ends_with_version(&rest[..end]) && matches!(rest[end], b'\r' | b'\n') => {
            Preface::One
        }
        Some(_) => Preface::Neither,
        // An incomplete line may still be invalid.
        None => Preface::More { method: true },
    }
}

/// Whether these bytes begin with a known method and a space (RFC 9110, 9.3; RFC 5789), or with the start of HTTP/2's
/// preface.
pub fn is_begun(bytes: &[u8]) -> bool {
    METHODS.iter().any(|method| {
        let rest = bytes.strip_prefix(method.as_bytes());
        rest.is_some_and(|rest| rest.first() == Some(&b' '))
    })
}

/// The known methods, and the first token of HTTP/2's preface.
const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI",
];

/// `TARGET HTTP/1.x`, where the target may be malformed but is there.
fn ends_with_version(rest: &[u8]) -> bool {
    let Some((digit, before)) = rest.split_last() else {
        return false;
    };
    digit.is_ascii_digit() && before.ends_with(b" HTTP/1.")
}

/// `tchar` of RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer to all bytes, and that every shorter prefix waits for more.
    #[track_caller]
    fn check(bytes: &[u8], expected: Preface) {
        let decided = (0..=bytes.len())
            .map(|end| parse(&bytes[..end]))
            .find(|answer| !matches!(answer, Preface::More { .. }));
        assert_eq!(decided, Some(expected), "{}", bytes.escape_ascii());
        assert_eq!(parse(bytes), expected, "{}", bytes.escape_ascii());
    }

    #[test]
    fn request_lines_are_http() {
        for line in [
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r",
            "GET / HTTP/1.0\r\n",
            "FOO / HTTP/1.1\r\n",
            "get / HTTP/1.1\n",
            "OPTIONS * HTTP/1.1\r\n",
            "CONNECT example.com:443 HTTP/1.1\r\n",
            "GET http://example.com/a?b=c HTTP/1.1\r\n",
            "GET /with space HTTP/1.1\r\n",
            "PRI / HTTP/1.1\r\n",
            "VERSION-CONTROL /\u{e4} HTTP/1.1\r\n",
        ] {
            check(line.as_bytes(), Preface::One);
        }
    }

    #[test]
    fn the_preface_of_http2_needs_all_its_bytes() {
        check(HTTP2, Preface::Two);
        check(&[HTTP2, b"\0\0\x12\x04"].concat(), Preface::Two);
    }

    #[test]
    fn other_protocols_are_known_at_once() {
        for bytes in [
            &b"\r\nGET / HTTP/1.1\r\n"[..],
            b"GET /\r\n",
            b"GET / HTTP/2.0\r\n",
            b"GET / HTTP/1.1\0\r\n",
            b"GET / HTTP/1.12\r\n",
            b"GET /\0 HTTP/1.1\r\n",
            b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
            b"SSH-2.0-Go\r\n",
            b"*1\r\n$4\r\nPING\r\n",
            b"EHLO example.com\r\n",
            b"QUIT\r\n",
            b"\0\0\0\x08\x04\xd2\x16\x2f",
            b" GET / HTTP/1.1\r\n",
            b"PRI * HTTP/2.0\r\n\r\nXX",
        ] {
            check(bytes, Preface::Neither);
        }
        assert_eq!(parse(&[b'A'; METHOD_MAX + 1]), Preface::Neither);
    }

    #[test]
    fn a_method_and_a_space_are_the_start_of_http() {
        for (bytes, begun) in [
            ("", false),
            ("GET", false),
            ("GET ", true),
            ("OPTIONS *", true),
            ("PRI * HT", true),
            ("ruok", false),
            ("hello world", false),
            ("get /", false),
            ("GETS ", false),
        ] {
            assert_eq!(is_begun(bytes.as_bytes()), begun, "{bytes}");
        }
    }

    #[test]
    fn an_unfinished_line_waits() {
        for (bytes, method) in [
            ("", false),
            ("G", false),
            ("GET", false),
            ("GET ", true),
            ("GET / HTTP/1.", true),
            ("GET / HTTP/1.1", true),
            ("PRI * HT", false),
        ] {
            assert_eq!(parse(bytes.as_bytes()), Preface::More { method }, "{bytes}");
        }
    }
}
