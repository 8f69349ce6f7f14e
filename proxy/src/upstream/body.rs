//! The body of a request on its way to an upstream. It streams, and counts.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use hyper::body::Incoming;

/// How many bytes of a request's body have come from the client so far. Shared by the body, which counts, and by whoever
/// reports.
#[derive(Clone, Debug, Default)]
pub struct Received(Option<Rc<Cell<u64>>>);

impl Received {
    /// The bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |count| count.get())
    }
}

/// A request's body: the client's, or none.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Option<Incoming>,
    received: Received,
}

impl RequestBody {
    /// No body.
    pub fn empty() -> Self {
        Self {
            incoming: None,
            received: Received(None),
        }
    }

    /// The client's body, if it has one.
    pub fn of_client(incoming: Incoming) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        Self {
            incoming: Some(incoming),
            received: Received(Some(Rc::new(Cell::new(0)))),
        }
    }

    /// Whether there is no body, so that the request can be sent twice.
    pub fn is_empty(&self) -> bool {
        self.incoming.is_none()
    }

    /// The counter.
    pub fn received(&self) -> Received {
        self.received.clone()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let frame = std::task::ready!(Pin::new(incoming).poll_frame(context));
        if let (Some(Ok(frame)), Some(count)) = (&frame, &self.received.0) {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            count.set(count.get() + bytes as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
