//! Flow control: RFC 9113, 5.2 and 6.9.

use egret_tests::frames::{Frame, PREFACE, Wire, code, flag, frame, kind, settings, window_update};

use crate::http::h2_conformance::{Expect, MISSIZED, conforms, get, headers, post, served};

const INITIAL_WINDOW: u16 = 4;
const MOST: u32 = (1 << 31) - 1;

#[test]
fn windows_grow_within_bounds() -> anyhow::Result<()> {
    let open = headers(1, flag::END_HEADERS, &post("/slow"));
    let opened = |more: Vec<u8>| [open.clone(), more].concat();
    conforms(
        "h2-windows",
        vec![
            (
                "the connection's by nothing",
                window_update(0, 0),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "a stream's by nothing",
                opened(window_update(1, 0)),
                // A stream error by 6.9; the h2 crate ends the connection, as 5.4.2 allows.
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "by three bytes",
                frame(kind::WINDOW_UPDATE, 0, 0, &[0; 3]),
                MISSIZED,
            ),
            (
                "the connection's past its end",
                window_update(0, MOST),
                Expect::Goodbye(&[code::FLOW_CONTROL]),
            ),
            (
                "a stream's past its end",
                opened(window_update(1, MOST)),
                Expect::Reset(&[code::FLOW_CONTROL]),
            ),
            (
                "a stream's past its end, by settings",
                [
                    open.clone(),
                    window_update(1, 100),
                    settings(&[(INITIAL_WINDOW, MOST)]),
                ]
                .concat(),
                Expect::Goodbye(&[code::FLOW_CONTROL]),
            ),
            (
                "the reserved bit is set",
                opened(window_update(1, 1 << 31 | 5)),
                Expect::Nothing,
            ),
        ],
    )
}

#[test]
fn no_more_is_sent_than_the_window_takes() -> anyhow::Result<()> {
    served("h2-small-window", |pod, to, _| {
        let mut wire = Wire::connect(pod, to, 80)?;
        let small = settings(&[(INITIAL_WINDOW, 1)]);
        let whole = headers(1, flag::WHOLE, &get("/get"));
        wire.send(&[PREFACE, &small, &whole].concat())?;
        let data = |frame: &Frame| frame.kind == kind::DATA;
        assert_eq!(wire.until(data)?.payload.len(), 1);
        wire.send(&window_update(1, 2))?;
        assert_eq!(wire.until(data)?.payload.len(), 2);
        // Less than was used: the window is below zero, and seven more make it three.
        wire.send(&settings(&[(INITIAL_WINDOW, 0)]))?;
        wire.until(|frame| frame.kind == kind::SETTINGS && frame.has(flag::ACK))?;
        wire.send(&window_update(1, 4))?;
        assert_eq!(wire.until(data)?.payload.len(), 3);
        wire.send(&settings(&[(INITIAL_WINDOW, 10_000)]))?;
        let last = wire.until(|frame| data(frame) && frame.has(flag::END_STREAM))?;
        assert!(
            last.payload.len() > 10 || last.payload.is_empty(),
            "{last:?}"
        );
        Ok(())
    })
}

/// Nobody reads this request's body, so nobody makes room for more of it.
#[test]
fn a_client_that_sends_past_the_window_is_told() -> anyhow::Result<()> {
    let open = headers(1, flag::END_HEADERS, &post("/slow"));
    let piece = frame(kind::DATA, 0, 1, &[0; 16_384]);
    conforms(
        "h2-past-window",
        vec![
            (
                "all of a stream's window",
                [open.clone(), piece.repeat(64)].concat(),
                Expect::Nothing,
            ),
            (
                "more than a stream's window",
                [open, piece.repeat(65)].concat(),
                Expect::Reset(&[code::FLOW_CONTROL]),
            ),
        ],
    )
}
