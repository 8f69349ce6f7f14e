//! What a connection does for a request that is away from it.

use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};

use http::{HeaderMap, StatusCode};

use crate::codec::trailers::Tail;
use crate::http::http1_io::informational::{InformationalHandle, Serves, written};
use crate::http::http1_io::state::State;
use crate::lock::lock;

/// Bytes of informational responses that wait to be sent; those after them are dropped.
const INFORMATIONAL_MAX: usize = 16 << 10;

/// The way of requests to this connection.
pub(super) fn announcer<S: Send + 'static>(
    connection: &Arc<Mutex<State<S>>>,
) -> InformationalHandle {
    InformationalHandle::new(Arc::new(Interim(Arc::downgrade(connection))))
}

struct Interim<S>(Weak<Mutex<State<S>>>);

impl<S> Serves for Interim<S> {
    fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let Some(state) = self.0.upgrade() else {
            return;
        };
        let mut state = lock(&state);
        let head = written(status, headers);
        if !state.waiting || state.informational_bytes.len() + head.len() > INFORMATIONAL_MAX {
            return;
        }
        state.informational_bytes.extend(head);
        if let Some(task) = state.task.take() {
            task.wake();
        }
    }

    fn trailers(&self, trailers: &HeaderMap) {
        if let Some(state) = self.0.upgrade() {
            let mut state = lock(&state);
            if state.in_chunks {
                state.tail = Tail::of(trailers);
            }
        }
    }

    fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        let Some(state) = self.0.upgrade() else {
            return Poll::Ready(());
        };
        let mut state = lock(&state);
        if !state.stuck {
            return Poll::Ready(());
        }
        state.room = Some(context.waker().clone());
        Poll::Pending
    }

    fn done(&self) {
        if let Some(state) = self.0.upgrade() {
            lock(&state).busy = false;
        }
    }
}
