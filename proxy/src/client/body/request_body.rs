//! The body of a request on its way to an upstream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body::{Body, Frame, SizeHint};

use crate::client::body::broken::Broken;
use crate::client::body::hold::{Go, Hold};
use crate::client::body::inflow::Inflow;
use crate::client::body::kept::Reader;
use crate::client::body::progress::Received;
use crate::codec::incoming::Incoming;
use crate::codec::trailers::TrailerSlot;

/// A request's body: the client's, or none.
#[derive(Debug)]
pub struct RequestBody {
    source: Source,
    received: Received,
    hold: Option<Hold>,
    /// Where its trailers are put, if they are not sent with it.
    trailers: Option<TrailerSlot>,
}

#[derive(Debug)]
enum Source {
    Nothing,
    /// Sent once.
    Client(Inflow),
    /// Kept while it is sent.
    Kept(Reader),
    /// Held whole, with its trailers.
    Whole(Bytes, Option<Box<HeaderMap>>),
}

impl RequestBody {
    /// No body.
    pub fn empty() -> Self {
        Self::of(Source::Nothing, Received::default())
    }

    /// The client's body, if it has one, as it comes with this version of HTTP.
    pub fn of_client(incoming: Incoming, version: Version) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        Self::of(
            Source::Client(Inflow::new(incoming, version)),
            Received::begin(),
        )
    }

    /// A body in memory.
    pub fn whole(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self::of(
            Source::Whole(bytes, trailers.map(Box::new)),
            Received::default(),
        )
    }

    /// A body that is kept while it is sent.
    pub(super) fn kept(reader: Reader, received: Received) -> Self {
        Self::of(Source::Kept(reader), received)
    }

    fn of(source: Source, received: Received) -> Self {
        Self {
            source,
            received,
            hold: None,
            trailers: None,
        }
    }

    /// Whether there is no body, so that the request can be sent twice.
    pub fn is_empty(&self) -> bool {
        matches!(self.source, Source::Nothing)
    }

    /// Its progress.
    pub fn received(&self) -> Received {
        self.received.clone()
    }

    /// Holds it back until `go` is signalled, or the upstream has been silent for too long.
    pub fn hold(&mut self, go: Go) {
        self.hold = Some(Hold::new(go));
    }

    /// Puts its trailers into `at` instead of sending them with it.
    pub fn leave_trailers(&mut self, at: Option<TrailerSlot>) {
        self.trailers = at;
    }

    /// What it waits for, if it is held back.
    pub fn held(&self) -> Option<&Go> {
        self.hold.as_ref().map(Hold::go)
    }

    /// The next of it, trailers included.
    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(hold) = &mut self.hold {
            ready!(hold.poll(context));
            self.hold = None;
        }
        let incoming = match &mut self.source {
            Source::Nothing => return Poll::Ready(None),
            Source::Kept(reader) => return reader.poll_frame(context),
            Source::Whole(bytes, trailers) if bytes.is_empty() => {
                let trailers = trailers.take();
                return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(*trailers))));
            }
            Source::Whole(bytes, _) => {
                let bytes = std::mem::take(bytes);
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            Source::Client(incoming) => incoming,
        };
        let frame = ready!(Pin::new(incoming).poll_frame(context));
        self.received.note(&frame);
        if !matches!(frame, Some(Ok(_))) || self.is_end_stream() {
            self.received.end();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Broken::Client)))
    }

    /// Takes the client's stream out of a body that is to be kept; `None`, without a change, where it has none.
    pub(super) fn take_inflow(&mut self) -> Option<Inflow> {
        match std::mem::replace(&mut self.source, Source::Nothing) {
            Source::Client(inflow) => {
                // The new owner records its end.
                self.received = Received::default();
                Some(inflow)
            }
            source => {
                self.source = source;
                None
            }
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Source::Client(_) = self.source {
            self.received.abandon();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = ready!(self.poll_next(context));
        if let (Some(slot), Some(Ok(frame))) = (&self.trailers, &frame)
            && let Some(trailers) = frame.trailers_ref()
        {
            slot.put(trailers);
            return Poll::Ready(None);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Nothing => true,
            Source::Client(incoming) => incoming.is_end_stream(),
            Source::Kept(reader) => reader.is_end_stream(),
            Source::Whole(bytes, trailers) => bytes.is_empty() && trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Nothing => SizeHint::with_exact(0),
            Source::Client(incoming) => incoming.size_hint(),
            Source::Kept(reader) => reader.size_hint(),
            Source::Whole(bytes, None) => SizeHint::with_exact(bytes.len() as u64),
            // An HTTP/1 body with a content-length has no trailers.
            Source::Whole(_, Some(_)) => SizeHint::default(),
        }
    }
}
