//! The connection as hyper has it: what it reads is followed, and what it writes goes out where it may.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::codec::trailers;
use crate::http::http1_io::{Inner, lock};

/// The connection as hyper has it.
#[derive(Debug)]
pub struct HyperIo<S>(pub(in crate::http::http1_io) Arc<Mutex<Inner<S>>>);

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HyperIo<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        let before = into.filled().len();
        loop {
            let held = inner.held;
            if held.len() >= into.remaining() {
                // Hyper takes no more than this of a head, so that it is too large whatever comes next.
                let (now, later) = held.split_at(into.remaining());
                into.put_slice(now);
                inner.held = later;
                inner.framing.stop();
                return Poll::Ready(Ok(()));
            }
            into.put_slice(held);
            let read = inner.poll_give(context, into);
            inner.quiet = read.is_pending();
            if !matches!(read, Poll::Ready(Ok(()))) {
                into.set_filled(before);
                return read;
            }
            let ended = into.filled().len() == before + held.len();
            if ended {
                inner.held = b"";
                return Poll::Ready(Ok(()));
            }
            if !inner.busy && inner.head_since.is_none() {
                inner.head_since = Some(Instant::now());
            }
            let fed = inner.framing.feed(&mut into.filled_mut()[before..]);
            into.set_filled(before + fed.length);
            inner.held = fed.held;
            if fed.length > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HyperIo<S> {
    /// The stream, for hyper to write to, once no interim response is in the way.
    fn poll_writable(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<MutexGuard<'_, Inner<S>>>> {
        let mut inner = lock(&self.0);
        if !inner.writing && !inner.interim.is_empty() {
            ready!(inner.poll_interim(context))?;
        }
        inner.writing = true;
        Poll::Ready(Ok(inner))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HyperIo<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = ready!(self.poll_writable(context))?;
        if !inner.answering && !inner.upgraded {
            inner.unasked.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        if !inner.lines.is_empty()
            && let Some(count) = inner.put_lines(bytes)
        {
            return Poll::Ready(Ok(count));
        }
        let Inner { stream, tail, .. } = &mut *inner;
        let written = match tail {
            None => Pin::new(stream).poll_write(context, bytes),
            tail => trailers::poll_write(tail, stream, context, &[IoSlice::new(bytes)]),
        };
        inner.wrote(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = ready!(self.poll_writable(context))?;
        if !inner.answering && !inner.upgraded {
            let count = pieces.iter().map(|piece| piece.len()).sum();
            inner
                .unasked
                .extend(pieces.iter().flat_map(|piece| piece.iter()));
            return Poll::Ready(Ok(count));
        }
        if !inner.lines.is_empty()
            && let Some(first) = pieces.iter().find(|piece| !piece.is_empty())
            && let Some(count) = inner.put_lines(first)
        {
            return Poll::Ready(Ok(count));
        }
        let Inner { stream, tail, .. } = &mut *inner;
        let written = trailers::poll_write(tail, stream, context, pieces);
        inner.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        // Hyper flushes once it holds nothing itself.
        inner.writing = false;
        ready!(Pin::new(&mut inner.stream).poll_flush(context))?;
        // The stream may hold something as well, as TLS does: hyper stays until it is gone.
        inner.answering = inner.busy;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        if !inner.unasked.is_empty() {
            // There is something to say yet.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut inner.stream).poll_shutdown(context)
    }
}
