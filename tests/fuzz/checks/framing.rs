//! Any bytes as the requests of an HTTP/1 connection: where requests begin and end, what is wrong with them, and what is
//! read of them, does not depend on how the bytes come; what is read is understood by itself in the same way; and requests
//! that are beyond doubt end where they end, whether their lines are folded or not.

use egret_proxy::http::framing::{Flaw, Framing};

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
    let (said, read) = every_way(bytes);
    agrees_with_itself(&read, said.last());
    agrees_with_grammar(bytes, &said);
    unfolds(bytes);
}

/// A connection, and what was read of it.
#[derive(Default)]
struct Connection {
    framing: Framing,
    read: Vec<u8>,
    held: &'static [u8],
}

impl Connection {
    fn feed(&mut self, piece: &[u8]) {
        let mut bytes = [self.held, piece].concat();
        let fed = self.framing.feed(&mut bytes);
        assert!(fed.held.len() <= bytes.len() - fed.length, "held and read");
        assert!(bytes.ends_with(fed.held), "held are other bytes than came");
        self.read.extend_from_slice(&bytes[..fed.length]);
        self.held = fed.held;
    }

    fn fed(bytes: &[u8]) -> Self {
        let mut whole = Self::default();
        whole.feed(bytes);
        whole
    }

    /// What is said, how much was read, and what is held.
    fn tell(&self) -> (Said, usize, &'static [u8]) {
        (tell(&self.framing), self.read.len(), self.held)
    }
}

/// What is said after each byte, and what is read of all; the same whether bytes come one by one, all at once, or in
/// pieces whose lengths the bytes themselves choose.
fn every_way(bytes: &[u8]) -> (Vec<Said>, Vec<u8>) {
    let bytes = &bytes[..bytes.len().min(ENDS_MAX)];
    let mut single = Connection::default();
    let mut told = vec![single.tell()];
    for byte in bytes {
        single.feed(std::slice::from_ref(byte));
        told.push(single.tell());
    }
    let mut pieces = Connection::default();
    let mut at = 0;
    while at < bytes.len() {
        let length = 1 + usize::from(bytes[at]) % 23;
        let end = (at + length).min(bytes.len());
        pieces.feed(&bytes[at..end]);
        pieces.feed(&[]);
        at = end;
        assert_eq!(pieces.tell(), told[at], "in pieces, after {at} bytes");
        assert!(single.read.starts_with(&pieces.read), "in pieces, read");
        if at < 256 {
            let whole = Connection::fed(&bytes[..at]);
            assert_eq!(whole.tell(), told[at], "at once, after {at} bytes");
            assert_eq!(whole.read, pieces.read, "at once, after {at} bytes");
        }
    }
    let whole = Connection::fed(bytes);
    assert_eq!(whole.tell(), told[bytes.len()], "at once");
    assert_eq!(whole.read, single.read, "at once");
    let said = told.into_iter().map(|(said, ..)| said).collect();
    (said, single.read)
}

/// What is read is left as it is when it comes again, and says the same.
fn agrees_with_itself(read: &[u8], said: Option<&Said>) {
    let again = Connection::fed(read);
    assert_eq!([&again.read, again.held].concat(), read, "read again");
    assert_eq!(Some(&tell(&again.framing)), said, "read again");
}

/// A request of the strictest form is read as it is when each space in its fields begins another line.
fn unfolds(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(ENDS_MAX)];
    let Some(head) = strict_head(bytes) else {
        return;
    };
    let plain = Connection::fed(bytes);
    if plain.framing.heads() != 1 {
        return;
    }
    let first = position(bytes, b"\r\n").map_or(0, |end| end + 2);
    let mut folded = bytes[..first].to_vec();
    for byte in &bytes[first..head.length] {
        if *byte == b' ' {
            folded.extend_from_slice(if folded.len().is_multiple_of(2) {
                b"\r\n"
            } else {
                b"\n"
            });
        }
        folded.push(*byte);
    }
    folded.extend_from_slice(&bytes[head.length..]);
    let folded = Connection::fed(&folded);
    assert_eq!(folded.read, plain.read, "folded");
    assert_eq!(tell(&folded.framing), tell(&plain.framing), "folded");
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
