//! Sends a body over HTTP/2 within the peer's flow-control window.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use h2::{Reason, SendStream};
use http::HeaderMap;
use http_body::Body;
use tokio::task::{JoinHandle, spawn_local};

use crate::codec::cut::Cut;
use crate::codec::fields;
use crate::life::buffers;
use crate::life::stalled::Stall;

/// A body on its way into a stream. Dropped before its end, it resets the stream.
#[derive(Debug)]
pub struct BodySender<B> {
    body: B,
    to: SendStream<Bytes>,
    /// The piece that waits for room, and whether it is the last one.
    waiting: Option<(Bytes, bool)>,
    /// Something was sent before.
    begun: bool,
    /// The other side is a client, which may be let go while it takes no more.
    stall: Option<Stall>,
    /// Bytes that were sent.
    sent: u64,
}

/// Why a body was not sent to its end.
#[derive(Debug)]
pub enum Stopped<E> {
    /// The body broke off. The stream was reset.
    Body(E),
    /// The peer reset the stream.
    Peer(h2::Error),
}

impl<B> BodySender<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    /// Will send `body` to its end.
    pub fn new(body: B, to: SendStream<Bytes>) -> Self {
        Self {
            body,
            to,
            waiting: None,
            begun: false,
            stall: None,
            sent: 0,
        }
    }

    /// The other side is a client: it may be let go where too many take no more.
    #[must_use]
    pub fn with_stall(self) -> Self {
        Self {
            stall: Some(Stall::default()),
            ..self
        }
    }

    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Stopped<B::Error>>> {
        loop {
            if self.waiting.is_some() {
                ready!(self.room(context))?;
            }
            if let Some((bytes, last)) = self.waiting.take() {
                self.send(bytes, last)?;
                if last {
                    return Poll::Ready(Ok(()));
                }
            }
            // The body is not polled, so its source is not read either.
            if buffers::is_scarce() && self.to.capacity() == 0 {
                self.to.reserve_capacity(1);
                ready!(self.room(context))?;
            }
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => return Poll::Ready(self.send(Bytes::new(), true)),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    self.to.send_reset(reason(&error));
                    return Poll::Ready(Err(Stopped::Body(error)));
                }
            };
            match frame.into_data() {
                Ok(bytes) => {
                    let last = self.body.is_end_stream();
                    if bytes.is_empty() && !last {
                        continue;
                    }
                    // The first piece is sent without waiting for room. The body is polled for later pieces only when
                    // there is room. One byte is reserved: a larger reservation would take capacity from other streams
                    // while this one waits.
                    if !std::mem::replace(&mut self.begun, true) || bytes.is_empty() {
                        self.send(bytes, last)?;
                        if last {
                            return Poll::Ready(Ok(()));
                        }
                    } else {
                        self.to.reserve_capacity(1);
                        self.waiting = Some((bytes, last));
                    }
                }
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        return Poll::Ready(self.finish(trailers));
                    }
                }
            }
        }
    }

    /// Waits until there is room for a part of the waiting piece.
    fn room(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Stopped<B::Error>>> {
        while self.to.capacity() == 0 {
            match self.to.poll_capacity(context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Stopped::Peer(error))),
                // Our side of the stream has ended.
                Poll::Ready(None) => {
                    return Poll::Ready(Err(Stopped::Peer(Reason::STREAM_CLOSED.into())));
                }
                Poll::Pending => {
                    let stall = self.stall.as_mut();
                    if stall.is_some_and(|stall| stall.poll_let_go(self.sent, context).is_ready()) {
                        let reason = Reason::ENHANCE_YOUR_CALM;
                        self.to.send_reset(reason);
                        return Poll::Ready(Err(Stopped::Peer(reason.into())));
                    }
                    return Poll::Pending;
                }
            }
        }
        if let Some(stall) = &mut self.stall {
            stall.resume();
        }
        Poll::Ready(Ok(()))
    }

    fn send(&mut self, bytes: Bytes, last: bool) -> Result<(), Stopped<B::Error>> {
        self.sent += bytes.len() as u64;
        self.to.send_data(bytes, last).map_err(Stopped::Peer)
    }

    fn finish(&mut self, mut trailers: HeaderMap) -> Result<(), Stopped<B::Error>> {
        fields::strip(&mut trailers);
        self.to.reserve_capacity(0);
        self.to.send_trailers(trailers).map_err(Stopped::Peer)
    }
}

impl<B> Future for BodySender<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    type Output = Result<(), Stopped<B::Error>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(done) = self.advance(context) {
            return Poll::Ready(done);
        }
        // The wait for more of the body also ends when the peer resets the stream.
        match ready!(self.to.poll_reset(context)) {
            Ok(reason) => Poll::Ready(Err(Stopped::Peer(reason.into()))),
            Err(error) => Poll::Ready(Err(Stopped::Peer(error))),
        }
    }
}

/// The reset reason for a stream with a broken body: the reason that was received, if the source was HTTP/2.
fn reason(error: &(dyn Error + 'static)) -> Reason {
    let mut next = Some(error);
    while let Some(error) = next {
        let http2 = match error.downcast_ref::<Cut>() {
            Some(cut) => cut.http2(),
            None => error.downcast_ref::<h2::Error>(),
        };
        // An incomplete body must not end with NO_ERROR, whichever code was received.
        let named = http2.and_then(h2::Error::reason);
        if let Some(reason) = named.filter(|reason| *reason != Reason::NO_ERROR) {
            return reason;
        }
        next = error.source();
    }
    Reason::INTERNAL_ERROR
}

/// The body of a request that is sent while its response is received. Dropping it resets its stream.
#[derive(Debug)]
pub struct Upload(Option<JoinHandle<Option<Failed>>>);

/// The error of a body that broke off.
pub type Failed = Box<dyn Error>;

impl Upload {
    /// Sends the rest in a task of its own.
    pub fn begin<B>(body_sender: BodySender<B>) -> Self
    where
        B: Body<Data = Bytes> + Unpin + 'static,
        B::Error: Error + 'static,
    {
        Self(Some(spawn_local(async move {
            match body_sender.await {
                Err(Stopped::Body(error)) => Some(Failed::from(error)),
                // A reset by the peer is reported to the task that waits for the response.
                Ok(()) | Err(Stopped::Peer(_)) => None,
            }
        })))
    }

    /// Lets the task continue without this handle.
    pub fn go_on(mut self) {
        self.0 = None;
    }

    /// Why the body broke off, if it did.
    pub fn failed(mut self) -> Option<Failed> {
        self.0.take()?.now_or_never()?.ok()?
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests;
