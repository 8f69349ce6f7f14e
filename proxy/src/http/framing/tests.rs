use super::*;

const PLAIN: &str = "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";

/// Feeds the same bytes whole and one by one; both must come out the same.
fn fed(bytes: &str) -> Framing {
    let mut whole = Framing::default();
    whole.feed(bytes.as_bytes());
    let mut single = Framing::default();
    for byte in bytes.as_bytes() {
        single.feed(std::slice::from_ref(byte));
    }
    assert_eq!(
        (whole.at, whole.heads, whole.flawed),
        (single.at, single.heads, single.flawed),
        "{:?}",
        &bytes[..bytes.len().min(200)]
    );
    whole
}

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: a.test\r\n{fields}\r\n{body}")
}

#[test]
fn requests_end_where_they_say() {
    for request in [
        PLAIN.to_owned(),
        "GET / HTTP/1.1\nhost: a.test\n\n".to_owned(),
        post("Content-Length: 4\r\n", "body"),
        post("content-length:  4 \t\r\n", "\r\n\r\n"),
        post("content-length: 0\r\n", ""),
        post("transfer-encoding: chunked\r\n", "4\r\nbody\r\n0\r\n\r\n"),
        post(
            "Transfer-Encoding: CHUNKED\r\n",
            "00A\r\n0123456789\r\n0\r\n\r\n",
        ),
        post(
            "transfer-encoding: chunked\r\n",
            "4;a=4444\r\nbody\r\n0;x\r\n\r\n",
        ),
        post(
            "transfer-encoding: chunked\r\n",
            "1 \r\n\n\r\n0\r\na: 1\r\nb: 2\r\n\r\n",
        ),
        post("x-content-length: 4\r\ncontent-lengthy: 4\r\n", ""),
    ] {
        let once = fed(&request);
        assert!(
            once.is_between() && once.heads() == 1,
            "{request:?}: {once:?}"
        );
        let twice = fed(&format!("{request}{PLAIN}"));
        assert!(
            twice.is_between() && twice.heads() == 2,
            "{request:?}: {twice:?}"
        );
        assert_eq!(twice.flawed, None, "{request:?}");
    }
}

#[test]
fn what_has_not_ended_is_not_between() {
    for (request, heads) in [
        ("G".to_owned(), 0),
        ("GET / HTTP/1.1\r\nhost: a.test\r\n".to_owned(), 0),
        (post("content-length: 5\r\n", "body"), 1),
        (post("transfer-encoding: chunked\r\n", ""), 1),
        (post("transfer-encoding: chunked\r\n", "4\r\nbody\r\n"), 1),
        (
            post("transfer-encoding: chunked\r\n", "4\r\nbody\r\n0\r\n"),
            1,
        ),
        (post("transfer-encoding: chunked\r\n", "0\r\na: 1\r\n"), 1),
    ] {
        let framing = fed(&request);
        assert!(!framing.is_between(), "{request:?}");
        assert_eq!(framing.is_in_body(), heads == 1, "{request:?}");
        assert_eq!(framing.heads(), heads, "{request:?}");
    }
    assert!(fed("\r\n\r\n").is_between());
    assert_eq!(fed(&format!("\r\n\r\n{PLAIN}")).heads(), 1);
}

#[test]
fn what_frames_twice_is_seen() {
    let chunked = "transfer-encoding: chunked\r\n";
    for (fields, flaw) in [
        (
            format!("content-length: 4\r\n{chunked}"),
            Flaw::LengthAndCoding,
        ),
        (
            format!("{chunked}Content-Length: 4\r\n"),
            Flaw::LengthAndCoding,
        ),
        (
            format!("{chunked}content-length: nonsense\r\n"),
            Flaw::LengthAndCoding,
        ),
        (
            "content-length: 4\r\ncontent-length: 4\r\n".into(),
            Flaw::Lengths,
        ),
        ("transfer-encoding: gzip\r\n".into(), Flaw::Coding),
        (
            "transfer-encoding: chunked, identity\r\n".into(),
            Flaw::Coding,
        ),
        ("transfer-encoding: xchunked\r\n".into(), Flaw::Coding),
        (
            format!("{chunked}transfer-encoding: identity\r\n"),
            Flaw::Coding,
        ),
    ] {
        assert_eq!(fed(&post(&fields, "")).flaw(1), Some(flaw), "{fields:?}");
        let second = fed(&format!("{PLAIN}{}", post(&fields, "")));
        assert_eq!((second.flaw(1), second.flaw(2)), (None, Some(flaw)));
    }
    for fields in [
        "",
        "content-length: 4\r\n",
        chunked,
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: \u{b}chunked\r\n",
    ] {
        assert_eq!(fed(&post(fields, "")).flaw(1), None, "{fields:?}");
    }
}

#[test]
fn a_flaw_inside_a_body_is_none() {
    let inner = post("content-length: 4\r\ncontent-length: 4\r\n", "body");
    let outer = post(&format!("content-length: {}\r\n", inner.len()), &inner);
    assert_eq!((fed(&outer).flawed, fed(&outer).heads()), (None, 1));
    let chunk = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    let outer = post("transfer-encoding: chunked\r\n", &chunk);
    assert_eq!((fed(&outer).flawed, fed(&outer).heads()), (None, 1));
}

#[test]
fn what_cannot_be_followed_is_never_between() {
    for request in [
        post(
            "transfer-encoding: chunked\r\n",
            &format!("1{}\r\n", "0".repeat(16)),
        ),
        post("transfer-encoding: gzip\r\n", PLAIN),
        "a".repeat(LINE_MAX + 1),
    ] {
        let framing = fed(&format!("{request}\r\n\r\n{PLAIN}"));
        assert_eq!(framing.at, At::Lost);
        assert!(!framing.is_between());
    }
    let mut upgraded = fed(PLAIN);
    upgraded.stop();
    upgraded.feed(PLAIN.as_bytes());
    assert_eq!((upgraded.is_between(), upgraded.heads()), (false, 1));
}
