//! The body of a message that comes, over HTTP/1 or HTTP/2.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use h2::Reason;
use h2::RecvStream;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use thiserror::Error;

use crate::message::pump::Upload;
use crate::message::trailers;

/// The body of a message that comes.
#[derive(Debug)]
pub enum Incoming {
    /// Over HTTP/1, as hyper reads it.
    One(hyper::body::Incoming),
    /// Over HTTP/2.
    Two(Two),
}

/// Why a body broke off.
#[derive(Debug, Error)]
pub enum Cut {
    /// Over HTTP/1.
    #[error(transparent)]
    One(hyper::Error),
    /// Over HTTP/2.
    #[error(transparent)]
    Two(h2::Error),
}

impl Cut {
    /// Why HTTP/2 broke off.
    pub fn http2(&self) -> Option<&h2::Error> {
        match self {
            Self::One(_) => None,
            Self::Two(error) => Some(error),
        }
    }

    /// Why HTTP/1 broke off, where it is for its bytes: they do not come, or are no body.
    pub fn kind(&self) -> Option<io::ErrorKind> {
        let Self::One(error) = self else { return None };
        std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<io::Error>())
            .map(io::Error::kind)
    }
}

/// The body of an HTTP/2 message. What was read of it may be sent again by the other side at once: whoever reads slowly
/// slows the other side down.
#[derive(Debug)]
pub struct Two {
    stream: RecvStream,
    /// Bytes that are to come, where the message says how many.
    left: Option<u64>,
    in_trailers: bool,
    /// The body of the request that this answers, as long as it is still being sent. Whoever wants no more of the answer
    /// sends no more of the request.
    upload: Option<Upload>,
}

impl Incoming {
    /// The body of an HTTP/2 message that says it is this long.
    pub fn two(stream: RecvStream, length: Option<u64>, upload: Option<Upload>) -> Self {
        Self::Two(Two {
            left: length,
            stream,
            in_trailers: false,
            upload,
        })
    }
}

impl Two {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if !self.in_trailers {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(bytes)) => {
                    // Fails only when the stream is over, and then nobody waits for room.
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

    /// A stream that was reset. Where the other side is done and only wants no more of ours (RFC 9113, 8.1), its message
    /// is whole.
    fn ended(&mut self, error: h2::Error) -> Option<Result<Frame<Bytes>, Cut>> {
        if error.reason() == Some(Reason::NO_ERROR) && self.left.unwrap_or(0) == 0 {
            self.over();
            return None;
        }
        Some(Err(Cut::Two(error)))
    }

    /// The other side has said all. It may still want to hear the rest of ours.
    fn over(&mut self) {
        if let Some(upload) = self.upload.take() {
            upload.go_on();
        }
    }
}

impl Drop for Two {
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
            Self::One(body) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map(trailers::sifted).map_err(Cut::One)))
            }
            Self::Two(body) => body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::One(body) => body.is_end_stream(),
            Self::Two(body) => body.stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::One(body) => body.size_hint(),
            Self::Two(body) => match body.left {
                Some(left) => SizeHint::with_exact(left),
                None if body.stream.is_end_stream() => SizeHint::with_exact(0),
                None => SizeHint::default(),
            },
        }
    }
}
