//! A client's HTTP/2 stream, as long as its answer has not begun.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{HeaderMap, Response, StatusCode};

use crate::codec::fields;
use crate::lock::lock;
use crate::report::facts::StreamReset;
use crate::report::reporter::ResetState;

/// Size of the informational responses to one request; those that would exceed it are dropped.
const INFORMATIONAL_MAX: usize = 16 << 10;

/// The stream that waits for its answer. Once this is taken or dropped, no informational response is sent any more.
#[derive(Debug)]
pub struct PendingResponse(Arc<Mutex<State>>);

/// The way to send informational responses on it.
#[derive(Clone, Debug)]
pub struct Http2Informational(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    respond: Option<SendResponse<Bytes>>,
    /// Size of what may still be sent.
    left: usize,
    /// Why the stream was reset.
    reset: Option<Reason>,
}

impl ResetState for Mutex<State> {
    fn reset(&self) -> Option<StreamReset> {
        // The h2 crate resets streams of clients that break HTTP/2; of clients' own reasons it is none.
        lock(self).reset.map(|reason| match reason {
            Reason::PROTOCOL_ERROR => StreamReset::ProtocolError,
            _ => StreamReset::Client,
        })
    }
}

impl PendingResponse {
    /// Of this stream.
    pub fn on(respond: SendResponse<Bytes>) -> Self {
        Self(Arc::new(Mutex::new(State {
            respond: Some(respond),
            left: INFORMATIONAL_MAX,
            reset: None,
        })))
    }

    /// The way to announce the answer.
    pub fn sender(&self) -> Http2Informational {
        Http2Informational(Arc::clone(&self.0))
    }

    /// Ready once the client wants no answer any more.
    pub fn poll_reset(&self, context: &mut Context<'_>) -> Poll<()> {
        let state = &mut *lock(&self.0);
        match &mut state.respond {
            Some(respond) => respond
                .poll_reset(context)
                .map(|reset| state.reset = reset.ok()),
            None => Poll::Ready(()),
        }
    }

    /// The stream, for the final answer.
    pub fn take(self) -> Option<SendResponse<Bytes>> {
        lock(&self.0).respond.take()
    }
}

impl Drop for PendingResponse {
    fn drop(&mut self) {
        let respond = lock(&self.0).respond.take();
        drop(respond);
    }
}

impl Http2Informational {
    /// Notes why the stream was reset while its answer was sent.
    pub fn was_reset(&self, reason: Option<Reason>) {
        lock(&self.0).reset = reason;
    }

    /// The stream, for the log.
    pub fn stream(&self) -> Arc<dyn ResetState> {
        self.0.clone()
    }

    pub(super) fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let mut state = lock(&self.0);
        let size = fields::size(headers);
        let Some(left) = state.left.checked_sub(size.max(1)) else {
            return;
        };
        state.left = left;
        let Some(respond) = &mut state.respond else {
            return;
        };
        let mut response = Response::new(());
        *response.status_mut() = status;
        response.headers_mut().clone_from(headers);
        fields::strip(response.headers_mut());
        // Fails when the client is gone, which its stream reports by itself.
        let _ = respond.send_informational(response);
    }
}
