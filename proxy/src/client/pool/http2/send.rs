//! One request on a shared connection, to the head of its response.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body::Body;
use thiserror::Error;

use crate::client::body::{Broken, RequestBody};
use crate::client::pool::http2::connection::{Call, Http2Connection};
use crate::codec::body_sender::{BodySender, Stopped, Upload};
use crate::codec::fields;
use crate::codec::incoming::Incoming;
use crate::report::facts::CallWire;

/// A request that got no response.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub why: Why,
    /// The request, if nothing of it was sent.
    pub unsent: Option<Box<Request<RequestBody>>>,
}

/// Why a request got no response.
#[derive(Debug, Error)]
pub enum Why {
    /// The connection is over.
    #[error("the connection was closed")]
    Closed,
    /// The request's body broke off.
    #[error("the request broke off")]
    Body(#[source] Broken),
    /// The stream or the connection failed.
    #[error("HTTP/2 with the upstream")]
    Http2(#[source] h2::Error),
}

impl Http2Connection {
    /// Sends a request, and waits for its response; the bytes of both are added to `wire`. `hear` is called with each informational one before it. Dropping
    /// the future resets the stream.
    ///
    /// # Errors
    /// Why there is no response. The request comes back if nothing of it was sent.
    pub async fn send(
        &mut self,
        request: Request<RequestBody>,
        call: &mut Call,
        wire: Option<&Arc<CallWire>>,
        mut hear: impl FnMut(&Response<()>),
    ) -> Result<Response<Incoming>, Unanswered> {
        let unsent = |why, request| Unanswered {
            why,
            unsent: Some(Box::new(request)),
        };
        match self.load.stream_limiter.enter().await {
            Ok(permit) => call.permit = Some(permit),
            Err(_) => return Err(unsent(Why::Closed, request)),
        }
        // Ready at once: this only checks that the connection accepts another request.
        if let Err(error) = poll_fn(|context| self.sender.poll_ready(context)).await {
            self.leave();
            return Err(unsent(Why::Http2(error), request));
        }
        let (mut parts, body) = request.into_parts();
        fields::strip(&mut parts.headers);
        say_length(&mut parts.headers, &parts.method, &body);
        let whole = body.is_end_stream();
        let head = Request::from_parts(parts, ());
        let (mut answer, stream) = self.sender.send_request(head, whole)?;
        call.counted = wire.map(|wire| self.counted.count(stream.stream_id().as_u32(), wire));
        let mut upload = None;
        if !whole {
            let mut body_sender = BodySender::new(body, stream);
            // A body that is complete in memory needs no task of its own.
            let sent =
                poll_fn(|context| Poll::Ready(Pin::new(&mut body_sender).poll(context))).await;
            match sent {
                Poll::Pending => upload = Some(Upload::begin(body_sender)),
                Poll::Ready(Err(Stopped::Body(broken))) => return Err(Why::Body(broken).into()),
                // The upstream's response decides the outcome.
                Poll::Ready(Ok(()) | Err(Stopped::Peer(_))) => {}
            }
        }
        let answered = poll_fn(|context| {
            loop {
                match answer.poll_informational(context) {
                    Poll::Ready(Some(Ok(informational))) => hear(&informational),
                    Poll::Ready(Some(Err(_)) | None) => {
                        return Pin::new(&mut answer).poll(context);
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
        match answered {
            Ok(response) => {
                self.load.heard.set(true);
                self.load.answered.set(true);
                let length = fields::length(response.headers());
                Ok(response.map(|stream| Incoming::two(stream, length, upload)))
            }
            Err(error) => {
                let broken = upload.and_then(Upload::failed);
                match broken.and_then(|broken| broken.downcast().ok()) {
                    Some(broken) => Err(Why::Body(*broken).into()),
                    None => Err(error.into()),
                }
            }
        }
    }
}

/// Adds the content-length where it is known and missing. No body gets no content-length where none is expected.
fn say_length(headers: &mut HeaderMap, method: &Method, body: &RequestBody) {
    if headers.contains_key(header::CONTENT_LENGTH) {
        return;
    }
    let bodyless = matches!(
        *method,
        Method::GET | Method::HEAD | Method::DELETE | Method::CONNECT
    );
    if let Some(length) = body.size_hint().exact()
        && (length > 0 || !bodyless)
    {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
}

impl From<Why> for Unanswered {
    fn from(why: Why) -> Self {
        Self { why, unsent: None }
    }
}

impl From<h2::Error> for Unanswered {
    fn from(error: h2::Error) -> Self {
        Why::Http2(error).into()
    }
}
