//! The body of an incoming message, over HTTP/1 or HTTP/2.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http_body::{Body, Frame, SizeHint};

use crate::codec::body_sender::Upload;
use crate::codec::cut::Cut;
use crate::codec::trailers;

/// The body of an incoming message.
#[derive(Debug)]
pub enum Incoming {
    /// Over HTTP/1, as hyper reads it.
    Http1(hyper::body::Incoming),
    /// Over HTTP/2.
    Http2(Http2),
}

/// The body of an HTTP/2 message. Reading opens the flow-control window again, so a slow reader slows the sender down.
#[derive(Debug)]
pub struct Http2 {
    stream: RecvStream,
    /// The rest of the content-length, where the message has one.
    left: Option<u64>,
    in_trailers: bool,
    /// The upload of the request that this answers, until it is sent. Dropping the response's body ends the upload.
    upload: Option<Upload>,
}

impl Incoming {
    /// The body of an HTTP/2 message with this content-length.
    pub fn two(stream: RecvStream, length: Option<u64>, upload: Option<Upload>) -> Self {
        Self::Http2(Http2 {
            left: length,
            stream,
            in_trailers: false,
            upload,
        })
    }
}

impl Http2 {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if !self.in_trailers {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(bytes)) => {
                    // Fails only when the stream is over. Then the sender needs no window.
                    let _ = self.stream.flow_control().release_capacity(bytes.len());
                    if let Some(left) = &mut self.left {
                        *left = left.saturating_sub(bytes.len() as u64);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Err(error)) => return Poll::Ready(self.ended(error)),
                None => self.in_trailers = true,
            }
        }
        let trailers = match ready!(self.stream.poll_trailers(context)) {
            Ok(trailers) => trailers,
            Err(error) => return Poll::Ready(self.ended(error)),
        };
        self.over();
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    /// The end of a stream that was reset. With NO_ERROR the peer's message is complete: the peer only stops reading ours
    /// (RFC 9113, 8.1).
    fn ended(&mut self, error: h2::Error) -> Option<Result<Frame<Bytes>, Cut>> {
        if error.reason() == Some(Reason::NO_ERROR) && self.left.unwrap_or(0) == 0 {
            self.over();
            return None;
        }
        Some(Err(Cut::Http2(error)))
    }

    /// The peer's message is complete. The rest of ours may still be sent.
    fn over(&mut self) {
        if let Some(upload) = self.upload.take() {
            upload.go_on();
        }
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        if self.upload.is_some() && self.stream.is_end_stream() {
            self.over();
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            Self::Http1(body) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map(trailers::filtered).map_err(Cut::Http1)))
            }
            Self::Http2(body) => body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => match body.left {
                Some(left) => SizeHint::with_exact(left),
                None if body.stream.is_end_stream() => SizeHint::with_exact(0),
                None => SizeHint::default(),
            },
        }
    }
}
