//! Which calls are sampled.

use http::HeaderMap;

use crate::header_names::{CLIENT_TRACE_ID, REQUEST_ID};
use crate::trace::incoming::Incoming;
use crate::trace::request_id;

/// Shares are in millionths.
const MILLION: u64 = 1_000_000;

/// The sampling settings of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// The share of calls that are sampled where nothing else decides, in millionths.
    pub share: u32,
    /// `useRequestIdForTraceSampling`: a mark in `x-request-id` decides.
    pub use_request_id: bool,
}

/// Whether a call is sampled: the client's decision, else a request for it by `x-client-trace-id`, else the
/// mark in `x-request-id`, else chance. `bits` are 64 random bits.
pub fn is_sampled(incoming: &Incoming, headers: &HeaderMap, how: Sampling, bits: u64) -> bool {
    if let Some(decided) = incoming.sampled() {
        return decided;
    }
    let marked = || headers.get(REQUEST_ID).is_some_and(request_id::is_marked);
    headers.contains_key(CLIENT_TRACE_ID)
        || (how.use_request_id && marked())
        || bits % MILLION < u64::from(how.share)
}
