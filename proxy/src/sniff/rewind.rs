//! A stream that returns the sniffed bytes before the rest.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of which some bytes were read already; they are read first. Writing goes straight through.
#[derive(Debug)]
pub struct Rewind<S> {
    sniffed: BytesMut,
    inner: S,
}

impl<S> Rewind<S> {
    /// A stream of which nothing was read yet.
    pub fn new(inner: S) -> Self {
        Self {
            sniffed: BytesMut::new(),
            inner,
        }
    }

    /// The bytes that were read and not given back yet.
    pub fn sniffed(&self) -> &[u8] {
        &self.sniffed
    }

    /// The stream below.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The bytes not given back yet, and the stream they came from.
    pub fn into_parts(self) -> (Bytes, S) {
        (self.sniffed.freeze(), self.inner)
    }

    pub(in crate::sniff) fn parts_mut(&mut self) -> (&mut S, &mut BytesMut) {
        (&mut self.inner, &mut self.sniffed)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewind<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.sniffed.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, into);
        }
        let count = self.sniffed.len().min(into.remaining());
        into.put_slice(&self.sniffed[..count]);
        self.sniffed.advance(count);
        if self.sniffed.is_empty() {
            // Frees the memory: the connection may stay open for days.
            self.sniffed = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewind<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
