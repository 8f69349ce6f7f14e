//! A body in chunks, followed to the end of its trailers.

use memchr::memchr;

use crate::http::framing::step::{Step, skip};

/// What the next byte of a body in chunks is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// The line of a chunk's size, of which this was read; whether its digits go on.
    Size(u64, bool),
    /// A chunk with this much left of it.
    Chunk(u64),
    /// The end of line after a chunk.
    ChunkEnd,
    /// A trailer, or the empty line behind the last one.
    Trailer {
        /// Whether this line had a byte.
        begun: bool,
        /// Whether the last one was a carriage return.
        returned: bool,
    },
}

/// Where bytes lead to.
pub(super) enum Next {
    /// On in the body.
    In(Chunks),
    /// Behind it.
    Over,
    /// Where nobody can follow.
    Lost,
}

impl Default for Chunks {
    fn default() -> Self {
        Self::Size(0, true)
    }
}

impl Chunks {
    /// Takes what there is of the present part. Trailers are joined unless they are to be left `untouched`.
    pub(super) fn step(self, bytes: &[u8], untouched: bool) -> (Step, Next) {
        match self {
            Self::Size(size, in_digits) => size_line(bytes, size, in_digits),
            Self::Chunk(left) => {
                let (count, left) = skip(bytes, left);
                let next = match left {
                    0 => Self::ChunkEnd,
                    left => Self::Chunk(left),
                };
                (Step::On(count), Next::In(next))
            }
            Self::ChunkEnd => match memchr(b'\n', bytes) {
                Some(end) => (Step::On(end + 1), Next::In(Self::default())),
                None => (Step::On(bytes.len()), Next::In(self)),
            },
            Self::Trailer { begun, returned } => trailer(bytes, begun, returned, untouched),
        }
    }
}

/// Takes what there is of the line of a chunk's size.
fn size_line(bytes: &[u8], mut size: u64, mut in_digits: bool) -> (Step, Next) {
    for (at, byte) in bytes.iter().enumerate() {
        match char::from(*byte).to_digit(16) {
            Some(digit) if in_digits => match size.checked_mul(16) {
                Some(shifted) => size = shifted | u64::from(digit),
                None => return (Step::On(bytes.len()), Next::Lost),
            },
            _ => in_digits = false,
        }
        if *byte == b'\n' {
            let next = match size {
                0 => Chunks::Trailer {
                    begun: false,
                    returned: false,
                },
                size => Chunks::Chunk(size),
            };
            return (Step::On(at + 1), Next::In(next));
        }
    }
    let next = Chunks::Size(size, in_digits);
    (Step::On(bytes.len()), Next::In(next))
}

/// Takes trailers, whose lines end in `\r\n` as those of chunks do. Hyper would look for the end in one way and for
/// fields in another where they do not, and gets to see a byte that it refuses.
fn trailer(bytes: &[u8], mut begun: bool, mut returned: bool, untouched: bool) -> (Step, Next) {
    let (mut at, mut step) = (0, None);
    while let (Some(byte), None) = (bytes.get(at), &step) {
        match byte {
            b'\n' if returned && !begun => return (Step::On(at + 1), Next::Over),
            b'\n' if returned => {
                let line = at.saturating_sub(1);
                match bytes.get(at + 1) {
                    _ if untouched => begun = false,
                    None => step = Some(Step::Hold(line)),
                    Some(b' ' | b'\t') => step = Some(Step::Join(line, at + 1)),
                    Some(_) => begun = false,
                }
                returned = false;
            }
            b'\n' if !untouched => {
                begun = true;
                step = Some(Step::Spoil(at));
            }
            b'\r' => returned = true,
            _ => (begun, returned) = (true, false),
        }
        at += 1;
    }
    if returned && !untouched {
        returned = false;
        step = Some(Step::Hold(at.saturating_sub(1)));
    }
    let next = Chunks::Trailer { begun, returned };
    (step.unwrap_or(Step::On(bytes.len())), Next::In(next))
}
