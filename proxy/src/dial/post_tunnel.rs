//! A tunnel inside an HTTP/1.1 POST: written bytes are chunks of its body, read bytes are the body of its response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::codec::chunks;
use crate::codec::chunks::{ChunkReader, LAST_CHUNK, Part, TrailersEnd};

/// Bytes of one chunk at most.
const CHUNK_MAX: usize = 16 << 10;

/// The framing of a response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// In chunks.
    Chunked,
    /// So many bytes are left.
    Length(u64),
    /// By closing the connection.
    Close,
}

/// A connection inside a POST.
#[derive(Debug)]
pub struct PostTunnel<S> {
    inner: S,
    /// Framed bytes that are not written yet.
    out: BytesMut,
    /// The last chunk of our body was sent.
    ended: bool,
    /// Bytes read that have not been parsed yet.
    unread: BytesMut,
    state: State,
}

/// The next part of the response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Chunks.
    Chunks(ChunkReader),
    /// Trailers, to an empty line.
    Trailers(TrailersEnd),
    /// So many bytes.
    Length(u64),
    /// Bytes until the connection is closed.
    Close,
    /// Nothing.
    End,
}

impl<S> PostTunnel<S> {
    /// A tunnel inside a POST after both heads were exchanged. `early` are the bytes after the response's head.
    pub fn new(inner: S, framing: Framing, early: &[u8]) -> Self {
        Self {
            inner,
            out: BytesMut::new(),
            ended: false,
            unread: early.into(),
            state: match framing {
                Framing::Chunked => State::Chunks(ChunkReader::default()),
                Framing::Length(left) => length(left),
                Framing::Close => State::Close,
            },
        }
    }

    /// The connection that carries the POST.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Moves received body bytes into `buffer`; `false` when more has to be read first.
    fn take(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
        loop {
            match &mut self.state {
                State::End => return Ok(true),
                _ if self.unread.is_empty() => return Ok(false),
                State::Close => {
                    self.give(usize::MAX, buffer);
                    return Ok(true);
                }
                State::Length(left) => {
                    let left = *left;
                    let whole = usize::try_from(left).unwrap_or(usize::MAX);
                    let left = left - self.give(whole, buffer) as u64;
                    self.state = length(left);
                    return Ok(true);
                }
                State::Chunks(reader) => {
                    let room = self.unread.len().min(buffer.remaining());
                    match reader.next(&self.unread[..room]) {
                        Part::Content(count) => {
                            self.give(count, buffer);
                            return Ok(true);
                        }
                        Part::Framing(count) => self.unread.advance(count),
                        Part::Last(count) => {
                            self.unread.advance(count);
                            self.state = State::Trailers(TrailersEnd::default());
                        }
                        Part::Malformed => return Err(malformed()),
                    }
                }
                State::Trailers(trailers) => match trailers.find(&self.unread) {
                    Some(_) => self.state = State::End,
                    None => self.unread.clear(),
                },
            }
        }
    }

    /// Moves up to `most` bytes into the buffer, as many as are received and as fit.
    fn give(&mut self, most: usize, buffer: &mut ReadBuf<'_>) -> usize {
        let count = self.unread.len().min(most).min(buffer.remaining());
        buffer.put_slice(&self.unread[..count]);
        self.unread.advance(count);
        count
    }
}

/// The state with this many bytes left.
fn length(left: u64) -> State {
    match left {
        0 => State::End,
        left => State::Length(left),
    }
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the proxy's answer to POST has a malformed chunked body",
    )
}

impl<S: AsyncWrite + Unpin> PostTunnel<S> {
    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let count = ready!(Pin::new(&mut self.inner).poll_write(context, &self.out))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PostTunnel<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        while !this.take(buffer)? {
            let mut room = [0; CHUNK_MAX];
            let mut read = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(match this.state {
                    State::Close => Ok(()),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                });
            }
            this.unread.extend_from_slice(read.filled());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PostTunnel<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_out(context))?;
        let chunk = &bytes[..bytes.len().min(CHUNK_MAX)];
        if chunk.is_empty() {
            return Poll::Ready(Ok(0));
        }
        chunks::write(chunk, &mut this.out);
        // The chunk is accepted. The rest of it is written before the next one.
        if let Poll::Ready(Err(error)) = this.poll_out(context) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(context))?;
        Pin::new(&mut this.inner).poll_flush(context)
    }

    /// Sends the last chunk. The connection stays open for the rest of the response.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ended {
            this.ended = true;
            this.out.extend_from_slice(LAST_CHUNK);
        }
        ready!(this.poll_out(context))?;
        Pin::new(&mut this.inner).poll_flush(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// The bytes read from a response's body that arrives in pieces of this size and then ends.
    async fn read(framing: Framing, body: &[u8], piece: usize) -> Result<Vec<u8>, io::ErrorKind> {
        let (near, mut far) = duplex(piece);
        let (early, late) = body.split_at(body.len().min(2));
        let mut post_tunnel = PostTunnel::new(near, framing, early);
        let writing = async {
            // The reader may have closed its end.
            let _ = far.write_all(late).await;
            drop(far);
        };
        let mut got = Vec::new();
        let reading = async {
            let outcome = post_tunnel.read_to_end(&mut got).await;
            drop(post_tunnel);
            outcome
        };
        let ((), outcome) = tokio::join!(writing, reading);
        outcome.map(|_| got).map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_end() {
        for piece in [1, 3, 64] {
            for (framing, body, expected) in [
                (
                    Framing::Chunked,
                    &b"5\r\nhello\r\n006;x=y\r\n world\r\n0\r\na: b\r\n\r\nrest"[..],
                    Ok("hello world"),
                ),
                (Framing::Chunked, b"0\r\n\r\n", Ok("")),
                (Framing::Length(5), b"hello world", Ok("hello")),
                (Framing::Close, b"hello", Ok("hello")),
                (
                    Framing::Chunked,
                    b"5\r\nhel",
                    Err(io::ErrorKind::UnexpectedEof),
                ),
                (
                    Framing::Length(9),
                    b"hello",
                    Err(io::ErrorKind::UnexpectedEof),
                ),
                (
                    Framing::Chunked,
                    b"5\r\nhelloX\r\n",
                    Err(io::ErrorKind::InvalidData),
                ),
                (
                    Framing::Chunked,
                    b"-5\r\nhello\r\n",
                    Err(io::ErrorKind::InvalidData),
                ),
                (
                    Framing::Chunked,
                    b"\r\nhello\r\n",
                    Err(io::ErrorKind::InvalidData),
                ),
                (
                    Framing::Chunked,
                    b"fffffffffffffffff\r\nhello\r\n",
                    Err(io::ErrorKind::InvalidData),
                ),
            ] {
                let got = read(framing, body, piece).await;
                let expected = expected.map(|text| text.as_bytes().to_vec());
                assert_eq!(got, expected, "{framing:?} {piece}");
            }
        }
        let endless = vec![b'1'; 4096];
        assert_eq!(
            read(Framing::Chunked, &endless, 64).await,
            Err(io::ErrorKind::InvalidData)
        );
    }

    #[tokio::test]
    async fn written_bytes_are_sent_in_chunks() {
        let (near, mut far) = duplex(1 << 20);
        let mut post_tunnel = PostTunnel::new(near, Framing::Close, b"");
        post_tunnel.write_all(b"hello").await.expect("write");
        post_tunnel.flush().await.expect("flush");
        post_tunnel
            .write_all(&[b'x'; CHUNK_MAX + 1])
            .await
            .expect("write");
        post_tunnel.shutdown().await.expect("shutdown");
        post_tunnel.shutdown().await.expect("again");
        drop(post_tunnel);
        let mut wire = Vec::new();
        far.read_to_end(&mut wire).await.expect("read");
        let expected = [
            b"5\r\nhello\r\n4000\r\n",
            &[b'x'; CHUNK_MAX][..],
            b"\r\n1\r\nx\r\n0\r\n\r\n",
        ];
        assert!(wire == expected.concat(), "{}", wire.len());
    }

    #[tokio::test]
    async fn a_slow_proxy_gets_everything_in_order() {
        let (near, mut far) = duplex(7);
        let mut post_tunnel = PostTunnel::new(near, Framing::Close, b"");
        let writing = async {
            for _ in 0..100 {
                post_tunnel.write_all(b"hello").await.expect("write");
            }
            post_tunnel.shutdown().await.expect("shutdown");
            drop(post_tunnel);
        };
        let mut wire = Vec::new();
        let reading = far.read_to_end(&mut wire);
        let ((), read) = tokio::join!(writing, reading);
        read.expect("read");
        assert!(wire == [&b"5\r\nhello\r\n".repeat(100)[..], b"0\r\n\r\n"].concat());
    }
}
