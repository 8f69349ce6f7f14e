//! The trace that a call belongs to, and the headers by which the next hop knows it.

use http::{HeaderMap, HeaderValue};

use crate::header_names::TRACEPARENT;
use crate::trace::b3::{B3Headers, B3Ids, B3Span, B3State};
use crate::trace::incoming::Incoming;
use crate::trace::w3c::{Traceparent, tidy_tracestate};

/// Which headers a tracer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// `traceparent`; beside it Zipkin's headers where they came in its place.
    W3c,
    /// Zipkin's headers.
    B3 {
        /// New traces have ids of 64 bits.
        short: bool,
        /// `traceparent` beside them.
        w3c: bool,
    },
}

/// The trace that a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: u128,
    /// The parent span.
    pub parent: Option<u64>,
    /// Whether its spans are reported.
    pub sampled: bool,
    /// The trace's id has 16 digits in Zipkin's headers.
    short: bool,
    debug: bool,
    /// What is written: `traceparent`, `b3`, `x-b3-*`.
    forms: [bool; 3],
    /// The parent is that of a `traceparent`, whose `tracestate` goes along.
    of_traceparent: bool,
}

impl TraceContext {
    /// The trace of a call: the client's, else a new one with the id `fresh`, which is not zero.
    pub fn new(incoming: &Incoming, how: Propagation, sampled: bool, fresh: u128) -> Self {
        let ids = |headers: &Option<B3Headers>| headers.and_then(|headers| headers.ids);
        let b3 = ids(&incoming.single).or_else(|| ids(&incoming.several));
        let zipkin_first = matches!(how, Propagation::B3 { .. });
        let w3c = incoming
            .traceparent
            .filter(|_| b3.is_none() || !zipkin_first);
        let b3 = b3.filter(|_| w3c.is_none());
        let short = match how {
            Propagation::B3 { short, .. } => short,
            Propagation::W3c => false,
        };
        let (trace_id, parent, short) = match (w3c, b3) {
            (Some(w3c), _) => (w3c.trace_id, Some(w3c.parent_id), false),
            (None, Some(b3)) => (b3.trace_id, Some(b3.span_id), b3.short),
            (None, None) if short && fresh as u64 != 0 => ((fresh as u64).into(), None, true),
            (None, None) => (fresh, None, false),
        };
        let states = [incoming.single, incoming.several];
        let debug = states
            .iter()
            .flatten()
            .any(|one| one.state == Some(B3State::Debug));
        Self {
            trace_id,
            parent,
            sampled,
            short,
            debug,
            forms: forms(incoming, how),
            of_traceparent: w3c.is_some(),
        }
    }

    /// Writes the headers for the next hop, with `span` as the parent.
    pub fn write(&self, span: u64, headers: &mut HeaderMap) {
        let [w3c, single, several] = self.forms;
        if w3c {
            tidy_tracestate(headers, self.of_traceparent);
            let traceparent = Traceparent {
                trace_id: self.trace_id,
                parent_id: span,
                sampled: self.sampled,
            };
            if let Ok(value) = HeaderValue::from_bytes(&traceparent.print()) {
                headers.insert(TRACEPARENT, value);
            }
        }
        let span = B3Span {
            ids: B3Ids {
                trace_id: self.trace_id,
                span_id: span,
                short: self.short,
            },
            parent: self.parent,
            state: match (self.sampled, self.debug) {
                (true, true) => B3State::Debug,
                (true, false) => B3State::Accept,
                (false, _) => B3State::Deny,
            },
        };
        if single {
            span.write_single(headers);
        }
        if several {
            span.write_several(headers);
        }
    }

    /// The same trace for the next hop of a span of this proxy: its parent is `span`.
    #[must_use]
    pub fn child_of(self, span: u64) -> Self {
        Self {
            parent: Some(span),
            ..self
        }
    }
}

fn forms(incoming: &Incoming, how: Propagation) -> [bool; 3] {
    let (single, several) = (incoming.single.is_some(), incoming.several.is_some());
    match how {
        Propagation::W3c if incoming.traceparent.is_some() => [true, false, false],
        Propagation::W3c => [true, single, several],
        Propagation::B3 { w3c, .. } => [w3c, single, several || !single],
    }
}
