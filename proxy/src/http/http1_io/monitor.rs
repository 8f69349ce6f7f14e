//! The connection as its watcher has it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};
use std::time::Duration;

use egret_config::headers::remove;
use http::{Response, StatusCode, Version, header};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::codec::trailers;
use crate::http::framing::Flaw;
use crate::http::framing::target::Odd;
use crate::http::http1_io::informational::{Busy, InformationalHandle};
use crate::http::http1_io::request_link::announcer;
use crate::http::http1_io::served::HyperIo;
use crate::http::http1_io::state::State;
use crate::life::stalled::Stall;
use crate::lock::lock;
use crate::report::facts::WireBytes;

/// The connection as its watcher has it. It owns the stream; hyper comes and goes.
#[derive(Debug)]
pub struct ConnectionMonitor<S>(pub(super) Arc<Mutex<State<S>>>);

/// What the watcher sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// The client is gone.
    Gone,
    /// The client takes too long for a request's head.
    Slow,
    /// The client does not read, or does not send what it began, and there are too many of that kind.
    Stalled,
    /// All is answered and nothing has come: hyper holds nothing that would be missed.
    Idle,
}

/// A request that came.
#[derive(Debug)]
pub struct RequestStart {
    /// Its number on the connection, from 1.
    pub number: u64,
    /// When its first byte came; `None` where that was together with bytes of the request before.
    pub began: Option<Instant>,
    /// The way to announce its answer.
    pub informational: InformationalHandle,
    /// What its framing hides.
    pub flaw: Option<Flaw>,
    /// What was replaced in its target.
    pub odd: Vec<Odd>,
}

/// A connection, watched.
pub fn watched<S>(stream: S) -> ConnectionMonitor<S> {
    ConnectionMonitor(Arc::new(Mutex::new(State::new(stream))))
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> ConnectionMonitor<S> {
    /// The end for hyper. Only one at a time may be in use.
    pub fn line(&self) -> HyperIo<S> {
        HyperIo(Arc::clone(&self.0))
    }

    /// A request's head has come; the answer is being looked for. It can be announced.
    pub fn begin(&self) -> RequestStart {
        let mut state = lock(&self.0);
        let began = state.head_since.take();
        state.quiet = false;
        state.waiting = true;
        state.busy = true;
        state.answering = true;
        state.used = true;
        state.begun += 1;
        let number = state.begun;
        state.framing.forget_before(number);
        state.expect_response();
        let flaw = state.framing.flaw(number);
        let odd = state.framing.take_odd(number);
        let informational = state
            .informational
            .get_or_insert_with(|| announcer(&self.0));
        RequestStart {
            number,
            began,
            informational: informational.clone(),
            flaw,
            odd,
        }
    }

    /// The answer to a request of this version is there, and hyper gets it now.
    pub fn answered<B: Body>(
        &self,
        mut response: Response<B>,
        version: Version,
        informational: InformationalHandle,
    ) -> Response<Busy<B>> {
        let mut state = lock(&self.0);
        state.waiting = false;
        let lines = framing_lines(&mut response, version);
        let (headers, body) = (response.headers(), response.body());
        state.in_chunks =
            version != Version::HTTP_10 && trailers::may_follow(response.version(), headers, body);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            state.upgraded = true;
            state.framing.stop();
        }
        if state.writing {
            // The answer may join what hyper still holds; nothing can come before it any more.
            state.informational_bytes.clear();
        } else {
            state.lines = lines;
        }
        response.map(|body| Busy::new(body, informational))
    }

    /// The bytes so far of the request of this number, from 1, and of the response to it.
    pub fn wire_bytes(&self, request: u64) -> WireBytes {
        let state = lock(&self.0);
        let size = state.framing.size(request);
        let (bytes, fields) = state.written_before;
        WireBytes {
            received: size.total,
            sent: state.stream.written.bytes() - bytes,
            header_received: size.fields,
            header_sent: state.stream.written.field_bytes() - fields,
        }
    }

    /// Whether no response is on its way to the socket.
    pub fn is_sent(&self) -> bool {
        let state = lock(&self.0);
        !state.busy && !state.answering
    }

    /// The same connection.
    pub fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Whether a request ever came.
    pub fn has_begun(&self) -> bool {
        lock(&self.0).begun > 0
    }

    /// Whether more of the request that began last is to come.
    pub fn is_in_body(&self) -> bool {
        let state = lock(&self.0);
        // The body may be that of the next one already.
        state.framing.is_in_body() && state.framing.heads() == state.begun
    }

    /// Returns when the connection is to be ended, or, if that matters, is idle. A head that began to come must be
    /// complete within `head_max`.
    pub async fn next_event(
        &self,
        head_max: Option<Duration>,
        idle_matters: bool,
        stall: &mut Stall,
    ) -> ConnectionEvent {
        let mut alarm: Option<Pin<Box<Sleep>>> = None;
        poll_fn(move |context| {
            let mut state = lock(&self.0);
            state.poll_send(context);
            if idle_matters && state.is_idle() {
                return Poll::Ready(ConnectionEvent::Idle);
            }
            if let Some(moved) = state.moved_of_stalled() {
                if stall.poll_let_go(moved, context).is_ready() {
                    return Poll::Ready(ConnectionEvent::Stalled);
                }
            } else {
                stall.resume();
            }
            let gone = state.poll_gone(context);
            let slow = head_max.and_then(|max| Some(state.head_since? + max));
            let (seen, at) = match (gone, slow) {
                (Poll::Ready(None), _) => return Poll::Ready(ConnectionEvent::Gone),
                (Poll::Ready(Some(at)), _) => (ConnectionEvent::Gone, at),
                (Poll::Pending, Some(at)) => (ConnectionEvent::Slow, at),
                (Poll::Pending, None) => {
                    alarm = None;
                    return Poll::Pending;
                }
            };
            // A timer only where something has to come in time.
            let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if alarm.deadline() != at {
                alarm.as_mut().reset(at);
            }
            alarm.as_mut().poll(context).map(|()| seen)
        })
        .await
    }

    /// Whether requests came, and all were answered.
    pub fn has_served(&self) -> bool {
        let state = lock(&self.0);
        state.begun > 0 && !state.busy && !state.answering
    }

    /// Whether a request began since this was last asked.
    pub fn was_used(&self) -> bool {
        std::mem::take(&mut lock(&self.0).used)
    }

    /// Waits, without hyper, for bytes from the client. Returns `false` when the client closed or reset the connection.
    /// To be called when all is idle.
    pub async fn wait_for_input(&self) -> bool {
        {
            let mut state = lock(&self.0);
            state.quiet = false;
            state.head_since = None;
            state.informational = None;
            state.task = None;
        }
        poll_fn(|context| {
            let mut state = lock(&self.0);
            let read = ready!(state.poll_ahead(context));
            Poll::Ready(matches!(read, Ok(1..)))
        })
        .await
    }
}

/// Takes the framing out of a head without content, which hyper does not let such a head say: that of the answer to a
/// HEAD, whose coding stays in until here, and of a 304, whose length does, too (RFC 9110, 8.6; RFC 9112, 6.1).
fn framing_lines<B>(response: &mut Response<B>, version: Version) -> Vec<u8> {
    let unchanged = response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    let mut lines = Vec::new();
    let coding = remove(headers, &header::TRANSFER_ENCODING);
    let length = match unchanged {
        true => headers.remove(header::CONTENT_LENGTH),
        false => None,
    };
    let coding = coding.filter(|_| version != Version::HTTP_10);
    for (name, value) in [
        ("transfer-encoding: ", coding),
        ("content-length: ", length),
    ] {
        if let Some(value) = value {
            lines.extend_from_slice(name.as_bytes());
            lines.extend_from_slice(value.as_bytes());
            lines.extend_from_slice(b"\r\n");
        }
    }
    lines
}
