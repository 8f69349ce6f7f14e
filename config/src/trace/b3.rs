//! Zipkin's headers: `b3`, and the older `x-b3-*` (openzipkin/b3-propagation).

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::header_names::{B3, B3_FLAGS, B3_PARENT_SPAN_ID, B3_SAMPLED, B3_SPAN_ID, B3_TRACE_ID};
use crate::trace::hex::{hex, write_hex};

/// The trace context in Zipkin's headers of a request, in either form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct B3Headers {
    /// The trace and the parent span; `None` where they are missing or cannot be read.
    pub ids: Option<B3Ids>,
    /// Whether the trace is sampled, and why; `None` leaves it open.
    pub state: Option<B3State>,
}

/// The ids in Zipkin's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct B3Ids {
    /// The trace.
    pub trace_id: u128,
    /// The parent span.
    pub span_id: u64,
    /// The trace's id was written with 16 digits.
    pub short: bool,
}

/// The sampling decision of Zipkin's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum B3State {
    /// No.
    Deny,
    /// Yes.
    Accept,
    /// Yes, and more than that: the trace is debugged.
    Debug,
}

impl B3State {
    /// Whether it means yes.
    pub fn is_sampled(self) -> bool {
        self != Self::Deny
    }
}

impl B3Headers {
    /// The context of `b3`; `None` without it.
    pub fn of_single(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(B3)?.as_bytes();
        if let Some(state) = single_state(value) {
            return Some(Self {
                ids: None,
                state: Some(state),
            });
        }
        let mut parts = value.split(|byte| *byte == b'-');
        let ids = ids(parts.next(), parts.next());
        let state = parts.next().map(single_state);
        let parent = parts.next().map(hex);
        let fits = parts.next().is_none() && state != Some(None) && parent != Some(None);
        Some(match ids {
            Some(ids) if fits => Self {
                ids: Some(ids),
                state: state.flatten(),
            },
            _ => Self::default(),
        })
    }

    /// The context of `x-b3-*`; `None` without any of them.
    pub fn of_several(headers: &HeaderMap) -> Option<Self> {
        let get = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
        let several = [
            B3_TRACE_ID,
            B3_SPAN_ID,
            B3_PARENT_SPAN_ID,
            B3_SAMPLED,
            B3_FLAGS,
        ];
        if !several.iter().any(|name| headers.contains_key(name)) {
            return None;
        }
        let state = match (get(B3_FLAGS), get(B3_SAMPLED)) {
            (Some(b"1"), _) => Some(B3State::Debug),
            (_, Some(b"1" | b"true")) => Some(B3State::Accept),
            (_, Some(b"0" | b"false")) => Some(B3State::Deny),
            _ => None,
        };
        Some(Self {
            ids: ids(get(B3_TRACE_ID), get(B3_SPAN_ID)),
            state,
        })
    }
}

fn single_state(text: &[u8]) -> Option<B3State> {
    Some(match text {
        b"0" => B3State::Deny,
        b"1" => B3State::Accept,
        b"d" => B3State::Debug,
        _ => return None,
    })
}

fn ids(trace: Option<&[u8]>, span: Option<&[u8]>) -> Option<B3Ids> {
    let (trace, span) = (trace?, span?);
    if !matches!(trace.len(), 16 | 32) || span.len() != 16 {
        return None;
    }
    let (trace_id, span_id) = (hex(trace)?, hex(span)?);
    (trace_id != 0 && span_id != 0).then_some(B3Ids {
        trace_id,
        // Sixteen digits.
        span_id: span_id as u64,
        short: trace.len() == 16,
    })
}

/// A span as Zipkin's headers of the next hop name it.
#[derive(Clone, Copy, Debug)]
pub(in crate::trace) struct B3Span {
    /// The trace and the span.
    pub(in crate::trace) ids: B3Ids,
    /// The span's parent.
    pub(in crate::trace) parent: Option<u64>,
    /// Whether it is sampled.
    pub(in crate::trace) state: B3State,
}

impl B3Span {
    /// Writes `b3`.
    pub(in crate::trace) fn write_single(&self, headers: &mut HeaderMap) {
        let mut text = Vec::with_capacity(68);
        self.push_trace(&mut text);
        text.push(b'-');
        push_hex(&mut text, self.ids.span_id.into(), 16);
        text.push(b'-');
        text.push(match self.state {
            B3State::Deny => b'0',
            B3State::Accept => b'1',
            B3State::Debug => b'd',
        });
        if let Some(parent) = self.parent {
            text.push(b'-');
            push_hex(&mut text, parent.into(), 16);
        }
        insert(headers, B3, text);
    }

    /// Writes `x-b3-*`. Of a debug trace `x-b3-flags` is kept as it came.
    pub(in crate::trace) fn write_several(&self, headers: &mut HeaderMap) {
        let mut trace = Vec::with_capacity(32);
        self.push_trace(&mut trace);
        insert(headers, B3_TRACE_ID, trace);
        insert_span(headers, B3_SPAN_ID, self.ids.span_id);
        match self.parent {
            Some(parent) => insert_span(headers, B3_PARENT_SPAN_ID, parent),
            None => drop(headers.remove(B3_PARENT_SPAN_ID)),
        }
        if self.state == B3State::Debug {
            headers.remove(B3_SAMPLED);
            headers.insert(B3_FLAGS, HeaderValue::from_static("1"));
            return;
        }
        let sampled = match self.state.is_sampled() {
            true => HeaderValue::from_static("1"),
            false => HeaderValue::from_static("0"),
        };
        headers.insert(B3_SAMPLED, sampled);
    }

    fn push_trace(&self, text: &mut Vec<u8>) {
        let short = self.ids.short && self.ids.trace_id >> 64 == 0;
        push_hex(text, self.ids.trace_id, if short { 16 } else { 32 });
    }
}

fn push_hex(text: &mut Vec<u8>, number: u128, digits: usize) {
    let begin = text.len();
    text.resize(begin + digits, b'0');
    write_hex(&mut text[begin..], number);
}

fn insert_span(headers: &mut HeaderMap, name: HeaderName, id: u64) {
    let mut text = Vec::with_capacity(16);
    push_hex(&mut text, id.into(), 16);
    insert(headers, name, text);
}

/// Digits and dashes are a header's value.
fn insert(headers: &mut HeaderMap, name: HeaderName, text: Vec<u8>) {
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(name, value);
    }
}
