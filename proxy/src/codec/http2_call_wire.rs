//! Counts the frames of calls on a connection of HTTP/2 to an endpoint, where a format asks for them.

use std::cell::RefCell;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::codec::http2_frames::{Frame, Frames};
use crate::report::facts::CallWire;

/// A connection that counts the frames of its streams.
#[derive(Debug)]
pub struct Http2CallStream<S> {
    stream: S,
    received: Frames,
    written: Frames,
    calls: Rc<CountedStreams>,
}

/// The counted streams of a connection.
#[derive(Debug, Default)]
pub struct CountedStreams(RefCell<Vec<(u32, Arc<CallWire>)>>);

/// A counted stream, until this is dropped.
#[derive(Debug)]
pub struct CountedStream {
    id: u32,
    streams: Rc<CountedStreams>,
}

impl CountedStreams {
    /// Adds the bytes of a stream, of which nothing is written yet, to `wire`.
    pub fn count(self: &Rc<Self>, id: u32, wire: &Arc<CallWire>) -> CountedStream {
        self.0.borrow_mut().push((id, Arc::clone(wire)));
        CountedStream {
            id,
            streams: Rc::clone(self),
        }
    }

    fn add(&self, frame: &Frame, add: fn(&CallWire, u64, u64)) {
        let streams = self.0.borrow();
        if let Some((_, wire)) = streams.iter().find(|(id, _)| *id == frame.stream) {
            add(wire, frame.length, frame.heads());
        }
    }
}

impl Drop for CountedStream {
    fn drop(&mut self) {
        let mut streams = self.streams.0.borrow_mut();
        if let Some(at) = streams.iter().position(|(id, _)| *id == self.id) {
            streams.swap_remove(at);
        }
    }
}

impl<S> Http2CallStream<S> {
    /// A new connection, and the streams on it that count: none yet.
    pub fn new(stream: S) -> (Self, Rc<CountedStreams>) {
        let calls = Rc::<CountedStreams>::default();
        let this = Self {
            stream,
            received: Frames::default(),
            written: Frames::after_preface(),
            calls: Rc::clone(&calls),
        };
        (this, calls)
    }

    fn wrote(&mut self, bytes: &[u8]) {
        let calls = &self.calls;
        self.written
            .feed(bytes, |frame| calls.add(&frame, CallWire::add_sent));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Http2CallStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = into.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, into))?;
        let calls = &this.calls;
        this.received.feed(&into.filled()[before..], |frame| {
            calls.add(&frame, CallWire::add_received);
        });
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Http2CallStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.wrote(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, pieces))?;
        let mut left = count;
        for piece in pieces {
            let here = piece.len().min(left);
            self.wrote(&piece[..here]);
            left -= here;
        }
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
