//! Gives the facts of each call to every sink, exactly once: when the call ends, or when it is dropped.

use std::borrow::Cow;
use std::fmt;
use std::fmt::{Debug, Display};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;

use egret_config::decide::flag::Flag;
use egret_config::log_format::TimePoint;
use http::HeaderMap;
use tokio::time::Instant;

use crate::life::admission::AdmittedRequest;
use crate::report::facts::{Attempts, End, Facts, Part, StreamReset, WireBytes};
use crate::report::needs::{Needs, NeedsInForce};
use crate::report::stream_bytes::StreamBytes;

/// What takes the facts of each call at its end.
pub trait Sink: Send + Sync {
    /// Takes the facts of a call that ended. Must not block: it runs on the thread that serves calls.
    fn report(&self, facts: &Facts);

    /// Takes the facts of a call about which was just decided, with the reasons. Gives the row of
    /// [`Facts::destination_row`] where this sink has one for the call.
    fn decided(&self, _facts: &Facts, _reasons: &dyn Display) -> Option<u32> {
        None
    }

    /// Takes the facts of what was decided about, but turned out to be no call.
    fn dismissed(&self, _facts: &Facts) {}

    /// Takes the facts of a byte stream whose destination was just connected; [`Facts::stream`] has its bytes from now
    /// on.
    fn opened(&self, _facts: &Facts) {}
}

/// All sinks. Shared by the workers.
#[derive(Debug)]
pub struct Reporter {
    sinks: Box<[Arc<dyn Sink>]>,
    needs: Arc<NeedsInForce>,
}

/// Counts the bytes of a request's body while they come.
pub trait ByteCounter {
    /// Bytes so far.
    fn bytes(&self) -> u64;
}

/// Knows whether a request's HTTP/2 stream was reset.
pub trait ResetState {
    /// How it was reset, if it was.
    fn reset(&self) -> Option<StreamReset>;
}

/// Counts the bytes of requests and responses on a client's connection.
pub trait DownstreamWire {
    /// The bytes of this request and of its response so far. Not asked again.
    fn take(&self, request: u64) -> WireBytes;

    /// Takes the facts of a request whose response is complete, but perhaps not all on the wire. Drops them, with its
    /// bytes set, once it is, or once the connection is over.
    fn hold(&self, request: u64, facts: Box<FactsGuard>);
}

/// A request on a client's connection whose bytes are counted.
#[derive(Clone, Debug)]
pub struct RequestWire {
    /// The connection.
    pub connection: Rc<dyn DownstreamWire>,
    /// The request's number on it.
    pub request: u64,
    /// When its first byte came, where that is known.
    pub began: Option<Instant>,
}

/// The facts of a call under way. Whoever holds this fills them; they are reported when it is dropped, whatever happened.
/// A request that is dropped before [`FactsGuard::end`] was left by its client.
#[derive(Debug)]
pub struct FactsGuard {
    facts: Facts,
    reporter: Arc<Reporter>,
    dismissed: bool,
    body: Option<Rc<dyn ByteCounter>>,
    stream: Option<Arc<dyn ResetState>>,
    wire: Option<RequestWire>,
    admitted: Option<AdmittedRequest>,
}

/// Traits that are used as objects are shown by their name alone: with `Debug` among what they require, the program would
/// hold the code that shows all that any of them can reach.
macro_rules! shown_by_name {
    ($($object:ident),+) => {$(
        impl Debug for dyn $object {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($object))
            }
        }
    )+};
}

shown_by_name!(Sink, ByteCounter, ResetState, DownstreamWire);

impl Reporter {
    /// Reports to these sinks.
    pub fn new(sinks: impl IntoIterator<Item = Arc<dyn Sink>>) -> Arc<Self> {
        Arc::new(Self {
            sinks: sinks.into_iter().collect(),
            needs: Arc::default(),
        })
    }

    /// The same sinks, and one more. Of a worker, whose own sink it is.
    pub fn with(&self, sink: Arc<dyn Sink>) -> Arc<Self> {
        Arc::new(Self {
            sinks: self.sinks.iter().cloned().chain([sink]).collect(),
            needs: Arc::clone(&self.needs),
        })
    }

    /// Gathers, of calls that begin from now on, what the sinks ask for together. Reporters made of this one by
    /// [`Reporter::with`] do so, too.
    pub fn require(&self, needs: &Needs) {
        self.needs.set(needs);
    }

    /// What is gathered.
    pub fn needs(&self) -> &NeedsInForce {
        &self.needs
    }

    /// The facts of a call that begins now.
    pub fn begin(self: &Arc<Self>) -> FactsGuard {
        self.begin_at(Instant::now())
    }

    /// The facts of a request, whose bytes on the wire are read from `wire` at its end.
    pub fn begin_request(self: &Arc<Self>, wire: RequestWire) -> FactsGuard {
        let mut facts = self.begin_at(wire.began.unwrap_or_else(Instant::now));
        facts.wire = Some(wire);
        facts
    }

    fn begin_at(self: &Arc<Self>, began: Instant) -> FactsGuard {
        let mut facts = Facts::begin_at(began);
        if self.needs.times() {
            facts.times = Some(Box::default());
        }
        if self.needs.upstream_wire() {
            facts.attempts = Attempts::counting_wire();
        }
        FactsGuard {
            facts,
            reporter: Arc::clone(self),
            dismissed: false,
            body: None,
            stream: None,
            wire: None,
            admitted: None,
        }
    }

    fn report(&self, facts: &Facts) {
        for sink in &self.sinks {
            sink.report(facts);
        }
    }
}

impl FactsGuard {
    /// Has the bytes of the request's body read from `counter`, should the call be dropped.
    pub fn watch_body(&mut self, counter: Option<Rc<dyn ByteCounter>>) {
        self.body = counter;
    }

    /// Has a reset of the request's HTTP/2 stream read from `stream`, should the call be dropped.
    pub fn watch_stream(&mut self, stream: Arc<dyn ResetState>) {
        self.stream = Some(stream);
    }

    /// Counts the request among those in flight until its facts are reported.
    pub fn admit(&mut self, admitted: AdmittedRequest) {
        self.admitted = Some(admitted);
    }

    /// Reports to the sinks that a byte stream is connected upstream. Returns the counts of its bytes.
    pub fn opened(&mut self) -> Arc<StreamBytes> {
        let bytes = Arc::clone(self.facts.stream.insert(Arc::default()));
        for sink in &self.reporter.sinks {
            sink.opened(&self.facts);
        }
        bytes
    }

    /// Reports the decision of the call to the sinks. Keeps the reasons, if a sink wants them in the facts; otherwise
    /// no text is made.
    pub fn set_reasons(&mut self, trail: &impl Display) {
        if self.reporter.needs.reasons() {
            self.facts.decision.reasons = Some(trail.to_string().into());
        }
        for sink in &self.reporter.sinks {
            if let Some(row) = sink.decided(&self.facts, trail) {
                self.facts.destination_row = Some(row);
            }
        }
    }

    /// Keeps the headers of a part of the call that a format or an expression asks for.
    pub fn keep_headers(&mut self, part: Part, headers: &HeaderMap) {
        if let Some(plan) = &*self.reporter.needs.headers() {
            let captured = self.facts.captured.get_or_insert_default();
            captured.keep(plan, part, headers);
        }
    }

    /// Sets the facts of the response's head: the headers that are asked for, and the status of a gRPC call.
    pub fn set_response_headers(&mut self, headers: &HeaderMap) {
        self.keep_headers(Part::Response, headers);
        self.facts.set_grpc_status(headers);
    }

    /// Sets what the trailers of the response say, in the same way.
    pub fn set_trailers(&mut self, trailers: &HeaderMap) {
        self.keep_headers(Part::Trailers, trailers);
        self.facts.set_grpc_status(trailers);
    }

    /// Notes that a point in the course of the call is reached now, where a format asks for that.
    pub fn reached(&mut self, point: TimePoint) {
        if let Some(times) = &mut self.facts.times {
            times.set(point, Instant::now());
        }
    }

    /// What is gathered about calls.
    pub fn needs(&self) -> &NeedsInForce {
        &self.reporter.needs
    }

    /// Ends the call, and reports it.
    pub fn end(mut self) {
        self.facts.end = Some(End::Complete);
    }

    /// Ends the call of a request whose response is complete. It is reported once the response is on the wire.
    pub fn end_when_sent(mut self: Box<Self>) {
        self.facts.end = Some(End::Complete);
        self.clear_unsent();
        if let Some(wire) = self.wire.take() {
            wire.connection.hold(wire.request, self);
        }
    }

    /// Reports nothing: for a connection whose requests have facts of their own.
    pub fn dismiss(&mut self) {
        self.dismissed = true;
    }

    fn clear_unsent(&mut self) {
        if self.facts.is_request() && self.facts.response.code.is_none() {
            // No client was there to read it.
            self.facts.bytes_sent = 0;
        }
    }

    /// Completes the facts of a call that was dropped.
    fn client_left(&mut self) {
        self.facts.end = Some(End::ClientLeft);
        if !self.facts.is_request() || !self.facts.flags.is_empty() {
            return;
        }
        // Envoy has one word for both ways in which a stream is reset.
        let (flag, details) = match self.stream.as_ref().and_then(|stream| stream.reset()) {
            None => (Flag::DC, "downstream_remote_disconnect"),
            Some(StreamReset::Client) => (Flag::DR, "http2.remote_reset"),
            Some(StreamReset::ProtocolError) => (Flag::DPE, "http2.remote_reset"),
        };
        self.facts.flags.raise(flag);
        self.facts.response.details = Some(Cow::Borrowed(details));
        if let Some(body) = &self.body {
            self.facts.bytes_received = body.bytes();
        }
    }
}

impl Deref for FactsGuard {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

impl DerefMut for FactsGuard {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

impl Drop for FactsGuard {
    fn drop(&mut self) {
        if self.dismissed {
            for sink in &self.reporter.sinks {
                sink.dismissed(&self.facts);
            }
            return;
        }
        if self.facts.end.is_none() {
            self.client_left();
        }
        self.clear_unsent();
        if let Some(wire) = self.wire.take() {
            self.facts.downstream.wire = wire.connection.take(wire.request);
        } else if !self.facts.is_request() && self.facts.downstream.wire == WireBytes::default() {
            self.facts.downstream.wire = WireBytes {
                received: self.facts.bytes_received,
                sent: self.facts.bytes_sent,
                ..WireBytes::default()
            };
        }
        self.facts.ended = Some(Instant::now());
        self.reporter.report(&self.facts);
    }
}

#[cfg(test)]
mod tests;
