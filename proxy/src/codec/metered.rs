//! Counts the bytes of a connection, and those of them that are HTTP/1 heads.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memchr::{memchr, memmem};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Ends a head of HTTP/1.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A stream that counts its bytes.
#[derive(Debug)]
pub struct Metered<S> {
    stream: S,
    /// What was read.
    pub read: Meter,
    /// What was written.
    pub written: Meter,
}

/// Bytes in one direction.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: u64,
    heads: u64,
    head: Option<Head>,
}

/// A head that has not ended.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// Another head follows it.
    informational: bool,
    line: Line,
}

/// What there is of the line that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Nothing: the head begins here.
    First,
    /// Nothing.
    Empty,
    /// A carriage return alone.
    Return,
    /// Anything else.
    Text,
}

impl Meter {
    /// All bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Those of them that were heads.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// The next byte is the first one of the head of a response. Those of informational responses may come before it.
    pub fn expect_head(&mut self) {
        self.head = Some(Head {
            informational: false,
            line: Line::First,
        });
    }

    fn count(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.head.is_some() {
            self.count_head(bytes);
        }
    }

    fn count_pieces(&mut self, pieces: &[IoSlice<'_>], mut count: usize) {
        if self.head.is_none() {
            self.bytes += count as u64;
            return;
        }
        for piece in pieces {
            let here = piece.len().min(count);
            self.count(&piece[..here]);
            count -= here;
        }
    }

    fn count_head(&mut self, mut bytes: &[u8]) {
        while let Some(head) = &mut self.head
            && !bytes.is_empty()
        {
            if head.line == Line::First {
                head.informational = is_informational(bytes);
            }
            let Some(end) = head.end(bytes) else {
                self.heads += bytes.len() as u64;
                return;
            };
            self.heads += end as u64;
            bytes = &bytes[end..];
            let another = head.informational;
            self.head = None;
            if another {
                self.expect_head();
            }
        }
    }
}

impl Head {
    /// Where it ends, if it ends in these bytes.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.line == Line::First
            && let Some(at) = memmem::find(bytes, HEAD_END)
        {
            return Some(at + HEAD_END.len());
        }
        let mut at = 0;
        while at < bytes.len() {
            let Some(length) = memchr(b'\n', &bytes[at..]) else {
                self.line = match (self.line, &bytes[at..]) {
                    (Line::First | Line::Empty, b"\r") => Line::Return,
                    _ => Line::Text,
                };
                return None;
            };
            let empty = match (self.line, length) {
                (Line::First, _) | (Line::Text, _) => false,
                (Line::Empty, 0) | (Line::Return, 0) => true,
                (Line::Empty, 1) => bytes[at] == b'\r',
                (Line::Empty | Line::Return, _) => false,
            };
            at += length + 1;
            if empty {
                return Some(at);
            }
            self.line = Line::Empty;
        }
        None
    }
}

/// Whether a head of a response begins that is not the final one: 1xx, but 101.
fn is_informational(head: &[u8]) -> bool {
    let status = head.get("HTTP/1.1 ".len().."HTTP/1.1 100".len());
    status.is_some_and(|status| status[0] == b'1' && status != b"101")
}

impl<S> Metered<S> {
    /// Counts from now on.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            read: Meter::default(),
            written: Meter::default(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = into.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, into))?;
        this.read.count(&into.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let count = ready!(Pin::new(&mut this.stream).poll_write(context, bytes))?;
        this.written.count(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let count = ready!(Pin::new(&mut this.stream).poll_write_vectored(context, pieces))?;
        this.written.count_pieces(pieces, count);
        Poll::Ready(Ok(count))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The heads among these bytes, however they are cut.
    fn heads(bytes: &[u8]) -> u64 {
        let counted = |pieces: &[&[u8]]| {
            let mut meter = Meter::default();
            meter.expect_head();
            for piece in pieces {
                meter.count(piece);
            }
            assert_eq!(meter.bytes(), bytes.len() as u64);
            meter.heads()
        };
        let whole = counted(&[bytes]);
        for cut in 13..bytes.len() {
            let (before, after) = bytes.split_at(cut);
            assert_eq!(counted(&[before, after]), whole, "cut at {cut}");
        }
        whole
    }

    #[test]
    fn heads_are_counted_up_to_their_empty_line() {
        for (head, rest) in [
            ("HTTP/1.1 200 OK\r\na: b\r\n\r\n", "body\r\n\r\nbody"),
            ("HTTP/1.1 204 No Content\r\n\r\n", ""),
            (
                "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
                "HTTP/1.1 200 OK\r\n\r\n",
            ),
            (
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
                "bytes\r\n\r\n",
            ),
            ("HTTP/1.1 200 OK\na: b\n\n", "body\n\n"),
        ] {
            let all = format!("{head}{rest}");
            assert_eq!(heads(all.as_bytes()), head.len() as u64, "{all:?}");
        }
    }

    #[tokio::test]
    async fn each_accepted_byte_is_counted() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let (near, mut far) = tokio::io::duplex(8);
        let mut near = Metered::new(near);
        let pieces = [IoSlice::new(b"0123456"), IoSlice::new(b"789")];
        let count = near.write_vectored(&pieces).await.expect("written");
        assert_eq!(near.written.bytes(), count as u64);
        far.write_all(b"abc").await.expect("written");
        near.read_exact(&mut [0; 3]).await.expect("read");
        assert_eq!((near.read.bytes(), near.read.heads()), (3, 0));
    }
}
