//! The way from a request to the connection that it came on: interim responses, and the end of its answer.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Weak;

use http::HeaderMap;
use http::StatusCode;

use crate::http::guarded::Guarded;
use crate::http::line::Inner;
use crate::http::line::lock;

/// Bytes of interim responses that wait to be sent; those after them are dropped.
const INTERIM_MAX: usize = 16 << 10;

/// The way to send interim responses.
#[derive(Clone)]
pub struct Early(Arc<dyn Serves + Send + Sync>);

impl Early {
    pub(in crate::http::line) fn on<S: Send + 'static>(inner: Weak<Mutex<Inner<S>>>) -> Self {
        Self(Arc::new(Interim(inner)))
    }

    /// Sends an interim response, as long as the final one has not begun.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        self.0.send(status, headers);
    }
}

impl std::fmt::Debug for Early {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Early")
    }
}

/// What the connection does for a request, whatever it runs over.
trait Serves {
    fn send(&self, status: StatusCode, headers: &HeaderMap);
    fn done(&self);
}

struct Interim<S>(Weak<Mutex<Inner<S>>>);

impl<S> Serves for Interim<S> {
    fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let Some(inner) = self.0.upgrade() else {
            return;
        };
        let mut inner = lock(&inner);
        let head = written(status, headers);
        if !inner.waiting || inner.interim.len() + head.len() > INTERIM_MAX {
            return;
        }
        inner.interim.extend(head);
        if let Some(task) = inner.task.take() {
            task.wake();
        }
    }

    fn done(&self) {
        if let Some(inner) = self.0.upgrade() {
            lock(&inner).busy = false;
        }
    }
}

/// The body of an answer; the connection is busy while this lives.
pub type Busy<B> = Guarded<B, Answering>;

/// An answer that is being sent.
#[derive(Debug)]
pub struct Answering(pub(in crate::http::line) Early);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.done();
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
