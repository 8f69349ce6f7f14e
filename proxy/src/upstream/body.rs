//! The body of a request on its way to an upstream. It streams, and counts.

use std::cell::Cell;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use hyper::body::Incoming;

/// How far a request's body has come from the client. Shared by the body, which notes it, and by whoever asks.
#[derive(Clone, Debug, Default)]
pub struct Received(Option<Rc<Progress>>);

#[derive(Debug, Default)]
struct Progress {
    bytes: Cell<u64>,
    complete: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Received {
    /// The bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |progress| progress.bytes.get())
    }

    /// Returns once there is no more to come. One task may wait.
    pub async fn complete(&self) {
        poll_fn(|context| match &self.0 {
            Some(progress) if !progress.complete.get() => {
                *progress.waiting.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
            Some(_) | None => Poll::Ready(()),
        })
        .await;
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
            received: Received(Some(Rc::default())),
        }
    }

    /// Whether there is no body, so that the request can be sent twice.
    pub fn is_empty(&self) -> bool {
        self.incoming.is_none()
    }

    /// How far it has come.
    pub fn received(&self) -> Received {
        self.received.clone()
    }

    fn note(&self, bytes: u64, complete: bool) {
        let Some(progress) = &self.received.0 else {
            return;
        };
        progress.bytes.set(progress.bytes.get() + bytes);
        if complete
            && !progress.complete.replace(true)
            && let Some(waiting) = progress.waiting.take()
        {
            waiting.wake();
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.note(0, true);
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
        let frame = ready!(Pin::new(incoming).poll_frame(context));
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) | None => 0,
        };
        let complete = !matches!(frame, Some(Ok(_))) || self.is_end_stream();
        self.note(bytes as u64, complete);
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
