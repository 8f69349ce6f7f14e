//! `traceparent` and `tracestate` (W3C Trace Context, level 1).

use http::HeaderMap;

use crate::header_names::{TRACEPARENT, TRACESTATE};
use crate::trace::hex::{lower_hex, write_hex};

/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;

/// The fields of a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace.
    pub trace_id: u128,
    /// The parent span.
    pub parent_id: u64,
    /// Whether the parent span is sampled.
    pub sampled: bool,
}

impl Traceparent {
    /// That of a request; `None` if there is none, or one that is to be ignored: with a zero id, in upper case, of version
    /// ff, or more than one. Of a later version as much is read as version 00 has.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(TRACEPARENT).iter();
        let first = all.next()?;
        match all.next() {
            None => Self::parse(first.as_bytes()),
            Some(_) => None,
        }
    }

    /// Reads the value of a `traceparent`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let known = text.get(..LENGTH)?;
        let dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        let version = lower_hex(&known[..2])?;
        let fits = match version {
            0 => text.len() == LENGTH,
            0xff => false,
            _ => matches!(text.get(LENGTH), None | Some(b'-')),
        };
        let trace_id = lower_hex(&known[3..35])?;
        let parent_id = lower_hex(&known[36..52])?;
        let flags = lower_hex(&known[53..])?;
        (dashes && fits && trace_id != 0 && parent_id != 0).then_some(Self {
            trace_id,
            // Sixteen digits.
            parent_id: parent_id as u64,
            sampled: flags & 1 == 1,
        })
    }

    /// As it is sent, with version 00.
    pub fn print(&self) -> [u8; LENGTH] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[3..35], self.trace_id);
        write_hex(&mut text[36..52], self.parent_id.into());
        text[LENGTH - 1] = b'0' + u8::from(self.sampled);
        text
    }
}

/// Removes a `tracestate` that must not be sent on: one whose `traceparent` is not continued, or that is empty.
pub(in crate::trace) fn tidy_tracestate(headers: &mut HeaderMap, continued: bool) {
    let says = |headers: &HeaderMap| {
        let mut all = headers.get_all(TRACESTATE).iter();
        all.any(|line| !line.as_bytes().trim_ascii().is_empty())
    };
    if !continued || !says(headers) {
        headers.remove(TRACESTATE);
    }
}
