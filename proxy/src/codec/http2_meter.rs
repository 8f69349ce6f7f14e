//! Counts the frames of HTTP/2 streams that go over a connection, by their length on the wire, and ends a connection whose peer
//! sends too many without a purpose.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use h2::Reason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::codec::http2_calm::Allowance;
use crate::codec::http2_frames::{Frame, Frames, flag, goaway, kind};
use crate::report::facts::WireBytes;

/// The limit of streams with counts at a time. At the limit the oldest one is removed: streams that a client opens and
/// that are not served are never read from here.
const STREAMS_MAX: usize = 2048;

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
pub struct Streams<T> {
    open: RefCell<Open<T>>,
    flooded: Cell<bool>,
}

#[derive(Debug)]
struct Open<T> {
    streams: VecDeque<Stream<T>>,
    over: bool,
}

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self {
            open: RefCell::new(Open {
                streams: VecDeque::new(),
                over: false,
            }),
            flooded: Cell::new(false),
        }
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
    /// Whether the peer sent more frames without a purpose than it may.
    pub fn is_flooded(&self) -> bool {
        self.flooded.get()
    }

    /// Removes a stream and returns its bytes so far.
    pub fn take(&self, id: u32) -> WireBytes {
        let mut open = self.open.borrow_mut();
        let at = open.find(id).ok();
        let stream = at.and_then(|at| open.streams.remove(at));
        stream.map_or_else(WireBytes::default, |stream| stream.bytes)
    }

    /// Keeps `waiting` until our side of a stream has ended, and passes it to the connection's `sent` then.
    ///
    /// # Errors
    /// Our side has ended already: `waiting` with the stream's bytes.
    pub fn wait(&self, id: u32, waiting: T) -> Result<(), (T, WireBytes)> {
        let mut open = self.open.borrow_mut();
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
        let mut open = self.open.borrow_mut();
        let known = open.find(frame.stream).is_ok();
        if !(known || opens && frame.kind == kind::HEADERS) {
            return None;
        }
        let stream = open.stream(frame.stream)?;
        stream.bytes.received += frame.length;
        if matches!(frame.kind, kind::HEADERS | kind::CONTINUATION) {
            stream.bytes.header_received += frame.length;
        }
        if frame.kind == kind::RST_STREAM {
            return open.end(frame.stream);
        }
        None
    }

    fn sent(&self, frame: &Frame, opens: bool) -> Option<(T, WireBytes)> {
        let mut open = self.open.borrow_mut();
        let known = open.find(frame.stream).is_ok();
        if !(known || opens && frame.kind == kind::HEADERS) {
            return None;
        }
        let stream = open.stream(frame.stream)?;
        stream.bytes.sent += frame.length;
        let ended = match frame.kind {
            kind::HEADERS | kind::CONTINUATION => {
                stream.bytes.header_sent += frame.length;
                stream.ending |= frame.kind == kind::HEADERS && frame.flags & flag::END_STREAM != 0;
                stream.ending && frame.flags & flag::END_HEADERS != 0
            }
            kind::DATA => frame.flags & flag::END_STREAM != 0,
            kind::RST_STREAM => true,
            _ => false,
        };
        if ended { open.end(frame.stream) } else { None }
    }

    /// Everything that waits, since the connection is over.
    fn end(&self) -> Vec<(T, WireBytes)> {
        let mut open = self.open.borrow_mut();
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

/// Why a connection is ended whose peer floods it.
pub const FLOODED: &str = "too many HTTP/2 frames that serve no purpose";

/// Bytes that are read before other connections have their turn.
const TURN_MAX: usize = 64 << 10;

/// As many where most frames serve no purpose: each costs more than its bytes.
const TURN_OF_FLOOD_MAX: usize = 256;

/// The mean length of frames of which many fit into a turn.
const SHORT: usize = 64;

/// A connection that counts the frames of its streams.
#[derive(Debug)]
pub struct FramesMetered<S, T> {
    stream: S,
    role: Role,
    received: Frames,
    written: Frames,
    streams: Rc<Streams<T>>,
    /// What the peer may send beside what serves a purpose.
    allowance: Allowance,
    /// The last stream that the peer opened.
    last: u32,
    /// Bytes that may still be read in this turn.
    turn: usize,
    /// Bytes that may be read in the next one.
    next_turn: usize,
    /// The last write took all that it was given, so that the next one begins a frame.
    between_frames: bool,
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
            allowance: Allowance::default(),
            last: 0,
            turn: TURN_MAX,
            next_turn: TURN_MAX,
            between_frames: true,
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
        let allowance = &mut self.allowance;
        self.written.feed(bytes, |frame| {
            allowance.sent(&frame);
            if let Some((waiting, bytes)) = streams.sent(&frame, opens) {
                release(waiting, bytes);
            }
        });
    }

    /// Takes what was read. Returns `false` when the peer sends too much that serves no purpose.
    fn read(&mut self, bytes: &[u8]) -> bool {
        let (streams, release) = (&self.streams, self.release);
        let opens = self.role == Role::Server;
        let (allowance, last, mut is_calm) = (&mut self.allowance, &mut self.last, true);
        let (mut frames, mut priced) = (0, 0);
        self.received.feed(bytes, |frame| {
            frames += 1;
            if opens {
                priced += usize::from(Allowance::price(&frame) > 0);
                is_calm &= allowance.received(&frame);
            }
            *last = frame.stream.max(*last);
            if let Some((waiting, bytes)) = streams.received(&frame, opens) {
                release(waiting, bytes);
            }
        });
        let is_flood = 2 * priced > frames && bytes.len() < frames * SHORT;
        self.next_turn = match is_flood {
            true => TURN_OF_FLOOD_MAX,
            false => TURN_MAX,
        };
        is_calm
    }
}

impl<S: AsyncWrite + Unpin, T> FramesMetered<S, T> {
    /// Ends the connection, and says why where that can be said at once.
    fn end(&mut self, context: &mut Context<'_>) -> io::Error {
        self.streams.flooded.set(true);
        if self.between_frames {
            let goaway = goaway(self.last, Reason::ENHANCE_YOUR_CALM);
            // A peer that does not read it does not get it.
            let _ = Pin::new(&mut self.stream).poll_write(context, &goaway);
            let _ = Pin::new(&mut self.stream).poll_flush(context);
        }
        io::Error::other(FLOODED)
    }
}

impl<S, T> Drop for FramesMetered<S, T> {
    fn drop(&mut self) {
        for (waiting, bytes) in self.streams.end() {
            (self.release)(waiting, bytes);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, T> AsyncRead for FramesMetered<S, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.turn == 0 {
            this.turn = this.next_turn;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        let read = if into.remaining() <= this.turn {
            Pin::new(&mut this.stream).poll_read(context, into)
        } else {
            let mut part = ReadBuf::new(into.initialize_unfilled_to(this.turn));
            let read = Pin::new(&mut this.stream).poll_read(context, &mut part);
            let count = part.filled().len();
            into.advance(count);
            read
        };
        let Poll::Ready(read) = read else {
            this.turn = this.next_turn;
            return Poll::Pending;
        };
        read?;
        let bytes = &into.filled()[before..];
        if !this.read(bytes) {
            return Poll::Ready(Err(this.end(context)));
        }
        this.turn = this.turn.saturating_sub(bytes.len()).min(this.next_turn);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, T> AsyncWrite for FramesMetered<S, T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.between_frames = matches!(&written, Poll::Ready(Ok(count)) if *count == bytes.len());
        let count = ready!(written)?;
        self.wrote(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        let all = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        self.between_frames = matches!(&written, Poll::Ready(Ok(count)) if *count == all);
        let count = ready!(written)?;
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
