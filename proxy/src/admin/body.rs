//! A page on its way to a client, in pieces.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::admin::clients::Client;

/// Bytes of a piece. The connection holds one, and the kernel's buffer.
const PIECE: usize = 64 * 1024;

/// The rest of a page. Dropped, its client idles.
#[derive(Debug)]
pub(super) struct PageBody {
    rest: Bytes,
    /// Its place among the large pages, as long as it is one.
    _place: Option<OwnedSemaphorePermit>,
    client: Rc<Client>,
}

impl PageBody {
    pub(super) fn new(
        body: String,
        place: Option<OwnedSemaphorePermit>,
        client: Rc<Client>,
    ) -> Self {
        Self {
            _place: place.filter(|_| body.len() > PIECE),
            rest: body.into(),
            client,
        }
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.rest.len().min(PIECE);
        let piece = (length > 0).then(|| Ok(Frame::data(self.rest.split_to(length))));
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Drop for PageBody {
    fn drop(&mut self) {
        self.client.set_answering(false);
    }
}
