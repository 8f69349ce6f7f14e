//! What is known of a connection of HTTP/1, and its stream.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::codec::metered::Metered;
use crate::codec::trailers::Tail;
use crate::http::framing::Framing;
use crate::http::http1_io::informational::InformationalHandle;

/// Bytes that are read ahead of hyper to see whether the client is there. More is left where it is.
const AHEAD_MAX: usize = 4096;

/// How long a request goes on whose client has closed its sending side, and gets nothing. It may only have said all it had
/// to say, which looks the same as having left.
pub(super) const HALF_CLOSED_MAX: Duration = Duration::from_secs(5);

/// A connection, and what is known of it.
#[derive(Debug)]
pub(super) struct State<S> {
    pub(super) stream: Metered<S>,
    /// Bytes that were written, and those of heads among them, before the response to the request that began last.
    pub(super) written_before: (u64, u64),
    /// Read, but not yet by hyper.
    pub(super) ahead: VecDeque<u8>,
    /// What hyper gets in front of the next bytes: the end of a line, as long as it may be none.
    pub(super) held: &'static [u8],
    /// The client sends no more: since when, or since when it got nothing after that.
    pub(super) ended: Option<Instant>,
    /// The client takes no more at present.
    pub(super) stuck: bool,
    /// Hyper asked for more, and there was nothing.
    pub(super) quiet: bool,
    /// Hyper has written since it last flushed: it may hold the rest of a message.
    pub(super) writing: bool,
    /// Interim responses to be written.
    pub(super) informational_bytes: VecDeque<u8>,
    /// A request is with us, its response not begun.
    pub(super) waiting: bool,
    /// A request, or its response, is under way.
    pub(super) busy: bool,
    /// So is what hyper holds of the response.
    pub(super) answering: bool,
    /// The response under way is sent in chunks.
    pub(super) in_chunks: bool,
    /// Lines of its head that hyper would leave out.
    pub(super) lines: Vec<u8>,
    /// Its trailers, to be sent at its end.
    pub(super) tail: Option<Tail>,
    /// What hyper says that nobody asked it to: its own answer to what it cannot read.
    pub(super) unasked: Vec<u8>,
    pub(super) framing: Framing,
    /// Requests that began.
    pub(super) begun: u64,
    /// One did since `ConnectionMonitor::was_used` was asked.
    pub(super) used: bool,
    /// It is no HTTP connection any more.
    pub(super) upgraded: bool,
    /// When the head began to come that is not complete.
    pub(super) head_since: Option<Instant>,
    /// To be woken when the client takes more.
    pub(super) room: Option<Waker>,
    /// To be woken when there is something to send.
    pub(super) task: Option<Waker>,
    pub(super) informational: Option<InformationalHandle>,
}

impl<S> State<S> {
    /// A connection on which nothing was read yet.
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream: Metered::new(stream),
            written_before: (0, 0),
            ahead: VecDeque::new(),
            held: b"",
            ended: None,
            stuck: false,
            quiet: false,
            writing: false,
            informational_bytes: VecDeque::new(),
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
            room: None,
            task: None,
            informational: None,
        }
    }

    /// What is written from now on is the response to the request that began last.
    pub(super) fn expect_response(&mut self) {
        let written = &mut self.stream.written;
        self.written_before = (written.bytes(), written.field_bytes());
        written.expect_head();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> State<S> {
    /// Puts the lines that hyper left out behind the first line of a head that it writes; how many bytes of it that was.
    pub(super) fn put_lines(&mut self, head: &[u8]) -> Option<usize> {
        let lines = std::mem::take(&mut self.lines);
        let end = memchr(b'\n', head)? + 1;
        self.informational_bytes.extend(&head[..end]);
        self.informational_bytes.extend(lines);
        // What is written next comes behind them.
        self.writing = false;
        Some(end)
    }

    /// Whether hyper has been given whole requests only, all are answered, and it waits for another.
    pub(super) fn is_idle(&self) -> bool {
        self.quiet
            && !self.busy
            && !self.answering
            && !self.writing
            && self.informational_bytes.is_empty()
            && self.unasked.is_empty()
            && self.framing.is_between()
            && self.framing.heads() == self.begun
    }

    /// The bytes that have moved, where the client keeps us waiting: it takes no more of a response, or sends no more of a
    /// request that it began. A request counts as many bytes.
    pub(super) fn moved_of_stalled(&self) -> Option<u64> {
        let sends_no_more = self.quiet && (self.head_since.is_some() || self.framing.is_in_body());
        let stalls = !self.upgraded && (self.stuck || sends_no_more);
        stalls.then(|| {
            let received = self.framing.size(self.begun).total;
            (self.begun << 32) + self.stream.written.bytes() + received
        })
    }

    /// Sends informational responses, where hyper is not in the middle of a message.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) {
        if self.informational_bytes.is_empty() {
            match &self.task {
                Some(task) if task.will_wake(context.waker()) => {}
                _ => self.task = Some(context.waker().clone()),
            }
        } else if !self.writing {
            // What cannot be written is found out by hyper.
            let _ = self.poll_informational(context);
        }
    }

    pub(super) fn poll_informational(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.informational_bytes.is_empty() {
            let (next, _) = self.informational_bytes.as_slices();
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, next))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.informational_bytes.drain(..count);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Whether the client has left a request that waits, or whose answer does not go on: at once, or at that time at the
    /// latest.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<Option<Instant>> {
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
    pub(super) fn wrote(&mut self, written: &Poll<io::Result<usize>>) {
        self.stuck = written.is_pending();
        if !self.stuck
            && let Some(waiting) = self.room.take()
        {
            waiting.wake();
        }
        if let Some(ended) = &mut self.ended {
            *ended = Instant::now();
        }
    }

    /// Reads ahead of hyper: how many bytes. None is the end.
    pub(super) fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
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
    pub(super) fn poll_give(
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
