//! Streams and their states: RFC 9113, 5.1, and RST_STREAM of 6.4.

use egret_tests::frames::{code, flag, frame, kind, window_update};

use crate::http::h2_conformance::{
    Expect, MALFORMED, MISSIZED, TOO_LATE, conforms, get, headers, post,
};

const CANCEL: [u8; 4] = [0, 0, 0, 8];

#[test]
fn an_idle_stream_takes_headers_only() -> anyhow::Result<()> {
    let goodbye = Expect::Goodbye(&[code::PROTOCOL]);
    conforms(
        "h2-idle",
        vec![
            ("DATA", frame(kind::DATA, 1, 1, b"x"), goodbye),
            (
                "RST_STREAM",
                frame(kind::RST_STREAM, 0, 1, &CANCEL),
                goodbye,
            ),
            ("WINDOW_UPDATE", window_update(1, 100), goodbye),
            (
                "a stream of the server's numbers",
                headers(2, flag::WHOLE, &get("/get")),
                goodbye,
            ),
            (
                "a number below the last one",
                [
                    headers(5, flag::WHOLE, &get("/slow")),
                    headers(3, flag::WHOLE, &get("/get")),
                ]
                .concat(),
                // The stream that was passed over counts as closed (5.1.1), or its number as wrong: either is a goodbye.
                Expect::Goodbye(&[code::PROTOCOL, code::STREAM_CLOSED]),
            ),
        ],
    )
}

#[test]
fn a_stream_that_its_client_ended_takes_no_more() -> anyhow::Result<()> {
    let ended = |more: Vec<u8>| [headers(1, flag::WHOLE, &get("/slow")), more].concat();
    conforms(
        "h2-half-closed",
        vec![
            ("DATA", ended(frame(kind::DATA, 1, 1, b"x")), TOO_LATE),
            (
                "HEADERS",
                ended(headers(1, flag::WHOLE, &get("/get"))),
                // 5.1: a stream error; here that of trailers with pseudo fields.
                MALFORMED,
            ),
            (
                "WINDOW_UPDATE",
                ended(window_update(1, 100)),
                Expect::Nothing,
            ),
            (
                "PRIORITY",
                ended(frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
                Expect::Nothing,
            ),
            (
                "RST_STREAM",
                ended(frame(kind::RST_STREAM, 0, 1, &CANCEL)),
                Expect::Nothing,
            ),
        ],
    )
}

#[test]
fn a_stream_that_was_reset_takes_no_more() -> anyhow::Result<()> {
    let reset = |more: Vec<u8>| {
        [
            headers(1, flag::END_HEADERS, &post("/slow")),
            frame(kind::RST_STREAM, 0, 1, &CANCEL),
            more,
        ]
        .concat()
    };
    conforms(
        "h2-closed",
        vec![
            (
                "DATA",
                reset(frame(kind::DATA, 1, 1, b"x")),
                Expect::Reset(&[code::STREAM_CLOSED]),
            ),
            (
                "HEADERS",
                reset(headers(1, flag::WHOLE, &get("/get"))),
                TOO_LATE,
            ),
            (
                "WINDOW_UPDATE",
                reset(window_update(1, 100)),
                Expect::Nothing,
            ),
            (
                "PRIORITY",
                reset(frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
                Expect::Nothing,
            ),
            (
                "another reset",
                reset(frame(kind::RST_STREAM, 0, 1, &CANCEL)),
                Expect::Nothing,
            ),
        ],
    )
}

#[test]
fn resets_are_four_bytes_on_a_stream() -> anyhow::Result<()> {
    let open = headers(1, flag::END_HEADERS, &post("/slow"));
    conforms(
        "h2-resets",
        vec![
            (
                "on the connection",
                frame(kind::RST_STREAM, 0, 0, &CANCEL),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "of three bytes",
                [open.clone(), frame(kind::RST_STREAM, 0, 1, &[0, 0, 8])].concat(),
                MISSIZED,
            ),
            (
                "of five bytes",
                [open.clone(), frame(kind::RST_STREAM, 0, 1, &[0; 5])].concat(),
                MISSIZED,
            ),
            (
                "with a code that means nothing",
                [open, frame(kind::RST_STREAM, 0, 1, &[0xff; 4])].concat(),
                Expect::Nothing,
            ),
        ],
    )
}
