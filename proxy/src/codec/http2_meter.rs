//! Counts the frames of HTTP/2 streams that go over a connection, by their length on the wire.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::report::facts::WireBytes;

/// The length of the connection preface (RFC 9113, 3.4).
const PREFACE: usize = 24;

/// The length of a frame's header (RFC 9113, 4.1).
const FRAME_HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The limit of streams with counts at a time. At the limit the oldest one is removed: streams that a client opens and
/// that are not served are never read from here.
const STREAMS_MAX: usize = 2048;

/// Follows the frames of one direction.
#[derive(Debug, Default)]
struct Frames {
    /// The rest of the preface in bytes.
    preface: usize,
    header: [u8; FRAME_HEADER],
    header_length: usize,
    /// The rest of a frame's payload.
    left: usize,
}

/// A frame of the connection.
struct Frame {
    stream: u32,
    kind: u8,
    flags: u8,
    /// Its length, header and payload.
    length: u64,
}

impl Frames {
    fn after_preface() -> Self {
        Self {
            preface: PREFACE,
            ..Self::default()
        }
    }

    /// Feeds the next bytes, and calls `on_frame` for each frame that ends in them.
    fn feed(&mut self, mut bytes: &[u8], mut on_frame: impl FnMut(Frame)) {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        bytes = &bytes[preface..];
        while !bytes.is_empty() {
            if self.header_length < FRAME_HEADER {
                let count = (FRAME_HEADER - self.header_length).min(bytes.len());
                self.header[self.header_length..][..count].copy_from_slice(&bytes[..count]);
                self.header_length += count;
                bytes = &bytes[count..];
                if self.header_length < FRAME_HEADER {
                    return;
                }
                self.left = payload_length(self.header);
            }
            let count = self.left.min(bytes.len());
            self.left -= count;
            bytes = &bytes[count..];
            if self.left == 0 {
                self.header_length = 0;
                let [_, _, _, kind, flags, id @ ..] = self.header;
                on_frame(Frame {
                    stream: u32::from_be_bytes(id) & (u32::MAX >> 1),
                    kind,
                    flags,
                    length: (FRAME_HEADER + payload_length(self.header)) as u64,
                });
            }
        }
    }
}

fn payload_length([a, b, c, ..]: [u8; FRAME_HEADER]) -> usize {
    usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
}

/// One stream, with what waits for its end.
#[derive(Debug)]
struct Stream<T> {
    id: u32,
    bytes: WireBytes,
    /// Our side of the stream ends with the header block that is being sent.
    ending: bool,
    /// Our side of the stream has ended.
    sent: bool,
    waiting: Option<T>,
}

/// The streams of a connection, by their ids, which grow.
#[derive(Debug)]
pub struct Streams<T>(RefCell<Open<T>>);

#[derive(Debug)]
struct Open<T> {
    streams: VecDeque<Stream<T>>,
    over: bool,
}

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self(RefCell::new(Open {
            streams: VecDeque::new(),
            over: false,
        }))
    }
}

impl<T> Open<T> {
    fn find(&self, id: u32) -> Result<usize, usize> {
        match self.streams.back() {
            Some(last) if last.id == id => Ok(self.streams.len() - 1),
            Some(last) if last.id < id => Err(self.streams.len()),
            _ => self.streams.binary_search_by_key(&id, |stream| stream.id),
        }
    }

    /// The stream, which is a new one if it is not known and later than all that are.
    fn stream(&mut self, id: u32) -> Option<&mut Stream<T>> {
        match self.find(id) {
            Ok(at) => self.streams.get_mut(at),
            Err(at) if at == self.streams.len() => {
                if at >= STREAMS_MAX {
                    self.streams.pop_front();
                }
                self.streams.push_back(Stream {
                    id,
                    bytes: WireBytes::default(),
                    ending: false,
                    sent: false,
                    waiting: None,
                });
                self.streams.back_mut()
            }
            Err(_) => None,
        }
    }
}

impl<T> Streams<T> {
    /// Removes a stream and returns its bytes so far.
    pub fn take(&self, id: u32) -> WireBytes {
        let mut open = self.0.borrow_mut();
        let at = open.find(id).ok();
        let stream = at.and_then(|at| open.streams.remove(at));
        stream.map_or_else(WireBytes::default, |stream| stream.bytes)
    }

    /// Keeps `waiting` until our side of a stream has ended, and passes it to the connection's `sent` then.
    ///
    /// # Errors
    /// Our side has ended already: `waiting` with the stream's bytes.
    pub fn wait(&self, id: u32, waiting: T) -> Result<(), (T, WireBytes)> {
        let mut open = self.0.borrow_mut();
        let over = open.over;
        match open.find(id).ok().map(|at| (at, &mut open.streams[at])) {
            Some((_, stream)) if !stream.sent && !over => {
                stream.waiting = Some(waiting);
                Ok(())
            }
            Some((at, stream)) => {
                let bytes = stream.bytes;
                open.streams.remove(at);
                Err((waiting, bytes))
            }
            None => Err((waiting, WireBytes::default())),
        }
    }

    fn received(&self, frame: &Frame, opens: bool) -> Option<(T, WireBytes)> {
        let mut open = self.0.borrow_mut();
        let known = open.find(frame.stream).is_ok();
        if !(known || opens && frame.kind == HEADERS) {
            return None;
        }
        let stream = open.stream(frame.stream)?;
        stream.bytes.received += frame.length;
        if matches!(frame.kind, HEADERS | CONTINUATION) {
            stream.bytes.header_received += frame.length;
        }
        if frame.kind == RST_STREAM {
            return open.end(frame.stream);
        }
        None
    }

    fn sent(&self, frame: &Frame, opens: bool) -> Option<(T, WireBytes)> {
        let mut open = self.0.borrow_mut();
        let known = open.find(frame.stream).is_ok();
        if !(known || opens && frame.kind == HEADERS) {
            return None;
        }
        let stream = open.stream(frame.stream)?;
        stream.bytes.sent += frame.length;
        let ended = match frame.kind {
            HEADERS | CONTINUATION => {
                stream.bytes.header_sent += frame.length;
                stream.ending |= frame.kind == HEADERS && frame.flags & END_STREAM != 0;
                stream.ending && frame.flags & END_HEADERS != 0
            }
            DATA => frame.flags & END_STREAM != 0,
            RST_STREAM => true,
            _ => false,
        };
        if ended { open.end(frame.stream) } else { None }
    }

    /// Everything that waits, since the connection is over.
    fn end(&self) -> Vec<(T, WireBytes)> {
        let mut open = self.0.borrow_mut();
        open.over = true;
        let waiting = |stream: &mut Stream<T>| Some((stream.waiting.take()?, stream.bytes));
        open.streams.iter_mut().filter_map(waiting).collect()
    }
}

impl<T> Open<T> {
    /// Notes that our side of a stream has ended. A stream with a waiter is removed.
    fn end(&mut self, id: u32) -> Option<(T, WireBytes)> {
        let at = self.find(id).ok()?;
        let stream = &mut self.streams[at];
        stream.sent = true;
        let waiting = stream.waiting.take()?;
        let bytes = stream.bytes;
        self.streams.remove(at);
        Some((waiting, bytes))
    }
}

/// Our side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The server.
    Server,
    /// The client.
    Client,
}

/// A connection that counts the frames of its streams.
#[derive(Debug)]
pub struct FramesMetered<S, T> {
    stream: S,
    role: Role,
    received: Frames,
    written: Frames,
    streams: Rc<Streams<T>>,
    /// Gets what waited for the end of a stream.
    release: fn(T, WireBytes),
}

impl<S, T> FramesMetered<S, T> {
    /// Counts the frames of a new connection.
    pub fn new(stream: S, role: Role, release: fn(T, WireBytes)) -> Self {
        let (received, written) = match role {
            Role::Server => (Frames::after_preface(), Frames::default()),
            Role::Client => (Frames::default(), Frames::after_preface()),
        };
        Self {
            stream,
            role,
            received,
            written,
            streams: Rc::default(),
            release,
        }
    }

    /// Its streams.
    pub fn streams(&self) -> Rc<Streams<T>> {
        Rc::clone(&self.streams)
    }

    fn wrote(&mut self, bytes: &[u8]) {
        let (streams, release) = (&self.streams, self.release);
        let opens = self.role == Role::Client;
        self.written.feed(bytes, |frame| {
            if let Some((waiting, bytes)) = streams.sent(&frame, opens) {
                release(waiting, bytes);
            }
        });
    }

    fn read(&mut self, bytes: &[u8]) {
        let (streams, release) = (&self.streams, self.release);
        let opens = self.role == Role::Server;
        self.received.feed(bytes, |frame| {
            if let Some((waiting, bytes)) = streams.received(&frame, opens) {
                release(waiting, bytes);
            }
        });
    }
}

impl<S, T> Drop for FramesMetered<S, T> {
    fn drop(&mut self) {
        for (waiting, bytes) in self.streams.end() {
            (self.release)(waiting, bytes);
        }
    }
}

impl<S: AsyncRead + Unpin, T> AsyncRead for FramesMetered<S, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        self.read(&into.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, T> AsyncWrite for FramesMetered<S, T> {
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
