//! What a request brings of a trace.

use http::HeaderMap;

use crate::trace::b3::B3Headers;
use crate::trace::w3c::Traceparent;

/// What a request brings of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// A valid `traceparent`.
    pub traceparent: Option<Traceparent>,
    /// `b3`.
    pub single: Option<B3Headers>,
    /// `x-b3-*`.
    pub several: Option<B3Headers>,
}

impl Incoming {
    /// Reads the headers of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            traceparent: Traceparent::of(headers),
            single: B3Headers::of_single(headers),
            several: B3Headers::of_several(headers),
        }
    }

    /// The client's decision: `traceparent`, else `b3`, else `x-b3-*`. `None` leaves it open.
    pub fn sampled(&self) -> Option<bool> {
        let state = |headers: &Option<B3Headers>| headers.and_then(|headers| headers.state);
        if let Some(parent) = self.traceparent {
            return Some(parent.sampled);
        }
        let state = state(&self.single).or_else(|| state(&self.several))?;
        Some(state.is_sampled())
    }
}
