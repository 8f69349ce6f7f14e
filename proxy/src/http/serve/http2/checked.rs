//! What the h2 crate does not insist on in what a client sends: that its first frame is SETTINGS (RFC 9113, 3.4), and that
//! trailers have no pseudo fields (8.1). The bytes of a frame that breaks this are changed so that the crate refuses it.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The length of the connection preface.
const PREFACE: usize = 24;

/// The length of what each frame begins with.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// Fields of the static table (RFC 7541, appendix A) up to this one are pseudo fields.
const PSEUDO_LAST: u8 = 14;

/// A client's connection, read with this in mind.
#[derive(Debug)]
pub(super) struct Checked<S> {
    stream: S,
    frames: Frames,
}

impl<S> Checked<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            frames: Frames::default(),
        }
    }
}

/// Follows the frames of a connection.
#[derive(Debug, Default)]
struct Frames {
    /// Bytes of the preface so far.
    preface: usize,
    /// The beginning of the next frame, as far as it came.
    head: [u8; HEAD],
    head_length: usize,
    /// What is left of a frame's payload.
    left: usize,
    /// Whether a frame has come.
    begun: bool,
    /// The last stream that the client opened.
    stream: u32,
}

impl Frames {
    /// Takes the next bytes.
    fn feed(&mut self, bytes: &mut [u8]) {
        let mut at = (PREFACE - self.preface).min(bytes.len());
        self.preface += at;
        while at < bytes.len() {
            if self.left > 0 {
                let count = self.left.min(bytes.len() - at);
                self.left -= count;
                at += count;
                continue;
            }
            let count = (HEAD - self.head_length).min(bytes.len() - at);
            let head = &bytes[at..at + count];
            self.head[self.head_length..self.head_length + count].copy_from_slice(head);
            self.head_length += count;
            at += count;
            if self.head_length == HEAD {
                // Where its beginning came before, it can be changed no more.
                let (before, payload) = bytes.split_at_mut(at);
                let begin = before.len().checked_sub(HEAD).filter(|_| count == HEAD);
                self.frame(begin.map(|begin| &mut before[begin..]), payload);
            }
        }
    }

    /// Looks at a frame whose beginning has come, and at as much of its payload as has.
    fn frame(&mut self, head: Option<&mut [u8]>, payload: &mut [u8]) {
        self.head_length = 0;
        let [a, b, c, kind, flags, id @ ..] = self.head;
        self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if !std::mem::replace(&mut self.begun, true) && (kind != SETTINGS || flags & ACK != 0) {
            spoil(head, payload);
            return;
        }
        if kind != HEADERS {
            return;
        }
        let id = u32::from_be_bytes(id) & (u32::MAX >> 1);
        if id > self.stream {
            self.stream = id;
            return;
        }
        let payload_length = self.left.min(payload.len());
        if !is_pseudo(flags, &payload[..payload_length]) {
            return;
        }
        match head {
            // Such trailers, unless they end the stream, are an error of the stream alone.
            Some(head) => head[4] &= !END_STREAM,
            None => spoil(head, payload),
        }
    }
}

/// Makes an error of the connection of a frame: DATA that is of no stream, or what cannot be decompressed.
fn spoil(head: Option<&mut [u8]>, payload: &mut [u8]) {
    match (head, payload.first_mut()) {
        (Some(head), _) => {
            head[3] = DATA;
            head[5..HEAD].fill(0);
        }
        // A field of number 0.
        (None, Some(first)) => *first = 0x80,
        (None, None) => {}
    }
}

/// Whether the first field of a header block is a pseudo field. Those behind another field are seen by the crate. One whose
/// name is in the connection's own table is not known here.
fn is_pseudo(flags: u8, payload: &[u8]) -> bool {
    let skipped = usize::from(flags & PADDED != 0) + if flags & PRIORITY != 0 { 5 } else { 0 };
    let mut block = payload.get(skipped..).unwrap_or_default();
    // The size of the table may come first.
    while let [first @ 0x20..0x40, rest @ ..] = block {
        let longer = if first & 0x1f == 0x1f {
            rest.iter().take_while(|byte| **byte >= 0x80).count() + 1
        } else {
            0
        };
        block = rest.get(longer..).unwrap_or_default();
    }
    let Some((first, rest)) = block.split_first() else {
        return false;
    };
    let number = match first {
        0x80.. => first & 0x7f,
        0x40.. => first & 0x3f,
        _ => first & 0x0f,
    };
    match number {
        // A name in letters: plain, or in Huffman's code, in which a colon is 1011100.
        0 => match rest {
            [length, letter, ..] if *length >= 0x80 => letter >> 1 == 0b101_1100,
            [_, letter, ..] => *letter == b':',
            _ => false,
        },
        number => number <= PSEUDO_LAST,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Checked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = into.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, into))?;
        this.frames.feed(&mut into.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Checked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
