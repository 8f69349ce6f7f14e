//! The body of a response on its way to the client. It streams, counts, gives the upstream's connection back at its end,
//! and ends the request's facts, whichever way it ends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use egret_config::log_format::TimePoint;
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;
use tokio::time::{Instant, Sleep};

use crate::client::body::Received;
use crate::codec::cut::Cut;
use crate::codec::grpc_messages::MessageCounter;
use crate::codec::incoming::Incoming;
use crate::failure::{Cause, Failure};
use crate::http::answer;
use crate::report::reporter::FactsGuard;
use crate::upstream::lease::Lease;

/// Where a response's bytes come from.
#[derive(Debug)]
pub enum Source {
    /// From us.
    Ours(Bytes),
    /// From an upstream, on this connection.
    Upstream {
        /// The bytes.
        incoming: Incoming,
        /// The connection; `None` once it went back.
        lease: Option<Box<Lease>>,
        /// The end of the route's time limit.
        limit: Option<Pin<Box<Sleep>>>,
    },
    /// From nowhere any more. Said once what came before is on its way to the client, which a connection that fails
    /// would keep.
    Broken(Option<Broken>),
}

/// Why a response's body broke off. hyper closes the connection then, or resets the stream.
#[derive(Debug, Error)]
pub enum Broken {
    /// The upstream closed or reset the connection.
    #[error("the upstream broke off")]
    Upstream(#[source] Cut),
    /// The route's time limit passed.
    #[error("the time limit passed")]
    Timeout,
}

impl Broken {
    /// The outcome in the log. A response of HTTP/1 that ends before its own end breaks HTTP, however it ends, as one
    /// that cannot be read does.
    fn cause(&self) -> Cause {
        match self {
            Self::Timeout => Cause::Timeout,
            Self::Upstream(Cut::Http1(_)) => Cause::ProtocolAfter,
            Self::Upstream(Cut::Http2(error)) if error.is_library() => Cause::ProtocolAfter,
            Self::Upstream(Cut::Http2(error)) if error.is_remote() => Cause::StreamResetAfter,
            Self::Upstream(Cut::Http2(_)) => Cause::ResetAfter,
        }
    }

    /// Whether the upstream reset this very stream: its reason is passed on, which says more than we could.
    fn is_reset(&self) -> bool {
        let Self::Upstream(cut) = self else {
            return false;
        };
        cut.http2()
            .is_some_and(|error| error.is_reset() && error.is_remote())
    }
}

/// A response's body, with the facts of its request that are reported at its end.
#[derive(Debug)]
pub struct ResponseBody {
    source: Source,
    /// The facts, reported when this ends; `None` for an upgrade, which has them itself, and once they are reported.
    call: Option<(Box<FactsGuard>, Received)>,
    /// Whether gRPC trailers report to the client why the rest does not come.
    grpc: bool,
    /// When the time is over that a gRPC client gives its call.
    deadline: Option<Instant>,
    /// Counts the messages of a gRPC call.
    messages: Option<Box<MessageCounter>>,
}

impl ResponseBody {
    /// The body of a request's response.
    pub fn new(source: Source, facts: Box<FactsGuard>, received: Received) -> Self {
        Self {
            source,
            messages: facts.request.grpc.then(Box::default),
            call: Some((facts, received)),
            grpc: false,
            deadline: None,
        }
    }

    /// The same body, for a client that is told in gRPC's trailers why the rest does not come, if it does not. Its call
    /// has time until `deadline`.
    pub fn for_grpc(mut self, deadline: Option<Instant>) -> Self {
        self.grpc = true;
        self.deadline = deadline;
        self
    }

    /// No body and nothing to tell.
    pub fn silent() -> Self {
        Self {
            source: Source::Ours(Bytes::new()),
            call: None,
            grpc: false,
            deadline: None,
            messages: None,
        }
    }

    /// Everything was read: the connection goes back, the facts are complete.
    fn complete(&mut self) {
        if let Source::Upstream { lease, .. } = &mut self.source
            && let Some(lease) = lease.take()
        {
            lease.give_back();
        }
        if let Some((mut facts, received)) = self.call.take() {
            set_received(&mut facts, &received);
            facts.reached(TimePoint::UpstreamReceiveEnd);
            facts.end_when_sent();
        }
    }

    /// The upstream failed us after the response had begun; the status the client got stays. Gives what is passed on.
    fn break_off(&mut self, broken: Broken) -> Result<Frame<Bytes>, Broken> {
        let failure = Failure::new(broken.cause(), "");
        if let Source::Upstream {
            lease: Some(lease), ..
        } = &mut self.source
        {
            match broken {
                Broken::Upstream(_) => lease.in_flight.reset_by_endpoint(),
                Broken::Timeout => lease.in_flight.timed_out(),
            }
        }
        if let Some((mut facts, received)) = self.call.take() {
            set_received(&mut facts, &received);
            if let Some(flag) = failure.reply().flag {
                facts.flags.raise(flag);
            }
            facts.response.details = Some(failure.details());
            facts.end_when_sent();
        }
        let late = answer::is_late(&failure, self.deadline);
        if !self.grpc || (broken.is_reset() && !late) {
            return Err(broken);
        }
        self.source = Source::Ours(Bytes::new());
        let mut trailers = answer::broken_off(&failure);
        if late {
            answer::tell_late(&mut trailers);
        }
        Ok(Frame::trailers(trailers))
    }

    /// Yields why the rest does not come, at the next poll where that ends the connection or the stream.
    fn poll_break(
        &mut self,
        broken: Broken,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.break_off(broken) {
            Ok(frame) => Poll::Ready(Some(Ok(frame))),
            Err(broken) => {
                self.source = Source::Broken(Some(broken));
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        if let Some((facts, _)) = &mut self.call {
            facts.bytes_sent += bytes.len() as u64;
            if let Some(messages) = &mut self.messages {
                messages.feed(bytes);
                facts.response_messages = messages.count();
            }
        }
    }
}

/// Sets what came of the request, and when all of it had.
fn set_received(facts: &mut FactsGuard, received: &Received) {
    facts.bytes_received = received.bytes();
    facts.request_messages = received.messages();
    let began = facts.began;
    if let (Some(times), Some(at)) = (&mut facts.times, received.completed(began)) {
        times.set(TimePoint::DownstreamReceiveEnd, at);
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let frame = match &mut this.source {
            Source::Ours(bytes) if bytes.is_empty() => None,
            Source::Ours(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Source::Upstream {
                incoming, limit, ..
            } => {
                if let Some(limit) = limit
                    && limit.as_mut().poll(context).is_ready()
                {
                    return this.poll_break(Broken::Timeout, context);
                }
                ready!(Pin::new(incoming).poll_frame(context))
            }
            Source::Broken(broken) => return Poll::Ready(broken.take().map(Err)),
        };
        match frame {
            Some(Ok(frame)) => {
                this.count(frame.data_ref().map_or(&[], |bytes| bytes));
                if let (Some(trailers), Some((facts, _))) = (frame.trailers_ref(), &mut this.call) {
                    facts.set_trailers(trailers);
                }
                // hyper does not ask again after trailers, or the last byte that Content-Length announced.
                if frame.is_trailers() || this.is_end_stream() {
                    this.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => this.poll_break(Broken::Upstream(error), context),
            None => {
                this.complete();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Ours(bytes) => bytes.is_empty(),
            Source::Upstream { incoming, .. } => incoming.is_end_stream(),
            Source::Broken(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Ours(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Upstream { incoming, .. } => incoming.size_hint(),
            Source::Broken(_) => SizeHint::default(),
        }
    }
}

impl Drop for ResponseBody {
    /// hyper drops without reading what has no body, as the answer to a HEAD. Anything else that is dropped before its
    /// end was cut off by the client, which the facts say by themselves.
    fn drop(&mut self) {
        let unread = matches!(self.source, Source::Ours(_)) || self.is_end_stream();
        if unread {
            self.complete();
        } else if let Some((facts, received)) = &mut self.call {
            set_received(facts, received);
        }
    }
}
