//! Counts the bytes that go over a connection, and how many of them are header fields of HTTP/1.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

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
    field_bytes: u64,
    fields: u64,
    head: Option<Head>,
}

/// A head that has not ended.
#[derive(Clone, Copy, Debug)]
struct Head {
    message: Message,
    /// The line that has not ended is the first one.
    is_first: bool,
    /// Another head follows it.
    informational: bool,
    /// Bytes of the line that has not ended.
    pending: u64,
    /// They are a carriage return alone.
    is_return: bool,
}

/// What a head begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Request,
    Response,
}

impl Meter {
    /// All bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Those of them that were header fields, each with its end of line.
    pub fn field_bytes(&self) -> u64 {
        self.field_bytes
    }

    /// How many header fields there were.
    pub fn fields(&self) -> u64 {
        self.fields
    }

    /// The next byte is the first one of the head of a response. Those of informational responses may come before it.
    pub fn expect_head(&mut self) {
        self.head = Some(Head::of(Message::Response));
    }

    /// The next byte is the first one of the head of a request.
    pub fn expect_request(&mut self) {
        self.head = Some(Head::of(Message::Request));
    }

    /// Counts bytes that passed.
    pub fn count(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.head.is_some() {
            self.count_head(bytes);
        }
    }

    /// Counts the first `count` bytes of these pieces.
    pub fn count_pieces(&mut self, pieces: &[IoSlice<'_>], mut count: usize) {
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
            if head.is_first && head.pending == 0 && head.message == Message::Response {
                head.informational = is_informational(bytes);
            }
            let Some(end) = memchr(b'\n', bytes) else {
                head.is_return = head.pending == 0 && bytes == b"\r";
                head.pending += bytes.len() as u64;
                return;
            };
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            let length = head.pending + line.len() as u64;
            let is_empty = match head.pending {
                0 => matches!(line, b"\n" | b"\r\n"),
                _ => head.is_return && line.len() == 1,
            };
            let (is_first, another) = (head.is_first, head.informational);
            (head.pending, head.is_return, head.is_first) = (0, false, false);
            match (is_first, is_empty) {
                (true, _) => {}
                (false, false) => {
                    self.field_bytes += length;
                    self.fields += 1;
                }
                (false, true) => {
                    self.head = None;
                    if another {
                        self.expect_head();
                    }
                }
            }
        }
    }
}

impl Head {
    /// One that begins with the next byte.
    fn of(message: Message) -> Self {
        Self {
            message,
            is_first: true,
            informational: false,
            pending: 0,
            is_return: false,
        }
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

    /// The header fields among these bytes and their number, however they are cut.
    fn fields(bytes: &[u8]) -> (u64, u64) {
        let counted = |pieces: &[&[u8]]| {
            let mut meter = Meter::default();
            meter.expect_head();
            for piece in pieces {
                meter.count(piece);
            }
            assert_eq!(meter.bytes(), bytes.len() as u64);
            (meter.field_bytes(), meter.fields())
        };
        let whole = counted(&[bytes]);
        for cut in 13..bytes.len() {
            let (before, after) = bytes.split_at(cut);
            assert_eq!(counted(&[before, after]), whole, "cut at {cut}");
        }
        whole
    }

    #[test]
    fn the_fields_of_heads_are_counted() {
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK\r\na: b\r\n\r\nbody: x\r\n\r\nbody", (6, 1)),
            ("HTTP/1.1 204 No Content\r\n\r\n", (0, 0)),
            (
                "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nb: \r\n\r\nHTTP/1.1 200 OK\r\na: b\r\n\r\n",
                (14, 2),
            ),
            (
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nbytes: x\r\n\r\n",
                (12, 1),
            ),
            ("HTTP/1.1 200 OK\na: b\n\nbody\n\n", (5, 1)),
        ] {
            assert_eq!(fields(bytes.as_bytes()), expected, "{bytes:?}");
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
        assert_eq!((near.read.bytes(), near.read.field_bytes()), (3, 0));
    }
}
