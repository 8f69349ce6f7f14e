//! What is read of headers.

use super::headers;
use crate::trace::b3::{B3Headers, B3Ids, B3State};
use crate::trace::request_id;
use crate::trace::w3c::Traceparent;

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const SPAN: u64 = 0x00f0_67aa_0ba9_02b7;

#[test]
fn traceparents() {
    let valid = |sampled| {
        Some(Traceparent {
            trace_id: TRACE,
            parent_id: SPAN,
            sampled,
        })
    };
    for (text, expected) in [
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            valid(true),
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            valid(false),
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            valid(true),
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe",
            valid(false),
        ),
        // Later versions.
        (
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            valid(true),
        ),
        (
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-ever",
            valid(true),
        ),
        (
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            valid(true),
        ),
        (
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
            None,
        ),
        (
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            None,
        ),
        // Version 00 has no more than this.
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            None,
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            None,
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            None,
        ),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", None),
        (
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            None,
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            None,
        ),
        (
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            None,
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            None,
        ),
        (
            "0A-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            None,
        ),
        (
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            None,
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            None,
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            None,
        ),
        ("", None),
        ("00", None),
    ] {
        assert_eq!(Traceparent::parse(text.as_bytes()), expected, "{text}");
    }
    let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(valid(true).expect("valid").print(), text.as_bytes());
    let line = format!("traceparent: {text}");
    assert_eq!(Traceparent::of(&headers(&[&line])), valid(true));
    assert_eq!(Traceparent::of(&headers(&[&line, &line])), None);
    assert_eq!(Traceparent::of(&headers(&[])), None);
}

fn ids(short: bool) -> Option<B3Ids> {
    let trace_id = if short {
        TRACE & u128::from(u64::MAX)
    } else {
        TRACE
    };
    Some(B3Ids {
        trace_id,
        span_id: SPAN,
        short,
    })
}

#[test]
fn b3_in_one_header() {
    let none = B3Headers::default();
    let read = |ids, state| B3Headers { ids, state };
    for (text, expected) in [
        ("0", read(None, Some(B3State::Deny))),
        ("1", read(None, Some(B3State::Accept))),
        ("d", read(None, Some(B3State::Debug))),
        (
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            read(ids(false), None),
        ),
        (
            "a3ce929d0e0e4736-00f067aa0ba902b7-1",
            read(ids(true), Some(B3State::Accept)),
        ),
        (
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d-05e3ac9a4f6e3b90",
            read(ids(false), Some(B3State::Debug)),
        ),
        (
            "4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-0",
            read(ids(false), Some(B3State::Deny)),
        ),
        ("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-2", none),
        (
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1-x",
            none,
        ),
        (
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1-05e3ac9a4f6e3b90-1",
            none,
        ),
        ("0000000000000000-00f067aa0ba902b7-1", none),
        ("a3ce929d0e0e4736-0000000000000000-1", none),
        ("a3ce929d0e0e473-00f067aa0ba902b7-1", none),
        ("a3ce929d0e0e4736", none),
        ("", none),
    ] {
        let line = format!("b3: {text}");
        assert_eq!(
            B3Headers::of_single(&headers(&[&line])),
            Some(expected),
            "{text}"
        );
    }
    assert_eq!(B3Headers::of_single(&headers(&[])), None);
}

#[test]
fn b3_in_several_headers() {
    let trace = "x-b3-traceid: 4bf92f3577b34da6a3ce929d0e0e4736";
    let span = "x-b3-spanid: 00f067aa0ba902b7";
    for (lines, expected, state) in [
        (&[trace, span][..], ids(false), None),
        (&["x-b3-traceid: a3ce929d0e0e4736", span], ids(true), None),
        (
            &[trace, span, "x-b3-sampled: 1"],
            ids(false),
            Some(B3State::Accept),
        ),
        (
            &[trace, span, "x-b3-sampled: true"],
            ids(false),
            Some(B3State::Accept),
        ),
        (
            &[trace, span, "x-b3-sampled: 0"],
            ids(false),
            Some(B3State::Deny),
        ),
        (
            &[trace, span, "x-b3-flags: 1"],
            ids(false),
            Some(B3State::Debug),
        ),
        (&[trace, span, "x-b3-flags: 0"], ids(false), None),
        (&["x-b3-sampled: 0"], None, Some(B3State::Deny)),
        (&[trace], None, None),
        (
            &["x-b3-traceid: x", span, "x-b3-sampled: maybe"],
            None,
            None,
        ),
    ] {
        let read = B3Headers::of_several(&headers(lines)).expect("there are some");
        assert_eq!((read.ids, read.state), (expected, state), "{lines:?}");
    }
    assert_eq!(B3Headers::of_several(&headers(&["b3: 1"])), None);
}

#[test]
fn marks_of_request_ids() {
    for (id, is_marked, marked) in [
        (
            "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
            false,
            Some("6ba7b810-9dad-91d1-80b4-00c04fd430c8"),
        ),
        ("6ba7b810-9dad-91d1-80b4-00c04fd430c8", true, None),
        ("6ba7b810-9dad-a1d1-80b4-00c04fd430c8", true, None),
        ("6ba7b810-9dad-b1d1-80b4-00c04fd430c8", true, None),
        ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", false, None),
        ("6ba7b810-9dad-9", false, None),
        ("01234567890123456789", false, None),
        ("", false, None),
    ] {
        let value = id.parse().expect("a value");
        assert_eq!(request_id::is_marked(&value), is_marked, "{id}");
        let new = request_id::marked(&value);
        assert_eq!(
            new.as_ref().map(|value| value.to_str().expect("text")),
            marked,
            "{id}"
        );
    }
}
