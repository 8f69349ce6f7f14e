//! Where one HTTP/1 request ends and the next begins, in the bytes that a client sends, and what the framing of one says
//! that hyper would mend in silence: a length said twice, or beside a transfer coding. Who reads such a request in
//! another way than we do sees another request in it (request smuggling), so it is refused.
//!
//! Fields that go on in a second line are joined on the way (obs-fold: RFC 9112, 5.2), which hyper refuses in requests:
//! what hyper reads and what is judged here are the same bytes.
//!
//! Only lines that frame are looked at, and bodies are skipped. Hyper reads the same bytes with a stricter eye: what it
//! refuses by itself need not be understood here.

mod head;
mod sizes;
mod step;
pub mod target;
mod trailers;

use std::borrow::Cow;

use memchr::memchr;

use crate::codec::chunks::{ChunkReader, Part};
use crate::http::framing::head::{Body, Head};
use crate::http::framing::sizes::Sizes;
use crate::http::framing::step::{Step, skip};
use crate::http::framing::target::Odd;
use crate::http::framing::trailers::Trailers;

pub use crate::http::framing::head::Flaw;
pub use crate::http::framing::sizes::RequestSize;

/// Bytes of a line that is not complete, as far as they are kept. Hyper refuses longer heads.
const LINE_MAX: usize = 64 << 10;

/// Follows the bytes of one connection.
#[derive(Debug, Default)]
pub struct Framing {
    at: At,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    head: Head,
    /// Heads that came whole.
    heads: u64,
    sizes: Sizes,
    /// The first of them that has a flaw, by its number from 1.
    flawed: Option<(u64, Flaw)>,
    /// What hyper does not get to see of targets that came.
    odd: Vec<Odd>,
    /// What comes may not be HTTP, and is left as it is. A client need not wait for the word that it may upgrade.
    untouched: bool,
}

/// What became of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// How many bytes, from the beginning, are to be read now.
    pub length: usize,
    /// What is to come again in front of the next bytes: the end of a line, as long as it may be none.
    pub held: &'static [u8],
}

/// What the next byte is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Nothing yet: no request has begun.
    #[default]
    Between,
    /// The first line of a head.
    RequestLine,
    /// A line of a field, or the empty one behind the last.
    Field,
    /// A body with this much left of it.
    Body(u64),
    /// A body in chunks; also what should be one and is not, which hyper refuses.
    Chunks(ChunkReader),
    /// The trailers of such a body.
    Trailers(Trailers),
    /// What cannot be followed.
    Lost,
}

impl Framing {
    /// Whether everything so far belongs to whole requests.
    pub fn is_between(&self) -> bool {
        self.at == At::Between
    }

    /// Whether a body has begun and not ended.
    pub fn is_in_body(&self) -> bool {
        !matches!(
            self.at,
            At::Between | At::RequestLine | At::Field | At::Lost
        )
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

    /// What was replaced in the target of the request of this number, from 1. Those before it are served.
    pub fn take_odd(&mut self, number: u64) -> Vec<Odd> {
        if self.odd.is_empty() {
            return Vec::new();
        }
        let later = self.odd.partition_point(|odd| odd.request <= number);
        let mut odd: Vec<_> = self.odd.drain(..later).collect();
        odd.retain(|odd| odd.request == number);
        odd
    }

    /// The bytes of the request of this number, from 1, so far. Those of earlier ones are let go with
    /// [`Framing::forget_before`].
    pub fn size(&self, number: u64) -> RequestSize {
        let between = matches!(self.at, At::Between | At::RequestLine | At::Field);
        self.sizes.of(number, self.heads + u64::from(between))
    }

    /// The sizes of requests before the one of this number are no longer asked for.
    pub fn forget_before(&mut self, number: u64) {
        self.sizes.forget_before(number);
    }

    /// What follows is not HTTP.
    pub fn stop(&mut self) {
        self.at = At::Lost;
        self.line = Vec::new();
    }

    /// Takes the next bytes, those held before them first, and joins lines among them.
    pub fn feed(&mut self, bytes: &mut [u8]) -> Fed {
        let mut at = 0;
        let mut kept = Kept::default();
        while at < bytes.len() {
            self.replace(&mut bytes[at..]);
            let before = self.at;
            let step = self.step(&bytes[at..]);
            self.count(&step, before);
            match step {
                Step::On(count) => at += count,
                Step::Join(count, end) => {
                    kept.keep(bytes, at + count);
                    at += end;
                    kept.from = at;
                }
                Step::Hold(count) => {
                    let held = match &bytes[at + count..] {
                        b"\r" => &b"\r"[..],
                        b"\n" => b"\n",
                        _ => b"\r\n",
                    };
                    kept.keep(bytes, at + count);
                    let length = kept.length;
                    return Fed { length, held };
                }
                Step::Spoil(count) => {
                    at += count + 1;
                    bytes[at - 1] = 0;
                }
            }
        }
        kept.keep(bytes, at);
        Fed {
            length: kept.length,
            held: b"",
        }
    }

    /// Counts the bytes of a step that was taken from there.
    fn count(&mut self, step: &Step, from: At) {
        self.sizes.count(step.taken());
        if self.at == At::Between && from != At::Between {
            self.sizes.request_came(self.heads);
        }
    }

    /// Replaces what hyper would not have in a target.
    fn replace(&mut self, bytes: &mut [u8]) {
        if self.untouched || !matches!(self.at, At::Between | At::RequestLine) {
            return;
        }
        let end = memchr(b'\n', bytes).unwrap_or(bytes.len());
        target::replace(&self.line, &mut bytes[..end], self.heads + 1, &mut self.odd);
    }

    fn step(&mut self, bytes: &[u8]) -> Step {
        match self.at {
            At::Between | At::RequestLine => self.request_line(bytes),
            At::Field if self.untouched => self.untouched_field(bytes),
            At::Field => self.field(bytes),
            At::Body(left) => {
                let (count, left) = skip(bytes, left);
                self.at = if left == 0 {
                    At::Between
                } else {
                    At::Body(left)
                };
                Step::On(count)
            }
            At::Chunks(ref mut chunks) => match chunks.next(bytes) {
                Part::Framing(count) | Part::Content(count) => Step::On(count),
                Part::Last(count) => {
                    self.at = At::Trailers(Trailers::default());
                    Step::On(count)
                }
                Part::Malformed => Step::On(bytes.len()),
            },
            At::Trailers(trailers) => {
                let (step, next) = trailers.step(bytes, self.untouched);
                self.at = next.map_or(At::Between, At::Trailers);
                step
            }
            At::Lost => Step::On(bytes.len()),
        }
    }

    /// Takes what there is of the first line of a head, or an empty line in front of it.
    fn request_line(&mut self, bytes: &[u8]) -> Step {
        let (line, count) = self.whole_line(bytes);
        match line {
            Some(line) if line.is_empty() => {}
            Some(line) => {
                self.head.request_line(&line);
                self.at = At::Field;
            }
            // Empty lines before a request do not begin one.
            None if self.at == At::Between && !matches!(&*self.line, b"" | b"\r") => {
                self.at = At::RequestLine;
            }
            None => {}
        }
        Step::On(count)
    }

    /// Takes what there is of a line of a field as it is. Hyper refuses one that goes on in the next.
    fn untouched_field(&mut self, bytes: &[u8]) -> Step {
        let (line, count) = self.whole_line(bytes);
        match line {
            Some(line) if line.is_empty() => self.head_came(),
            Some(line) => {
                self.sizes.field(&line);
                self.head.field(&line);
            }
            None => {}
        }
        Step::On(count)
    }

    /// A line with all that came of it before, if its end is here, and how many bytes of it are.
    fn whole_line<'b>(&mut self, bytes: &'b [u8]) -> (Option<Cow<'b, [u8]>>, usize) {
        let end = memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        if self.line.len() + part.len() > LINE_MAX {
            self.stop();
            return (None, bytes.len());
        }
        let Some(end) = end else {
            self.line.extend_from_slice(part);
            return (None, bytes.len());
        };
        let line = if self.line.is_empty() {
            Cow::Borrowed(part.strip_suffix(b"\r").unwrap_or(part))
        } else {
            let mut whole = std::mem::take(&mut self.line);
            whole.extend_from_slice(part);
            if whole.last() == Some(&b'\r') {
                whole.pop();
            }
            Cow::Owned(whole)
        };
        (Some(line), end + 1)
    }

    /// Takes what there is of a line of a field. Where it ends is known from what comes next.
    fn field(&mut self, bytes: &[u8]) -> Step {
        let end = memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let line = part.strip_suffix(b"\r").unwrap_or(part);
        if self.line.len() + line.len() > LINE_MAX {
            self.stop();
            return Step::On(bytes.len());
        }
        let Some(end) = end else {
            self.line.extend_from_slice(line);
            return if line.len() == part.len() {
                Step::On(part.len())
            } else {
                Step::Hold(line.len())
            };
        };
        if self.line.is_empty() && line.is_empty() {
            self.head_came();
            return Step::On(end + 1);
        }
        match bytes.get(end + 1) {
            None => {
                self.line.extend_from_slice(line);
                Step::Hold(line.len())
            }
            Some(b' ' | b'\t') => {
                self.line.extend_from_slice(line);
                Step::Join(line.len(), end + 1)
            }
            Some(_) => {
                if self.line.is_empty() {
                    self.sizes.field(line);
                    self.head.field(line);
                } else {
                    let mut whole = std::mem::take(&mut self.line);
                    whole.extend_from_slice(line);
                    self.sizes.field(&whole);
                    self.head.field(&whole);
                }
                Step::On(end + 1)
            }
        }
    }

    fn head_came(&mut self) {
        self.heads += 1;
        let head = std::mem::take(&mut self.head);
        if let (Some(flaw), None) = (head.flaw(), self.flawed) {
            self.flawed = Some((self.heads, flaw));
        }
        self.untouched |= head.may_upgrade();
        self.at = match head.body() {
            Body::Nothing => At::Between,
            Body::Bytes(length) => At::Body(length),
            Body::Chunks => At::Chunks(ChunkReader::default()),
            Body::Endless => At::Lost,
        };
    }
}

/// What is left of bytes from which some are taken out, moved together.
#[derive(Default)]
struct Kept {
    /// How many there are, from the beginning.
    length: usize,
    /// Where those begin that come next.
    from: usize,
}

impl Kept {
    /// Keeps what comes up to this place.
    fn keep(&mut self, bytes: &mut [u8], to: usize) {
        if self.length < self.from {
            bytes.copy_within(self.from..to, self.length);
        }
        self.length += to - self.from;
        self.from = to;
    }
}

#[cfg(test)]
mod tests;
