//! The bytes of requests on a client's connection, and the facts of those whose responses are being written.

use std::cell::RefCell;
use std::fmt;
use std::fmt::{Debug, Formatter};
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::codec::http2_meter::Streams;
use crate::http::http1_io::ConnectionMonitor;
use crate::report::facts::WireBytes;
use crate::report::reporter::{DownstreamWire, FactsGuard, RequestWire};

/// Counts the bytes of a connection's requests. A response is complete for hyper before it is written: until then the
/// facts of its request wait here.
pub(super) struct Http1Wire<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    monitor: ConnectionMonitor<S>,
    held: RefCell<Option<(u64, Box<FactsGuard>)>>,
}

impl<S> Http1Wire<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    pub(super) fn of(monitor: &ConnectionMonitor<S>) -> Rc<Self> {
        Rc::new(Self {
            monitor: monitor.share(),
            held: RefCell::new(None),
        })
    }

    /// The request of this number, whose first byte came then.
    pub(super) fn request(self: &Rc<Self>, number: u64, began: Option<Instant>) -> RequestWire {
        RequestWire {
            connection: self.clone(),
            request: number,
            began,
        }
    }

    /// Reports the request whose response is written by now.
    pub(super) fn report_sent(&self) {
        if self.held.borrow().is_some() && self.monitor.is_sent() {
            self.report();
        }
    }

    /// Reports the request whose response was complete, however much of it is written: the next request has begun, or the
    /// connection is over.
    pub(super) fn report(&self) {
        let held = self.held.take();
        if let Some((request, mut facts)) = held {
            facts.downstream.wire = self.monitor.wire_bytes(request);
        }
    }
}

impl<S> DownstreamWire for Http1Wire<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn take(&self, request: u64) -> WireBytes {
        self.monitor.wire_bytes(request)
    }

    fn hold(&self, request: u64, facts: Box<FactsGuard>) {
        self.report();
        *self.held.borrow_mut() = Some((request, facts));
    }
}

impl<S> Debug for Http1Wire<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1Wire").finish_non_exhaustive()
    }
}

impl<S> Drop for Http1Wire<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn drop(&mut self) {
        self.report();
    }
}

/// Streams of HTTP/2 are numbered by their ids.
impl DownstreamWire for Streams<Box<FactsGuard>> {
    fn take(&self, request: u64) -> WireBytes {
        u32::try_from(request).map_or_else(|_| WireBytes::default(), |id| self.take(id))
    }

    fn hold(&self, request: u64, facts: Box<FactsGuard>) {
        let id = u32::try_from(request).unwrap_or_default();
        if let Err((facts, bytes)) = self.wait(id, facts) {
            set_bytes(facts, bytes);
        }
    }
}

/// Reports a request with the bytes of its stream.
pub(super) fn set_bytes(mut facts: Box<FactsGuard>, bytes: WireBytes) {
    facts.downstream.wire = bytes;
}
