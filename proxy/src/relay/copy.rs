//! One direction of a relay.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::life::buffers;
use crate::life::buffers::{BUFFER_MAX, BUFFER_MIN, HeldBytes};
use crate::report::stream_bytes::ByteCount;

/// Why a direction failed.
#[derive(Debug)]
pub(super) enum Stop {
    /// Reading failed.
    Reading(io::Error),
    /// Writing failed.
    Writing(io::Error),
}

#[derive(Debug)]
pub(super) struct Copy {
    /// Read and not written yet. Holds no memory while nothing flows.
    buffer: BytesMut,
    held: HeldBytes,
    /// How large the buffer is to be.
    size: usize,
    state: State,
    /// Something was written since the last flush.
    unflushed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Flowing,
    /// The reader has ended. The rest of the buffer is to be written, then the end passed on.
    Ending,
    Done,
}

impl Copy {
    pub(super) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            held: HeldBytes::default(),
            size: BUFFER_MIN,
            state: State::Flowing,
            unflushed: false,
        }
    }

    /// Copies what is ready now. Ready once the end was passed on, or an error occurred.
    pub(super) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        count: &ByteCount,
    ) -> Poll<Result<(), Stop>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            while !self.buffer.is_empty() {
                match ready!(Pin::new(&mut *to).poll_write(cx, &self.buffer)) {
                    Ok(0) => return Poll::Ready(Err(Stop::Writing(ErrorKind::WriteZero.into()))),
                    Ok(written) => {
                        self.buffer.advance(written);
                        self.unflushed = true;
                        count.add(written as u64);
                    }
                    Err(error) => return Poll::Ready(Err(Stop::Writing(error))),
                }
            }
            match self.state {
                State::Done => return Poll::Ready(Ok(())),
                State::Ending => {
                    match ready!(Pin::new(&mut *to).poll_shutdown(cx)) {
                        // The other end may have closed already. Then shutting it down is not needed.
                        Err(error) if error.kind() != ErrorKind::NotConnected => {
                            return Poll::Ready(Err(Stop::Writing(error)));
                        }
                        _ => self.state = State::Done,
                    }
                    self.buffer = BytesMut::new();
                }
                State::Flowing => match self.read(cx, from) {
                    Poll::Ready(Ok(0)) => self.state = State::Ending,
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Stop::Reading(error))),
                    Poll::Pending => {
                        if self.unflushed {
                            match ready!(Pin::new(&mut *to).poll_flush(cx)) {
                                Ok(()) => self.unflushed = false,
                                Err(error) => return Poll::Ready(Err(Stop::Writing(error))),
                            }
                        }
                        return Poll::Pending;
                    }
                },
            }
        }
    }

    /// Whether memory is held though there is nothing to write.
    pub(super) fn holds_idle_buffer(&self) -> bool {
        self.buffer.is_empty() && self.buffer.capacity() > 0
    }

    /// Frees unused memory and starts with a small buffer again.
    pub(super) fn shrink(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
            self.held.set(0);
            self.size = BUFFER_MIN;
        }
    }

    /// Reads into the empty buffer, and lets it grow when a read fills it.
    fn read<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
    ) -> Poll<io::Result<usize>> {
        self.buffer.clear();
        let max = buffers::read_max();
        let size = self.size.min(max);
        if self.buffer.capacity() > max || !self.buffer.try_reclaim(size) {
            self.buffer = BytesMut::with_capacity(size);
        }
        let room = self.buffer.capacity();
        self.held.set(room);
        let answer = pin!(from.read_buf(&mut self.buffer)).poll(cx);
        match &answer {
            Poll::Ready(Ok(read)) if *read == room => self.size = (self.size * 2).min(BUFFER_MAX),
            // A small buffer is cheap to get again; a large one is kept for a while, for the flow may go on.
            Poll::Pending if room <= BUFFER_MIN => {
                self.buffer = BytesMut::new();
                self.held.set(0);
            }
            _ => {}
        }
        match answer {
            // Many TLS peers close the connection without a close_notify.
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(0))
            }
            answer => answer,
        }
    }
}
