//! The connection as hyper has it: what it reads is followed, and what it writes goes out where it may.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::codec::trailers;
use crate::http::http1_io::state::State;
use crate::lock::lock;

/// The connection as hyper has it.
#[derive(Debug)]
pub struct HyperIo<S>(pub(super) Arc<Mutex<State<S>>>);

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HyperIo<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        let before = into.filled().len();
        loop {
            let held = state.held;
            if held.len() >= into.remaining() {
                // Hyper takes no more than this of a head, so that it is too large whatever comes next.
                let (now, later) = held.split_at(into.remaining());
                into.put_slice(now);
                state.held = later;
                state.framing.stop();
                return Poll::Ready(Ok(()));
            }
            into.put_slice(held);
            let read = state.poll_give(context, into);
            state.quiet = read.is_pending();
            if !matches!(read, Poll::Ready(Ok(()))) {
                into.set_filled(before);
                return read;
            }
            let ended = into.filled().len() == before + held.len();
            if ended {
                state.held = b"";
                return Poll::Ready(Ok(()));
            }
            if !state.busy && state.head_since.is_none() {
                state.head_since = Some(Instant::now());
            }
            let fed = state.framing.feed(&mut into.filled_mut()[before..]);
            into.set_filled(before + fed.length);
            state.held = fed.held;
            if fed.length > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HyperIo<S> {
    /// The stream, for hyper to write to, once no informational response is in the way.
    fn poll_writable(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<MutexGuard<'_, State<S>>>> {
        let mut state = lock(&self.0);
        if !state.writing && !state.informational_bytes.is_empty() {
            ready!(state.poll_informational(context))?;
        }
        state.writing = true;
        Poll::Ready(Ok(state))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HyperIo<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = ready!(self.poll_writable(context))?;
        if !state.answering && !state.upgraded {
            state.unasked.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        if !state.lines.is_empty()
            && let Some(count) = state.put_lines(bytes)
        {
            return Poll::Ready(Ok(count));
        }
        let State { stream, tail, .. } = &mut *state;
        let written = match tail {
            None => Pin::new(stream).poll_write(context, bytes),
            tail => trailers::poll_write(tail, stream, context, &[IoSlice::new(bytes)]),
        };
        state.wrote(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = ready!(self.poll_writable(context))?;
        if !state.answering && !state.upgraded {
            let count = pieces.iter().map(|piece| piece.len()).sum();
            state
                .unasked
                .extend(pieces.iter().flat_map(|piece| piece.iter()));
            return Poll::Ready(Ok(count));
        }
        if !state.lines.is_empty()
            && let Some(first) = pieces.iter().find(|piece| !piece.is_empty())
            && let Some(count) = state.put_lines(first)
        {
            return Poll::Ready(Ok(count));
        }
        let State { stream, tail, .. } = &mut *state;
        let written = trailers::poll_write(tail, stream, context, pieces);
        state.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        // Hyper flushes once it holds nothing itself.
        state.writing = false;
        ready!(Pin::new(&mut state.stream).poll_flush(context))?;
        // The stream may hold something as well, as TLS does: hyper stays until it is gone.
        state.answering = state.busy;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        if !state.unasked.is_empty() {
            // There is something to say yet.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut state.stream).poll_shutdown(context)
    }
}
