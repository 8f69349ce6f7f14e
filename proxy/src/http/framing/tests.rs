use super::*;

const PLAIN: &str = "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";

/// Feeds bytes in these pieces, those held before each of them first: what is to be read, what is held at the end.
fn feed<'b>(
    framing: &mut Framing,
    pieces: impl Iterator<Item = &'b [u8]>,
) -> (Vec<u8>, &'static [u8]) {
    let (mut read, mut held) = (Vec::new(), &b""[..]);
    for piece in pieces {
        let mut bytes = [held, piece].concat();
        let fed = framing.feed(&mut bytes);
        read.extend_from_slice(&bytes[..fed.length]);
        held = fed.held;
    }
    (read, held)
}

/// What hyper reads of these bytes, which is the same whole, one by one, and cut in two anywhere.
fn read(bytes: &str) -> (Framing, String) {
    let mut whole = Framing::default();
    let (read, held) = feed(&mut whole, std::iter::once(bytes.as_bytes()));
    let other = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut framing = Framing::default();
        let fed = feed(&mut framing, pieces);
        let shown = &bytes[..bytes.len().min(200)];
        assert_eq!(fed, (read.clone(), held), "{shown:?}");
        assert_eq!(
            (framing.at, framing.heads, framing.flawed),
            (whole.at, whole.heads, whole.flawed),
            "{shown:?}"
        );
    };
    other(&mut bytes.as_bytes().chunks(1));
    for at in 1..bytes.len().min(400) {
        let (one, two) = bytes.as_bytes().split_at(at);
        other(&mut [one, two].into_iter());
    }
    (whole, String::from_utf8(read).expect("utf-8"))
}

/// Feeds bytes that are read as they are.
fn fed(bytes: &str) -> Framing {
    let (framing, read) = read(bytes);
    assert!(bytes.starts_with(&read) && read.len() + 2 >= bytes.len());
    framing
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
fn what_is_not_in_chunks_stays_a_body() {
    let chunked = |body: &str| post("transfer-encoding: chunked\r\n", body);
    for request in [
        chunked(&format!("1{}\r\n", "0".repeat(16))),
        chunked("+4\r\nbody\r\n0\r\n"),
        chunked("4\r\nbodyX\r\n0\r\n"),
    ] {
        let framing = fed(&format!("{request}\r\n\r\n{PLAIN}"));
        assert_eq!((framing.is_in_body(), framing.heads()), (true, 1));
    }
}

#[test]
fn what_cannot_be_followed_is_never_between() {
    for request in [
        post("transfer-encoding: gzip\r\n", PLAIN),
        "a".repeat(LINE_MAX + 1),
    ] {
        let framing = fed(&format!("{request}\r\n\r\n{PLAIN}"));
        assert_eq!(framing.at, At::Lost);
        assert!(!framing.is_between());
    }
    let mut upgraded = fed(PLAIN);
    upgraded.stop();
    upgraded.feed(&mut PLAIN.as_bytes().to_vec());
    assert_eq!((upgraded.is_between(), upgraded.heads()), (false, 1));
}

#[test]
fn lines_that_go_on_are_joined() {
    let chunked = post("transfer-encoding: chunked\r\n", "");
    for (bytes, expected) in [
        (post("x: 1\r\n 2\r\n", ""), post("x: 1 2\r\n", "")),
        (post("x: 1\n\t2\n", ""), post("x: 1\t2\n", "")),
        (
            post("x:\r\n  1\r\ny: 2\r\n", ""),
            post("x:  1\r\ny: 2\r\n", ""),
        ),
        // Of nothing, alone and among others; it is no end of the head.
        (post("x: 1\r\n \r\n", ""), post("x: 1 \r\n", "")),
        (
            post("x: 1\r\n\t\r\n \r\n 2\r\n", ""),
            post("x: 1\t  2\r\n", ""),
        ),
        (
            post("x: 1\n \r\n 2\ny: 3\r\n 4\r\n", ""),
            post("x: 1  2\ny: 3 4\r\n", ""),
        ),
        // What frames is what is joined.
        (
            post("content-length:\r\n 4\r\n", "body"),
            post("content-length: 4\r\n", "body"),
        ),
        (
            post("content-length\n :\n 4\n", ""),
            post("content-length : 4\n", ""),
        ),
        (
            post(
                "transfer-encoding:\r\n\tchunked\r\n",
                "1\r\n\n\r\n0\r\n\r\n",
            ),
            post("transfer-encoding:\tchunked\r\n", "1\r\n\n\r\n0\r\n\r\n"),
        ),
        (
            post("x: y\r\n transfer-encoding: chunked\r\n", ""),
            post("x: y transfer-encoding: chunked\r\n", ""),
        ),
        // Trailers.
        (
            format!("{chunked}0\r\nx: 1\r\n 2\r\n\r\n"),
            format!("{chunked}0\r\nx: 1 2\r\n\r\n"),
        ),
        (
            format!("{chunked}0\r\nx: 1\r\n\t\r\n 2\r\ny: 3\r\n\r\n"),
            format!("{chunked}0\r\nx: 1\t 2\r\ny: 3\r\n\r\n"),
        ),
    ] {
        let (once, mended) = read(&bytes);
        assert_eq!(mended, expected);
        assert!(
            once.is_between() && once.heads() == 1,
            "{bytes:?}: {once:?}"
        );
        let (twice, mended) = read(&format!("{bytes}{bytes}"));
        assert_eq!(mended, format!("{expected}{expected}"));
        assert!(twice.is_between() && twice.heads() == 2, "{bytes:?}");
    }
}

#[test]
fn what_is_no_line_of_a_field_is_not_joined() {
    for bytes in [
        // Nothing that it could go on from.
        "GET / HTTP/1.1\r\n x: 1\r\n\r\n".to_owned(),
        "GET /\r\n HTTP/1.1\r\nx: 1\r\n\r\n".to_owned(),
        "\r\n GET / HTTP/1.1\r\nx: 1\r\n\r\n".to_owned(),
        format!("{PLAIN} {PLAIN}"),
        // Bodies are left alone.
        post("content-length: 9\r\n", "a: 1\r\n 2\r"),
        post(
            "transfer-encoding: chunked\r\n",
            "9\r\na: 1\r\n 2\r\r\n0\r\n\r\n",
        ),
        post("transfer-encoding: chunked\r\n", "1\r\n \r\n 0\r\n\r\n"),
        post("transfer-encoding: chunked\r\n", "0\r\n x: 1\r\n\r\n"),
        // Nor what may be another protocol.
        "CONNECT a.test:80 HTTP/1.1\r\nhost: a.test\r\n\r\na\r\nb\r\n c\r".to_owned(),
        post("Upgrade: websocket\r\n", "a\r\nb\r\n c\r\n d\r\n"),
        post(
            "upgrade: x\r\ntransfer-encoding: chunked\r\n",
            "0\r\na: 1\r\n b\nc\r\n\r\na\r\nb\r\n c\r",
        ),
    ] {
        assert_eq!(read(&bytes).1, bytes);
    }
}

#[test]
fn the_end_of_a_line_is_held_until_it_is_known_to_be_one() {
    let head = "GET / HTTP/1.1\r\nx: 1";
    let trailer = post("transfer-encoding: chunked\r\n", "0\r\nx: 1");
    for (lines, end, held) in [
        (head, "", ""),
        (head, "\r", "\r"),
        (head, "\n", "\n"),
        (head, "\r\n", "\r\n"),
        (head, "\r\n\r", "\r"),
        (head, "\r\n\r\n", ""),
        (head, "\n\n", ""),
        (&trailer, "\r", "\r"),
        (&trailer, "\r\n", "\r\n"),
        (&trailer, "\r\n\r", "\r"),
        (&trailer, "\r\n\r\n", ""),
        ("GET / HTTP/1.1", "\r", ""),
        ("GET / HTTP/1.1", "\r\n", ""),
        ("", "\r\n", ""),
    ] {
        let bytes = format!("{lines}{end}");
        assert_eq!(read(&bytes).1 + held, bytes);
    }
}

#[test]
fn a_line_feed_alone_is_spoiled_in_trailers() {
    let chunked = |trailers: &str| post("transfer-encoding: chunked\r\n", trailers);
    for (bytes, expected) in [
        ("0\r\nx: 1\ny: 2\r\n\r\n", "0\r\nx: 1\0y: 2\r\n\r\n"),
        ("0\r\n\n\r\n\r\n", "0\r\n\0\r\n\r\n"),
        ("0\r\nx: 1\n 2\r\n 3\r\n\r\n", "0\r\nx: 1\0 2 3\r\n\r\n"),
    ] {
        let (framing, read) = read(&chunked(bytes));
        assert_eq!(read, chunked(expected));
        assert!(framing.is_between());
    }
}

#[test]
fn joined_lines_frame_twice_as_others_do() {
    let chunked = "transfer-encoding:\r\n chunked\r\n";
    for (fields, flaw) in [
        (
            format!("content-length:\n 4\r\n{chunked}"),
            Flaw::LengthAndCoding,
        ),
        (
            "content-length:\r\n 4\r\ncontent-length:\r\n\t4\r\n".into(),
            Flaw::Lengths,
        ),
        (
            "transfer-encoding: chunked\r\n , identity\r\n".into(),
            Flaw::Coding,
        ),
        ("transfer-encoding: chunked\r\n x\r\n".into(), Flaw::Coding),
    ] {
        assert_eq!(read(&post(&fields, "")).0.flaw(1), Some(flaw), "{fields:?}");
    }
    assert_eq!(read(&post(chunked, "")).0.flaw(1), None);
}

#[test]
fn odd_characters_of_targets_are_replaced_and_come_back_escaped() {
    for (target, shown, restored) in [
        ("/a\"<b>`", "/a__b__", "/a%22%3Cb%3E%60"),
        ("/a?q={\"b\":1}", "/a?q={_b_:1}", "/a?q={%22b%22:1}"),
        ("/\"#\"", "/_#_", "/%22"),
        ("/_?_", "/_?_", "/_?_"),
    ] {
        let line = |target: &str| format!("G`T {target} HTTP/1.1\r\n");
        let rest = "x: \"<>`\r\ncontent-length: 3\r\n\r\n\"<>";
        let (mut framing, read) = read(&format!("{PLAIN}{}{rest}{PLAIN}", line(target)));
        assert_eq!(read, format!("{PLAIN}{}{rest}{PLAIN}", line(shown)));
        assert_eq!(framing.take_odd(1), []);
        let uri = shown.parse().expect("a target");
        let found = target::restored(&uri, &framing.take_odd(2)).expect("short");
        assert_eq!(found.to_string(), restored, "{target}");
        assert_eq!(framing.take_odd(2), []);
    }
}

#[test]
fn only_paths_are_changed_and_only_in_the_request_line() {
    for same in [
        "GET http://a.test/\" HTTP/1.1\r\n\r\n",
        "\"` / HTTP/1.1\"\r\n\r\n",
        "GET / \"/\"\r\n\r\n",
    ] {
        assert_eq!(read(same).1, same);
    }
    let upgraded = "GET / HTTP/1.1\r\nupgrade: x\r\n\r\nA /\" B\r\n";
    assert_eq!(read(upgraded).1, upgraded);
    let long = "\"".repeat(5000);
    let (framing, shown) = read(&format!("GET /{long} HTTP/1.1\r\n\r\n"));
    assert_eq!(shown.matches('_').count(), framing.odd.len());
    assert!(shown.contains('"'), "hyper refuses the rest");
}
