//! Which calls are sampled.

use super::headers;
use crate::trace::decision::{Sampling, is_sampled};
use crate::trace::incoming::Incoming;

const PARENT: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0";

fn sampled(lines: &[&str], share: u32, bits: u64, use_request_id: bool) -> bool {
    let headers = headers(lines);
    let how = Sampling {
        share,
        use_request_id,
    };
    is_sampled(&Incoming::of(&headers), &headers, how, bits)
}

#[test]
fn the_first_that_says_something_decides() {
    let (yes, no) = (format!("{PARENT}1"), format!("{PARENT}0"));
    let marked = "x-request-id: 6ba7b810-9dad-91d1-80b4-00c04fd430c8";
    let unmarked = "x-request-id: 6ba7b810-9dad-41d1-80b4-00c04fd430c8";
    let client = "x-client-trace-id: 7";
    for (lines, share, expected) in [
        (&[&*yes][..], 0, true),
        (&[&*no], 1_000_000, false),
        (&[&*no, client, marked], 1_000_000, false),
        (&[&*no, "b3: 1"], 1_000_000, false),
        (&[&*yes, "b3: 0", "x-b3-sampled: 0"], 0, true),
        (&["traceparent: ff", "b3: 0"], 1_000_000, false),
        (&["b3: 0", "x-b3-sampled: 1"], 1_000_000, false),
        (&["b3: d"], 0, true),
        (
            &["b3: a3ce929d0e0e4736-00f067aa0ba902b7", "x-b3-sampled: 1"],
            0,
            true,
        ),
        (&["x-b3-sampled: 0", client], 1_000_000, false),
        (&["x-b3-flags: 1"], 0, true),
        (&["x-b3-traceid: a3ce929d0e0e4736", client], 0, true),
        (&[client], 0, true),
        (&[marked], 0, true),
        (&[unmarked], 0, false),
        (&[unmarked], 1_000_000, true),
        (&[], 0, false),
    ] {
        assert_eq!(sampled(lines, share, 0, true), expected, "{lines:?}");
    }
    assert!(!sampled(&[marked], 0, 0, false));
}

#[test]
fn chance_comes_from_the_bits() {
    for (share, bits, expected) in [
        (500_000, 499_999, true),
        (500_000, 500_000, false),
        (500_000, 1_499_999, true),
        (1, 0, true),
        (1, 1, false),
        (1_000_000, u64::MAX, true),
        (0, 0, false),
    ] {
        assert_eq!(sampled(&[], share, bits, true), expected, "{share} {bits}");
    }
}
