//! The way from a request to the connection that it came on: informational responses, and the end of its answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};

/// The way to send informational responses.
#[derive(Clone)]
pub struct InformationalHandle(Arc<dyn Serves + Send + Sync>);

impl InformationalHandle {
    /// The way to a connection.
    pub(super) fn new(connection: Arc<dyn Serves + Send + Sync>) -> Self {
        Self(connection)
    }

    /// Sends an informational response, as long as the final one has not begun.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        self.0.send(status, headers);
    }
}

impl std::fmt::Debug for InformationalHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InformationalHandle")
    }
}

/// What the connection does for a request, whatever it runs over.
pub(super) trait Serves {
    /// Sends an informational response, if the final one has not begun.
    fn send(&self, status: StatusCode, headers: &HeaderMap);
    /// Keeps the trailers of its answer for their end.
    fn trailers(&self, trailers: &HeaderMap);
    /// Ready while the client takes what is written. More of a body that it does not take would only be held.
    fn poll_room(&self, context: &Context<'_>) -> Poll<()>;
    /// Its answer is over.
    fn done(&self);
}

/// The body of an answer; the connection is busy while this lives. Its trailers go to the connection.
#[derive(Debug)]
pub struct Busy<B> {
    body: B,
    informational: InformationalHandle,
}

impl<B> Busy<B> {
    pub(super) fn new(body: B, informational: InformationalHandle) -> Self {
        Self {
            body,
            informational,
        }
    }
}

impl<B> Drop for Busy<B> {
    fn drop(&mut self) {
        self.informational.0.done();
    }
}

impl<B: Body + Unpin> Body for Busy<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        ready!(self.informational.0.poll_room(context));
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.informational.0.trailers(trailers);
            return Poll::Ready(None);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's head as HTTP/1 has it.
pub fn written(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or("Unknown");
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
