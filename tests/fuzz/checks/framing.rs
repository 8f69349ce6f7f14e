//! Any bytes as the requests of an HTTP/1 connection: where requests begin and end, and what is wrong with them, does not
//! depend on how the bytes come; and requests that are beyond doubt end where they end.

use egret_proxy::http::framing::Flaw;
use egret_proxy::http::framing::Framing;

/// Bytes after which no more ends are looked at.
const ENDS_MAX: usize = 4_096;

/// What is said of what has come.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    between: bool,
    in_body: bool,
    heads: u64,
    flawed: Option<(u64, Flaw)>,
}

pub(crate) fn check(bytes: &[u8]) {
    let said = every_way(bytes);
    agrees_with_grammar(bytes, &said);
}

/// What is said after each byte; the same whether bytes come one by one, all at once, or in pieces whose lengths the
/// bytes themselves choose.
fn every_way(bytes: &[u8]) -> Vec<Said> {
    let mut single = Framing::default();
    let mut said = vec![tell(&single)];
    for byte in bytes.iter().take(ENDS_MAX) {
        single.feed(std::slice::from_ref(byte));
        said.push(tell(&single));
    }
    let bytes = &bytes[..bytes.len().min(ENDS_MAX)];
    let mut pieces = Framing::default();
    let mut at = 0;
    while at < bytes.len() {
        let length = 1 + usize::from(bytes[at]) % 23;
        let end = (at + length).min(bytes.len());
        pieces.feed(&bytes[at..end]);
        pieces.feed(&[]);
        at = end;
        assert_eq!(tell(&pieces), said[at], "in pieces, after {at} bytes");
        if at < 256 {
            let mut whole = Framing::default();
            whole.feed(&bytes[..at]);
            assert_eq!(tell(&whole), said[at], "at once, after {at} bytes");
        }
    }
    let mut whole = Framing::default();
    whole.feed(bytes);
    assert_eq!(tell(&whole), said[bytes.len()], "at once");
    said
}

fn tell(framing: &Framing) -> Said {
    let flawed = (1..=framing.heads().min(1 << 12))
        .find_map(|number| framing.flaw(number).map(|flaw| (number, flaw)));
    let said = Said {
        between: framing.is_between(),
        in_body: framing.is_in_body(),
        heads: framing.heads(),
        flawed,
    };
    assert!(!(said.between && said.in_body), "{said:?}");
    said
}

/// Reads requests of the strictest form (RFC 9112 with `\r\n` at every end, one field that frames at most, chunks without
/// extensions or trailers), and compares for as long as there is another one.
fn agrees_with_grammar(bytes: &[u8], said: &[Said]) {
    let mut from = 0;
    let mut count = 0;
    while let Some(head) = strict_head(&bytes[from..]) {
        let body = from + head.length;
        let Some(now) = said.get(body) else { return };
        count += 1;
        assert_eq!(
            (said[body - 1].heads, now.heads),
            (count - 1, count),
            "the head from {from} ends at {body}"
        );
        assert_eq!(now.flawed, None, "the head from {from}");
        let Some(end) = strict_body(&bytes[body..], head.framing).map(|length| body + length)
        else {
            return;
        };
        let Some(now) = said.get(end) else { return };
        assert!(
            now.between,
            "the request from {from} ends at {end}: {now:?}"
        );
        if end > body {
            let before = &said[end - 1];
            assert!(
                before.in_body,
                "the body from {body} ends at {end}: {before:?}"
            );
        }
        from = end;
    }
}

/// How long a body is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Bytes(usize),
    Chunks,
}

struct StrictHead {
    length: usize,
    framing: Body,
}

fn strict_head(bytes: &[u8]) -> Option<StrictHead> {
    let text = std::str::from_utf8(bytes.get(..position(bytes, b"\r\n\r\n")?)?).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if words.next().is_some()
        || method.is_empty()
        || !method.bytes().all(|byte| byte.is_ascii_uppercase())
        || !visible(target)
        || version != "HTTP/1.1"
    {
        return None;
    }
    let mut framing = None;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        if !value
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        {
            return None;
        }
        let value = value.trim_matches(' ');
        let said = match name.to_ascii_lowercase().as_str() {
            "content-length" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                Body::Bytes(value.parse().ok()?)
            }
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => Body::Chunks,
            "content-length" | "transfer-encoding" => return None,
            _ => continue,
        };
        if framing.replace(said).is_some() {
            return None;
        }
    }
    Some(StrictHead {
        length: text.len() + 4,
        framing: framing.unwrap_or(Body::Bytes(0)),
    })
}

/// The length of a body; `None` when it does not end here, or is not of the strictest form.
fn strict_body(bytes: &[u8], framing: Body) -> Option<usize> {
    if let Body::Bytes(length) = framing {
        return (length <= bytes.len()).then_some(length);
    }
    let mut at = 0;
    loop {
        let line = &bytes[at..];
        let digits = position(line, b"\r\n")?;
        let digits_text = std::str::from_utf8(&line[..digits]).ok()?;
        if digits == 0 || digits > 8 || !digits_text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let size = usize::from_str_radix(digits_text, 16).ok()?;
        at += digits + 2;
        if bytes.get(at + size..at + size + 2)? != b"\r\n" {
            return None;
        }
        at += size + 2;
        if size == 0 {
            return Some(at);
        }
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
