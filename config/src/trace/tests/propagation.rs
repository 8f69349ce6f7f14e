//! The headers of the next hop.

use super::{headers, lines};
use crate::trace::context::{Propagation, TraceContext};
use crate::trace::incoming::Incoming;

const FRESH: u128 = 0x1111_1111_1111_1111_2222_2222_2222_2222;
const SPAN: u64 = 0x3333_3333_3333_3333;

const B3: Propagation = Propagation::B3 {
    short: false,
    w3c: false,
};

fn sent(lines_in: &[&str], how: Propagation, sampled: bool) -> Vec<String> {
    let mut map = headers(lines_in);
    let context = TraceContext::new(&Incoming::of(&map), how, sampled, FRESH);
    context.write(SPAN, &mut map);
    lines(&map)
}

#[test]
fn w3c_continues_a_trace_or_begins_one() {
    let parent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let ours = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-3333333333333333-01";
    let fresh = "traceparent: 00-11111111111111112222222222222222-3333333333333333-01";
    for (lines, expected) in [
        (&[parent][..], &[ours][..]),
        (
            &[parent, "tracestate: a=1,b=2"],
            &[ours, "tracestate: a=1,b=2"],
        ),
        (
            &[parent, "tracestate: a=1", "tracestate: b=2"],
            &[ours, "tracestate: a=1", "tracestate: b=2"],
        ),
        (&[parent, "tracestate: "], &[ours]),
        (&[], &[fresh]),
        (&["traceparent: 00-bad", "tracestate: a=1"], &[fresh]),
        (&["tracestate: a=1"], &[fresh]),
        (&[parent, parent], &[fresh]),
        (&[parent, "b3: 1"], &["b3: 1", ours]),
    ] {
        assert_eq!(sent(lines, Propagation::W3c, true), expected, "{lines:?}");
    }
    let unsampled = "traceparent: 00-11111111111111112222222222222222-3333333333333333-00";
    assert_eq!(sent(&[], Propagation::W3c, false), [unsampled]);
    let later = "traceparent: 01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-more";
    assert_eq!(sent(&[later], Propagation::W3c, true), [ours]);
}

#[test]
fn b3_is_continued_and_sent_in_its_form_beside_traceparent() {
    let padded = "traceparent: 00-0000000000000000a3ce929d0e0e4736-3333333333333333-01";
    for (lines, expected) in [
        (
            &["b3: a3ce929d0e0e4736-00f067aa0ba902b7-1"][..],
            &[
                "b3: a3ce929d0e0e4736-3333333333333333-1-00f067aa0ba902b7",
                padded,
            ][..],
        ),
        (
            &[
                "x-b3-traceid: a3ce929d0e0e4736",
                "x-b3-spanid: 00f067aa0ba902b7",
                "x-b3-sampled: 1",
                "tracestate: a=1",
            ],
            &[
                padded,
                "x-b3-parentspanid: 00f067aa0ba902b7",
                "x-b3-sampled: 1",
                "x-b3-spanid: 3333333333333333",
                "x-b3-traceid: a3ce929d0e0e4736",
            ],
        ),
        (
            &[
                "x-b3-traceid: 4bf92f3577b34da6a3ce929d0e0e4736",
                "x-b3-spanid: 00f067aa0ba902b7",
                "x-b3-flags: 1",
            ],
            &[
                "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-3333333333333333-01",
                "x-b3-flags: 1",
                "x-b3-parentspanid: 00f067aa0ba902b7",
                "x-b3-spanid: 3333333333333333",
                "x-b3-traceid: 4bf92f3577b34da6a3ce929d0e0e4736",
            ],
        ),
        (
            &["b3: d"],
            &[
                "b3: 11111111111111112222222222222222-3333333333333333-d",
                "traceparent: 00-11111111111111112222222222222222-3333333333333333-01",
            ],
        ),
    ] {
        assert_eq!(sent(lines, Propagation::W3c, true), expected, "{lines:?}");
    }
    assert_eq!(
        sent(&["b3: 0"], Propagation::W3c, false),
        [
            "b3: 11111111111111112222222222222222-3333333333333333-0",
            "traceparent: 00-11111111111111112222222222222222-3333333333333333-00",
        ]
    );
}

#[test]
fn zipkin_sends_its_own_headers() {
    let several = [
        "x-b3-sampled: 1",
        "x-b3-spanid: 3333333333333333",
        "x-b3-traceid: 11111111111111112222222222222222",
    ];
    assert_eq!(sent(&[], B3, true), several);
    let short = Propagation::B3 {
        short: true,
        w3c: false,
    };
    assert_eq!(
        sent(&[], short, false),
        [
            "x-b3-sampled: 0",
            "x-b3-spanid: 3333333333333333",
            "x-b3-traceid: 2222222222222222",
        ]
    );
    let both = Propagation::B3 {
        short: false,
        w3c: true,
    };
    let mut expected = vec!["traceparent: 00-11111111111111112222222222222222-3333333333333333-01"];
    expected.extend(several);
    assert_eq!(sent(&[], both, true), expected);
    assert_eq!(
        sent(&["b3: a3ce929d0e0e4736-00f067aa0ba902b7"], B3, true),
        ["b3: a3ce929d0e0e4736-3333333333333333-1-00f067aa0ba902b7"]
    );
    let parent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(
        sent(&[parent, "tracestate: a=1"], B3, true),
        [
            parent,
            "tracestate: a=1",
            "x-b3-parentspanid: 00f067aa0ba902b7",
            "x-b3-sampled: 1",
            "x-b3-spanid: 3333333333333333",
            "x-b3-traceid: 4bf92f3577b34da6a3ce929d0e0e4736",
        ]
    );
}

#[test]
fn a_child_has_our_span_for_its_parent() {
    let mut map = headers(&["b3: a3ce929d0e0e4736-00f067aa0ba902b7-1"]);
    let context = TraceContext::new(&Incoming::of(&map), Propagation::W3c, true, FRESH);
    context.child_of(SPAN).write(0x44, &mut map);
    assert_eq!(
        lines(&map),
        [
            "b3: a3ce929d0e0e4736-0000000000000044-1-3333333333333333",
            "traceparent: 00-0000000000000000a3ce929d0e0e4736-0000000000000044-01",
        ]
    );
}
