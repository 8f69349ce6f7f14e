//! The client's HTTP/1 connection, between hyper and the socket. It does what hyper's server does not: it notices a
//! client that leaves while its request waits for an upstream, lets no client take for ever to send a request's head,
//! and sends interim responses (103 and other 1xx, but 100).
//!
//! Both ends, [`Line`] in hyper's hands and [`Watch`] beside it, are polled by the same task.

use std::collections::VecDeque;
use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;
use std::time::Duration;

use http::HeaderMap;
use http::StatusCode;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep_until;

/// Bytes that are read ahead of hyper to see whether the client is there. More is left where it is.
const AHEAD_MAX: usize = 4096;

/// Bytes of interim responses that wait to be sent; those after them are dropped.
const INTERIM_MAX: usize = 16 << 10;

/// How long a request goes on whose client has closed its sending side. It may only have said all it had to say, which
/// looks the same as having left.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(5);

/// The connection as hyper has it.
#[derive(Debug)]
pub struct Line<S>(Arc<Mutex<Inner<S>>>);

/// The connection as its watcher has it.
#[derive(Debug)]
pub struct Watch<S>(Arc<Mutex<Inner<S>>>);

/// The way to send interim responses.
#[derive(Clone)]
pub struct Early(Arc<dyn Serves + Send + Sync>);

/// Why a connection is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The client is gone.
    Gone,
    /// The client takes too long for a request's head.
    Slow,
}

#[derive(Debug)]
struct Inner<S> {
    stream: S,
    /// Read, but not yet by hyper.
    ahead: VecDeque<u8>,
    /// The client sends no more: since when.
    ended: Option<Instant>,
    /// Hyper has written since it last flushed: it may hold the rest of a message.
    writing: bool,
    /// Interim responses to be written.
    interim: VecDeque<u8>,
    /// A request is with us, its response not begun.
    waiting: bool,
    /// A request, or its response, is under way.
    busy: bool,
    /// When the head began to come that is not complete.
    head_since: Option<Instant>,
    /// To be woken when there is something to send.
    task: Option<Waker>,
    early: Option<Early>,
}

/// Both ends of a connection.
pub fn watched<S>(stream: S) -> (Line<S>, Watch<S>) {
    let inner = Arc::new(Mutex::new(Inner {
        stream,
        ahead: VecDeque::new(),
        ended: None,
        writing: false,
        interim: VecDeque::new(),
        waiting: false,
        busy: false,
        head_since: None,
        task: None,
        early: None,
    }));
    (Line(Arc::clone(&inner)), Watch(inner))
}

fn lock<S>(inner: &Mutex<Inner<S>>) -> MutexGuard<'_, Inner<S>> {
    // Nothing is left half done at any point that could panic.
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Watch<S> {
    /// A request has come whole; the answer is being looked for. It can be announced.
    pub fn begin(&self) -> Early {
        let mut inner = lock(&self.0);
        inner.head_since = None;
        inner.waiting = true;
        inner.busy = true;
        let early = inner.early.get_or_insert_with(|| {
            let weak = Arc::downgrade(&self.0);
            Early(Arc::new(Interim(weak)))
        });
        early.clone()
    }

    /// The answer is there, and hyper gets it now.
    pub fn answered<B>(
        &self,
        response: http::Response<B>,
        early: Early,
    ) -> http::Response<Busy<B>> {
        let mut inner = lock(&self.0);
        inner.waiting = false;
        if inner.writing {
            // The answer may join what hyper still holds; nothing can come before it any more.
            inner.interim.clear();
        }
        response.map(|body| Busy { body, early })
    }

    /// Returns when the connection is to be ended. A head that began to come must be complete within `head_max`.
    pub async fn left(&self, head_max: Option<Duration>) -> Left {
        let mut alarm: Option<Pin<Box<Sleep>>> = None;
        poll_fn(move |context| {
            let mut inner = lock(&self.0);
            inner.poll_send(context);
            let gone = inner.poll_gone(context);
            let slow = head_max.and_then(|max| Some(inner.head_since? + max));
            let (left, at) = match (gone, slow) {
                (Poll::Ready(None), _) => return Poll::Ready(Left::Gone),
                (Poll::Ready(Some(at)), _) => (Left::Gone, at),
                (Poll::Pending, Some(at)) => (Left::Slow, at),
                (Poll::Pending, None) => {
                    alarm = None;
                    return Poll::Pending;
                }
            };
            let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if alarm.deadline() != at {
                alarm.as_mut().reset(at);
            }
            alarm.as_mut().poll(context).map(|()| left)
        })
        .await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inner<S> {
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

    /// Whether the client has left a request that waits: at once, or at that time at the latest.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<Option<Instant>> {
        if !self.waiting {
            return Poll::Pending;
        }
        while self.ended.is_none() && self.ahead.len() < AHEAD_MAX {
            let mut space = [0; AHEAD_MAX];
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    self.ended = Some(Instant::now());
                }
                Poll::Ready(Ok(())) => self.ahead.extend(buffer.filled()),
            }
            // Hyper may have been waiting for it.
            context.waker().wake_by_ref();
        }
        match self.ended {
            Some(ended) => Poll::Ready(Some(ended + HALF_CLOSED_MAX)),
            None => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        if !inner.ahead.is_empty() {
            let (next, _) = inner.ahead.as_slices();
            let count = next.len().min(into.remaining());
            into.put_slice(&next[..count]);
            inner.ahead.drain(..count);
            if inner.ahead.is_empty() {
                inner.ahead = VecDeque::new();
            }
        } else if inner.ended.is_some() {
            return Poll::Ready(Ok(()));
        } else {
            let before = into.filled().len();
            ready!(Pin::new(&mut inner.stream).poll_read(context, into))?;
            if into.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
        }
        if !inner.busy && inner.head_since.is_none() {
            inner.head_since = Some(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = ready!(self.poll_writable(context))?;
        Pin::new(&mut inner.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = ready!(self.poll_writable(context))?;
        Pin::new(&mut inner.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        // Hyper flushes once it holds nothing itself.
        inner.writing = false;
        Pin::new(&mut inner.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).stream).poll_shutdown(context)
    }
}

/// What the connection does for a request, whatever it runs over.
trait Serves {
    fn send(&self, status: StatusCode, headers: &HeaderMap);
    fn done(&self);
}

struct Interim<S>(Weak<Mutex<Inner<S>>>);

impl<S> Serves for Interim<S> {
    fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let Some(inner) = self.0.upgrade() else {
            return;
        };
        let mut inner = lock(&inner);
        let head = written(status, headers);
        if !inner.waiting || inner.interim.len() + head.len() > INTERIM_MAX {
            return;
        }
        inner.interim.extend(head);
        if let Some(task) = inner.task.take() {
            task.wake();
        }
    }

    fn done(&self) {
        if let Some(inner) = self.0.upgrade() {
            lock(&inner).busy = false;
        }
    }
}

impl Early {
    /// Sends an interim response, as long as the final one has not begun.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        self.0.send(status, headers);
    }
}

/// The body of an answer; the connection is busy while this lives.
#[derive(Debug)]
pub struct Busy<B> {
    body: B,
    early: Early,
}

impl<B> Drop for Busy<B> {
    fn drop(&mut self) {
        self.early.0.done();
    }
}

impl<B: Body + Unpin> Body for Busy<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl std::fmt::Debug for Early {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Early")
    }
}

fn written(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or("Interim");
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
mod tests;
