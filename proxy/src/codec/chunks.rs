//! The chunked transfer coding (RFC 9112, 7.1): a reader that follows bodies chunk by chunk, and a writer of
//! chunks. It does not parse trailers.

use bytes::BytesMut;
use memchr::memchr;

/// What ends a body without trailers, behind the end of another chunk or of a head.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The line of the last chunk, behind which trailers come.
pub const LAST_SIZE: &[u8] = LAST_CHUNK.split_at(3).0;

/// The end of a line.
pub const END_OF_LINE: &[u8] = b"\r\n";

/// Follows a body in chunks, in pieces of any size. A line may end in a line feed alone; a caller that must refuse that
/// has to check the bytes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkReader(State);

/// What the next byte is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first digit of a size.
    Start,
    /// More of its digits, after which it is this.
    Size(u64),
    /// Blanks behind the size.
    Blank(u64),
    /// An extension behind the size.
    Extension(u64),
    /// A chunk with this much left of it.
    Chunk(u64),
    /// The end of line behind a chunk.
    Behind,
    /// Its line feed.
    LineFeed,
    /// What follows the line of the last chunk.
    Over,
    /// The bytes are not valid chunks.
    Malformed,
}

/// The first part of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// So many bytes around chunks.
    Framing(usize),
    /// So many bytes of content.
    Content(usize),
    /// So many bytes up to the end of the last chunk's line. What follows, first of all trailers, is no chunk.
    Last(usize),
    /// No chunk, and nothing behind it is one.
    Malformed,
}

impl Default for ChunkReader {
    fn default() -> Self {
        Self(State::Start)
    }
}

impl ChunkReader {
    /// Reads the first part of the next bytes, which must not be empty.
    pub fn next(&mut self, bytes: &[u8]) -> Part {
        if let State::Chunk(left) = self.0 {
            let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.0 = match left - count as u64 {
                0 => State::Behind,
                left => State::Chunk(left),
            };
            return Part::Content(count);
        }
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let State::Extension(_) = self.0 {
                at += memchr(b'\n', &bytes[at..]).unwrap_or(bytes.len() - at);
                if at == bytes.len() {
                    break;
                }
                self.0 = self.0.after(b'\n');
            } else {
                self.0 = self.0.after(*byte);
            }
            at += 1;
            match self.0 {
                State::Chunk(_) => break,
                State::Over => return Part::Last(at),
                State::Malformed => return Part::Malformed,
                _ => {}
            }
        }
        Part::Framing(at)
    }
}

impl State {
    /// The state after a byte of the framing.
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Start, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => Self::Size(digit(byte)),
            (Self::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let shifted = size.checked_mul(16);
                shifted.map_or(Self::Malformed, |shifted| Self::Size(shifted | digit(byte)))
            }
            (Self::Size(size) | Self::Blank(size), b' ' | b'\t' | b'\r') => Self::Blank(size),
            (Self::Size(size) | Self::Blank(size), b';') => Self::Extension(size),
            (Self::Size(0) | Self::Blank(0) | Self::Extension(0), b'\n') => Self::Over,
            (Self::Size(size) | Self::Blank(size) | Self::Extension(size), b'\n') => {
                Self::Chunk(size)
            }
            (Self::Behind, b'\r') => Self::LineFeed,
            (Self::Behind | Self::LineFeed, b'\n') => Self::Start,
            _ => Self::Malformed,
        }
    }
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> u64 {
    char::from(byte).to_digit(16).map_or(0, u64::from)
}

/// Follows trailers to the empty line behind the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrailersEnd {
    /// The line has begun.
    begun: bool,
}

impl TrailersEnd {
    /// How many of the next bytes there are up to the end, if it is among them.
    pub fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if !self.begun => return Some(at + 1),
                b'\n' => self.begun = false,
                b'\r' => {}
                _ => self.begun = true,
            }
        }
        None
    }
}

/// Appends a chunk. It must not be empty: an empty one ends a body.
pub fn write(chunk: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(format!("{:x}", chunk.len()).as_bytes());
    out.extend_from_slice(END_OF_LINE);
    out.extend_from_slice(chunk);
    out.extend_from_slice(END_OF_LINE);
}

#[cfg(test)]
mod tests;
