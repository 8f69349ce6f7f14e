//! The client's HTTP/1 connection, between hyper and the socket. It does what hyper's server does not: it notices a
//! client that leaves while its request waits for an upstream, lets no client take for ever to send a request's head,
//! sends interim responses (103 and other 1xx, but 100), sees what a request's framing hides, and knows when there is
//! nothing to do, so that hyper can be let go until there is.
//!
//! Both ends, [`HyperIo`] in hyper's hands and [`ConnectionMonitor`] beside it, are polled by the same task.

pub mod interim;
pub mod served;
mod closing;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http::{Response, StatusCode, Version, header};
use http_body::Body;
use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::codec::metered::{HeadKind, Metered};
use crate::codec::trailers;
use crate::codec::trailers::Tail;
use crate::http::framing::target::Odd;
use crate::http::framing::{Flaw, Framing};
use crate::http::http1_io::interim::{Busy, InformationalHandle};
use crate::http::http1_io::served::HyperIo;
use crate::lock::lock;
use crate::report::facts::WireBytes;

/// Bytes that are read ahead of hyper to see whether the client is there. More is left where it is.
const AHEAD_MAX: usize = 4096;

/// How long a request goes on whose client has closed its sending side, and gets nothing. It may only have said all it had
/// to say, which looks the same as having left.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(5);

/// The connection as its watcher has it. It owns the stream; hyper comes and goes.
#[derive(Debug)]
pub struct ConnectionMonitor<S>(Arc<Mutex<Inner<S>>>);

/// What the watcher sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// The client is gone.
    Gone,
    /// The client takes too long for a request's head.
    Slow,
    /// All is answered and nothing has come: hyper holds nothing that would be missed.
    Idle,
}

/// A request that came.
#[derive(Debug)]
pub struct RequestStart {
    /// Its number on the connection, from 1.
    pub number: u64,
    /// The way to announce its answer.
    pub informational: InformationalHandle,
    /// What its framing hides.
    pub flaw: Option<Flaw>,
    /// What was replaced in its target.
    pub odd: Vec<Odd>,
}

#[derive(Debug)]
struct Inner<S> {
    stream: Metered<S>,
    /// Bytes that were written, and those of heads among them, before the response to the request that began last.
    written_before: (u64, u64),
    /// Read, but not yet by hyper.
    ahead: VecDeque<u8>,
    /// What hyper gets in front of the next bytes: the end of a line, as long as it may be none.
    held: &'static [u8],
    /// The client sends no more: since when, or since when it got nothing after that.
    ended: Option<Instant>,
    /// The client takes no more at present.
    stuck: bool,
    /// Hyper asked for more, and there was nothing.
    quiet: bool,
    /// Hyper has written since it last flushed: it may hold the rest of a message.
    writing: bool,
    /// Interim responses to be written.
    interim: VecDeque<u8>,
    /// A request is with us, its response not begun.
    waiting: bool,
    /// A request, or its response, is under way.
    busy: bool,
    /// So is what hyper holds of the response.
    answering: bool,
    /// The response under way is sent in chunks.
    in_chunks: bool,
    /// Lines of its head that hyper would leave out.
    lines: Vec<u8>,
    /// Its trailers, to be sent at its end.
    tail: Option<Tail>,
    /// What hyper says that nobody asked it to: its own answer to what it cannot read.
    unasked: Vec<u8>,
    framing: Framing,
    /// Requests that began.
    begun: u64,
    /// One did since [`ConnectionMonitor::was_used`] was asked.
    used: bool,
    /// It is no HTTP connection any more.
    upgraded: bool,
    /// When the head began to come that is not complete.
    head_since: Option<Instant>,
    /// To be woken when there is something to send.
    task: Option<Waker>,
    informational: Option<InformationalHandle>,
}

/// A connection, watched.
pub fn watched<S>(stream: S) -> ConnectionMonitor<S> {
    ConnectionMonitor(Arc::new(Mutex::new(Inner {
        stream: Metered::new(stream),
        written_before: (0, 0),
        ahead: VecDeque::new(),
        held: b"",
        ended: None,
        stuck: false,
        quiet: false,
        writing: false,
        interim: VecDeque::new(),
        waiting: false,
        busy: false,
        answering: false,
        in_chunks: false,
        lines: Vec::new(),
        tail: None,
        unasked: Vec::new(),
        framing: Framing::default(),
        begun: 0,
        used: false,
        upgraded: false,
        head_since: None,
        task: None,
        informational: None,
    })))
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> ConnectionMonitor<S> {
    /// The end for hyper. Only one at a time may be in use.
    pub fn line(&self) -> HyperIo<S> {
        HyperIo(Arc::clone(&self.0))
    }

    /// A request's head has come; the answer is being looked for. It can be announced.
    pub fn begin(&self) -> RequestStart {
        let mut inner = lock(&self.0);
        inner.head_since = None;
        inner.quiet = false;
        inner.waiting = true;
        inner.busy = true;
        inner.answering = true;
        inner.used = true;
        inner.begun += 1;
        let number = inner.begun;
        inner.framing.forget_before(number);
        inner.expect_response();
        let flaw = inner.framing.flaw(number);
        let odd = inner.framing.take_odd(number);
        let informational = inner
            .informational
            .get_or_insert_with(|| InformationalHandle::on(Arc::downgrade(&self.0)));
        RequestStart {
            number,
            informational: informational.clone(),
            flaw,
            odd,
        }
    }

    /// The answer to a request of this version is there, and hyper gets it now.
    pub fn answered<B: Body>(
        &self,
        mut response: Response<B>,
        version: Version,
        informational: InformationalHandle,
    ) -> Response<Busy<B>> {
        let mut inner = lock(&self.0);
        inner.waiting = false;
        let lines = framing_lines(&mut response, version);
        let (headers, body) = (response.headers(), response.body());
        inner.in_chunks =
            version != Version::HTTP_10 && trailers::may_follow(response.version(), headers, body);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            inner.upgraded = true;
            inner.framing.stop();
        }
        if inner.writing {
            // The answer may join what hyper still holds; nothing can come before it any more.
            inner.interim.clear();
        } else {
            inner.lines = lines;
        }
        response.map(|body| Busy::new(body, informational))
    }

    /// The bytes so far of the request of this number, from 1, and of the response to it.
    pub fn wire_bytes(&self, request: u64) -> WireBytes {
        let inner = lock(&self.0);
        let size = inner.framing.size(request);
        let (bytes, heads) = inner.written_before;
        WireBytes {
            received: size.total,
            sent: inner.stream.written.bytes() - bytes,
            header_received: size.head,
            header_sent: inner.stream.written.heads() - heads,
        }
    }

    /// Whether no response is on its way to the socket.
    pub fn is_sent(&self) -> bool {
        let inner = lock(&self.0);
        !inner.busy && !inner.answering
    }

    /// The same connection.
    pub fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Whether a request ever came.
    pub fn has_begun(&self) -> bool {
        lock(&self.0).begun > 0
    }

    /// Whether more of the request that began last is to come.
    pub fn is_in_body(&self) -> bool {
        let inner = lock(&self.0);
        // The body may be that of the next one already.
        inner.framing.is_in_body() && inner.framing.heads() == inner.begun
    }

    /// Returns when the connection is to be ended, or, if that matters, is idle. A head that began to come must be
    /// complete within `head_max`.
    pub async fn next_event(
        &self,
        head_max: Option<Duration>,
        idle_matters: bool,
    ) -> ConnectionEvent {
        let mut alarm: Option<Pin<Box<Sleep>>> = None;
        poll_fn(move |context| {
            let mut inner = lock(&self.0);
            inner.poll_send(context);
            if idle_matters && inner.is_idle() {
                return Poll::Ready(ConnectionEvent::Idle);
            }
            let gone = inner.poll_gone(context);
            let slow = head_max.and_then(|max| Some(inner.head_since? + max));
            let (seen, at) = match (gone, slow) {
                (Poll::Ready(None), _) => return Poll::Ready(ConnectionEvent::Gone),
                (Poll::Ready(Some(at)), _) => (ConnectionEvent::Gone, at),
                (Poll::Pending, Some(at)) => (ConnectionEvent::Slow, at),
                (Poll::Pending, None) => {
                    alarm = None;
                    return Poll::Pending;
                }
            };
            // A timer only where something has to come in time.
            let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if alarm.deadline() != at {
                alarm.as_mut().reset(at);
            }
            alarm.as_mut().poll(context).map(|()| seen)
        })
        .await
    }

    /// Whether requests came, and all were answered.
    pub fn has_served(&self) -> bool {
        let inner = lock(&self.0);
        inner.begun > 0 && !inner.busy && !inner.answering
    }

    /// Whether a request began since this was last asked.
    pub fn was_used(&self) -> bool {
        std::mem::take(&mut lock(&self.0).used)
    }

    /// Waits, without hyper, for the client's next word; `false` when it closed or reset the connection. To be called
    /// when all is idle.
    pub async fn spoken(&self) -> bool {
        {
            let mut inner = lock(&self.0);
            inner.quiet = false;
            inner.head_since = None;
            inner.informational = None;
            inner.task = None;
        }
        poll_fn(|context| {
            let mut inner = lock(&self.0);
            let read = ready!(inner.poll_ahead(context));
            Poll::Ready(matches!(read, Ok(1..)))
        })
        .await
    }
}

/// Takes the framing out of a head without content, which hyper does not let such a head say: that of the answer to a
/// HEAD, whose coding stays in until here, and of a 304, whose length does, too (RFC 9110, 8.6; RFC 9112, 6.1).
fn framing_lines<B>(response: &mut Response<B>, version: Version) -> Vec<u8> {
    let unchanged = response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    let mut lines = Vec::new();
    let coding = headers.remove(header::TRANSFER_ENCODING);
    let length = match unchanged {
        true => headers.remove(header::CONTENT_LENGTH),
        false => None,
    };
    let coding = coding.filter(|_| version != Version::HTTP_10);
    for (name, value) in [
        ("transfer-encoding: ", coding),
        ("content-length: ", length),
    ] {
        if let Some(value) = value {
            lines.extend_from_slice(name.as_bytes());
            lines.extend_from_slice(value.as_bytes());
            lines.extend_from_slice(b"\r\n");
        }
    }
    lines
}

impl<S> Inner<S> {
    /// What is written from now on is the response to the request that began last.
    fn expect_response(&mut self) {
        let written = &mut self.stream.written;
        self.written_before = (written.bytes(), written.heads());
        written.expect_head(HeadKind::Response);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inner<S> {
    /// Puts the lines that hyper left out behind the first line of a head that it writes; how many bytes of it that was.
    fn put_lines(&mut self, head: &[u8]) -> Option<usize> {
        let lines = std::mem::take(&mut self.lines);
        let end = memchr(b'\n', head)? + 1;
        self.interim.extend(&head[..end]);
        self.interim.extend(lines);
        // What is written next comes behind them.
        self.writing = false;
        Some(end)
    }

    /// Whether hyper has been given whole requests only, all are answered, and it waits for another.
    fn is_idle(&self) -> bool {
        self.quiet
            && !self.busy
            && !self.answering
            && !self.writing
            && self.interim.is_empty()
            && self.unasked.is_empty()
            && self.framing.is_between()
            && self.framing.heads() == self.begun
    }

    /// Sends interim responses, where hyper is not in the middle of a message.
    fn poll_send(&mut self, context: &mut Context<'_>) {
        if self.interim.is_empty() {
            match &self.task {
                Some(task) if task.will_wake(context.waker()) => {}
                _ => self.task = Some(context.waker().clone()),
            }
        } else if !self.writing {
            // What cannot be written is found out by hyper.
            let _ = self.poll_interim(context);
        }
    }

    fn poll_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let (next, _) = self.interim.as_slices();
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, next))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.interim.drain(..count);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Whether the client has left a request that waits, or whose answer does not go on: at once, or at that time at the
    /// latest.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<Option<Instant>> {
        if !self.waiting && (!self.answering || self.upgraded) {
            return Poll::Pending;
        }
        while self.ended.is_none() && self.ahead.len() < AHEAD_MAX {
            if ready!(self.poll_ahead(context)).is_err() {
                return Poll::Ready(None);
            }
            // Hyper may have been waiting for it.
            context.waker().wake_by_ref();
        }
        match self.ended {
            // Who is gone, and is sent something, resets the connection.
            Some(ended) if !self.stuck => Poll::Ready(Some(ended + HALF_CLOSED_MAX)),
            _ => Poll::Pending,
        }
    }

    /// Notes what became of something written.
    fn wrote(&mut self, written: &Poll<io::Result<usize>>) {
        self.stuck = written.is_pending();
        if let Some(ended) = &mut self.ended {
            *ended = Instant::now();
        }
    }

    /// Reads ahead of hyper: how many bytes. None is the end.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.ended.is_some() {
            return Poll::Ready(Ok(0));
        }
        let mut space = [const { MaybeUninit::uninit() }; AHEAD_MAX];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let count = buffer.filled().len();
        if count == 0 {
            self.ended = Some(Instant::now());
        }
        self.ahead.extend(buffer.filled());
        Poll::Ready(Ok(count))
    }

    /// Gives hyper what was read ahead, or else reads. Nothing more is the end.
    fn poll_give(
        &mut self,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let (next, _) = self.ahead.as_slices();
            let count = next.len().min(into.remaining());
            into.put_slice(&next[..count]);
            self.ahead.drain(..count);
            if self.ahead.is_empty() {
                self.ahead = VecDeque::new();
            }
            return Poll::Ready(Ok(()));
        }
        if self.ended.is_some() {
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if into.filled().len() == before {
            self.ended = Some(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
