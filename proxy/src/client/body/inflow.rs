//! The body that a client sends, and what happens to its rest when nothing reads it.

use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::codec::cut::Cut;
use crate::codec::incoming::Incoming;
use crate::life::stalled::Stall;

/// The largest rest in bytes that is read and discarded. More is not read until the stream is reset.
const REST_MAX: usize = 64 << 10;

/// The time limit for reading the rest.
const REST_TIME_MAX: Duration = Duration::from_secs(1);

/// The client's bytes. An HTTP/2 stream is reset when its response was sent before its body was read (RFC 9113, 8.1). Some
/// clients report that as a failure although they have the response. So they get a moment to end the stream themselves,
/// and a short rest of the body is read meanwhile. On HTTP/1 hyper reads the rest or closes the connection.
#[derive(Debug)]
pub(super) struct Inflow {
    /// Present until this is dropped.
    incoming: Option<Incoming>,
    /// Whether it is an HTTP/2 stream.
    shared: bool,
    /// Bytes of a stream that have come.
    came: u64,
    stall: Stall,
}

impl Inflow {
    pub(super) fn new(incoming: Incoming, version: Version) -> Self {
        Self {
            incoming: Some(incoming),
            shared: version == Version::HTTP_2,
            came: 0,
            stall: Stall::default(),
        }
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        if let Some(incoming) = self.incoming.take()
            && self.shared
            && !incoming.is_end_stream()
        {
            spawn_local(timeout(REST_TIME_MAX, read_out(incoming)));
        }
    }
}

async fn read_out(mut incoming: Incoming) {
    let mut left = REST_MAX;
    while let Some(Ok(frame)) = incoming.frame().await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(rest) => left = rest,
            // No more is read, so that the client's window closes. The client has the rest of the time to read its response.
            None => pending().await,
        }
    }
}

impl Body for Inflow {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(&mut *incoming).poll_frame(context);
        if !this.shared {
            return frame;
        }
        match &frame {
            // A stream that does not say its length may be silent for as long as it likes.
            Poll::Pending if incoming.size_hint().exact().is_some() => {
                if this.stall.poll_let_go(this.came, context).is_ready() {
                    let calm = h2::Error::from(Reason::ENHANCE_YOUR_CALM);
                    return Poll::Ready(Some(Err(Cut::Http2(calm))));
                }
            }
            Poll::Ready(Some(Ok(next))) => {
                this.came += next.data_ref().map_or(0, |bytes| bytes.len() as u64);
                this.stall.resume();
            }
            _ => this.stall.resume(),
        }
        frame
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
