//! Where one HTTP/1 request ends and the next begins, in the bytes that a client sends, and what the framing of one says
//! that hyper would mend in silence: a length said twice, or beside a transfer coding. Who reads such a request in
//! another way than we do sees another request in it (request smuggling), so it is refused.
//!
//! Only lines that frame are looked at, and bodies are skipped. Hyper reads the same bytes with a stricter eye: what it
//! refuses by itself need not be understood here.

use memchr::memchr;

/// Bytes of a line that is not complete, as far as they are kept. Hyper refuses longer heads.
const LINE_MAX: usize = 64 << 10;

/// What is wrong with a request's framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A length and a transfer coding.
    LengthAndCoding,
    /// More than one length, if equal ones.
    Lengths,
    /// A last coding that is not `chunked`, so that the body has no end.
    Coding,
}

/// Follows the bytes of one connection.
#[derive(Debug, Default)]
pub struct Framing {
    at: At,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    head: Head,
    /// Heads that came whole.
    heads: u64,
    /// The first of them that has a flaw, by its number from 1.
    flawed: Option<(u64, Flaw)>,
}

/// What the next byte is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Nothing yet: no request has begun.
    #[default]
    Between,
    Head,
    /// A body with this much left of it.
    Body(u64),
    /// The line of a chunk's size, of which this was read; `Some` until its digits end.
    Size(u64, bool),
    /// A chunk with this much left of it.
    Chunk(u64),
    /// The end of line after a chunk.
    ChunkEnd,
    /// A trailer, or the empty line behind the last one; whether this line had a byte.
    Trailer(bool),
    /// What cannot be followed.
    Lost,
}

/// What the head so far says of the body.
#[derive(Debug, Default)]
struct Head {
    length: Option<u64>,
    coded: bool,
    chunked: bool,
    flaw: Option<Flaw>,
}

impl Framing {
    /// Whether everything so far belongs to whole requests.
    pub fn is_between(&self) -> bool {
        self.at == At::Between
    }

    /// Whether a body has begun and not ended.
    pub fn is_in_body(&self) -> bool {
        !matches!(self.at, At::Between | At::Head | At::Lost)
    }

    /// Requests whose heads came whole.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// What is wrong with the request of this number, from 1. Only of the first that is flawed: none is served after it.
    pub fn flaw(&self, number: u64) -> Option<Flaw> {
        self.flawed
            .and_then(|(flawed, flaw)| (flawed == number).then_some(flaw))
    }

    /// What follows is not HTTP.
    pub fn stop(&mut self) {
        self.at = At::Lost;
        self.line = Vec::new();
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.at {
                At::Between | At::Head => self.head_line(bytes),
                At::Body(left) => {
                    let (rest, left) = skip(bytes, left);
                    self.at = if left == 0 {
                        At::Between
                    } else {
                        At::Body(left)
                    };
                    rest
                }
                At::Size(size, in_digits) => self.size(bytes, size, in_digits),
                At::Chunk(left) => {
                    let (rest, left) = skip(bytes, left);
                    self.at = if left == 0 {
                        At::ChunkEnd
                    } else {
                        At::Chunk(left)
                    };
                    rest
                }
                At::ChunkEnd => match memchr(b'\n', bytes) {
                    Some(end) => {
                        self.at = At::Size(0, true);
                        &bytes[end + 1..]
                    }
                    None => &[],
                },
                At::Trailer(begun) => self.trailer(bytes, begun),
                At::Lost => &[],
            };
        }
    }

    /// Takes one line of a head, or what there is of it.
    fn head_line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let end = memchr(b'\n', bytes);
        let (part, rest) = match end {
            Some(end) => (&bytes[..end], &bytes[end + 1..]),
            None => (bytes, &[][..]),
        };
        if self.line.len() + part.len() > LINE_MAX {
            self.stop();
        } else if end.is_none() {
            self.line.extend_from_slice(part);
            // Empty lines before a request do not begin one.
            if self.line != b"\r" {
                self.at = At::Head;
            }
        } else if self.line.is_empty() {
            self.line_came(part);
        } else {
            let mut whole = std::mem::take(&mut self.line);
            whole.extend_from_slice(part);
            self.line_came(&whole);
        }
        rest
    }

    fn line_came(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line.first(), self.at) {
            (None, At::Between) => {}
            (None, _) => self.head_came(),
            // The request line names neither; a target may begin as a field does, but is not at the line's beginning.
            (Some(b'c' | b'C'), _) => {
                if let Some(value) = value_of(line, b"content-length") {
                    self.head.length(value);
                }
                self.at = At::Head;
            }
            (Some(b't' | b'T'), _) => {
                if let Some(value) = value_of(line, b"transfer-encoding") {
                    self.head.coding(value);
                }
                self.at = At::Head;
            }
            (Some(_), _) => self.at = At::Head,
        }
    }

    fn head_came(&mut self) {
        self.heads += 1;
        let head = std::mem::take(&mut self.head);
        if let (Some(flaw), None) = (head.flaw(), self.flawed) {
            self.flawed = Some((self.heads, flaw));
        }
        self.at = match head.length {
            _ if head.chunked => At::Size(0, true),
            _ if head.coded => At::Lost,
            Some(1..) => At::Body(head.length.unwrap_or_default()),
            Some(0) | None => At::Between,
        };
    }

    fn size<'b>(&mut self, bytes: &'b [u8], mut size: u64, mut in_digits: bool) -> &'b [u8] {
        for (at, byte) in bytes.iter().enumerate() {
            match char::from(*byte).to_digit(16) {
                Some(digit) if in_digits => match size.checked_mul(16) {
                    Some(shifted) => size = shifted | u64::from(digit),
                    None => {
                        self.stop();
                        return &[];
                    }
                },
                _ => in_digits = false,
            }
            if *byte == b'\n' {
                self.at = if size == 0 {
                    At::Trailer(false)
                } else {
                    At::Chunk(size)
                };
                return &bytes[at + 1..];
            }
        }
        self.at = At::Size(size, in_digits);
        &[]
    }

    fn trailer<'b>(&mut self, bytes: &'b [u8], mut begun: bool) -> &'b [u8] {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if !begun => {
                    self.at = At::Between;
                    return &bytes[at + 1..];
                }
                b'\n' => begun = false,
                b'\r' => {}
                _ => begun = true,
            }
        }
        self.at = At::Trailer(begun);
        &[]
    }
}

impl Head {
    fn length(&mut self, value: &[u8]) {
        if self.length.is_some() {
            self.flaw.get_or_insert(Flaw::Lengths);
        }
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = digits
            .then(|| std::str::from_utf8(value).ok()?.parse().ok())
            .flatten();
        // What is no length is refused by hyper.
        self.length = Some(length.unwrap_or(u64::MAX));
    }

    fn coding(&mut self, value: &[u8]) {
        // Refused by hyper, whatever it says.
        if value
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
        {
            return;
        }
        let last = value.rsplit(|byte| *byte == b',').next().unwrap_or(value);
        self.coded = true;
        self.chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
    }

    fn flaw(&self) -> Option<Flaw> {
        match (self.length, self.coded) {
            (Some(_), true) => Some(Flaw::LengthAndCoding),
            (None, true) if !self.chunked => Some(Flaw::Coding),
            _ => self.flaw,
        }
    }
}

/// The value of a line, if it is of the field with this name.
fn value_of<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (own, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    own.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// What comes after the next `left` bytes, and what is left of those.
fn skip(bytes: &[u8], left: u64) -> (&[u8], u64) {
    let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    (&bytes[here..], left - here as u64)
}

#[cfg(test)]
mod tests;
