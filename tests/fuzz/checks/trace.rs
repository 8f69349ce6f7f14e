//! Any lines as the headers of a trace, `traceparent`, `tracestate`, `b3` and `x-b3-*`: what is read of them is written so that
//! the next hop reads the same trace, and nothing that was not read is passed on as an id.

use egret_config::trace::context::{Propagation, TraceContext};
use egret_config::trace::incoming::Incoming;
use egret_config::trace::w3c::Traceparent;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The id of a new trace, and that of the span.
const FRESH: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const SPAN: u64 = 0xb7ad_6b71_6920_3331;

const HOWS: [Propagation; 4] = [
    Propagation::W3c,
    Propagation::B3 {
        short: false,
        w3c: false,
    },
    Propagation::B3 {
        short: true,
        w3c: false,
    },
    Propagation::B3 {
        short: false,
        w3c: true,
    },
];

pub(crate) fn check(bytes: &[u8]) {
    if let Some(parent) = Traceparent::parse(bytes) {
        assert_eq!(Traceparent::parse(&parent.print()), Some(parent));
        assert!(parent.trace_id != 0 && parent.parent_id != 0);
    }
    let headers = headers(bytes);
    let incoming = Incoming::of(&headers);
    let sampled = incoming.sampled().unwrap_or(true);
    for how in HOWS {
        let context = TraceContext::new(&incoming, how, sampled, FRESH);
        assert!(context.trace_id != 0, "a trace has an id");
        let mut next = headers.clone();
        context.write(SPAN, &mut next);
        let read = Incoming::of(&next);
        let again = TraceContext::new(&read, how, sampled, FRESH + 1);
        assert_eq!(again.trace_id, context.trace_id, "{how:?}: {next:?}");
        assert_eq!(again.parent, Some(SPAN), "{how:?}: {next:?}");
        assert_eq!(read.sampled(), Some(sampled), "{how:?}: {next:?}");
    }
}

/// The lines `name: value` that are headers.
fn headers(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}
