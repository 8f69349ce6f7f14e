//! SETTINGS, PING and GOAWAY: RFC 9113, 6.5, 6.7 and 6.8.

use egret_tests::frames::{Wire, code, flag, frame, kind, settings};

use crate::http::h2_conformance::{Expect, MISSIZED, conforms, get, headers, served};

const TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const STREAMS_MAX: u16 = 3;
const INITIAL_WINDOW: u16 = 4;
const FRAME_MAX: u16 = 5;
const LIST_MAX: u16 = 6;

#[test]
fn settings_are_valid_or_the_end() -> anyhow::Result<()> {
    let whole = headers(1, flag::WHOLE, &get("/get"));
    let protocol = Expect::Goodbye(&[code::PROTOCOL]);
    let then_served = |all: &[(u16, u32)]| [settings(all), whole.clone()].concat();
    conforms(
        "h2-settings",
        vec![
            (
                "an acknowledgement with a payload",
                frame(kind::SETTINGS, flag::ACK, 0, &[0; 6]),
                MISSIZED,
            ),
            ("on a stream", frame(kind::SETTINGS, 0, 1, &[]), protocol),
            (
                "of five bytes",
                frame(kind::SETTINGS, 0, 0, &[0; 5]),
                MISSIZED,
            ),
            ("push: 2", settings(&[(ENABLE_PUSH, 2)]), protocol),
            (
                "a window of 2^31",
                settings(&[(INITIAL_WINDOW, 1 << 31)]),
                // The code for it is another; the h2 crate has one for all settings that it cannot read.
                Expect::Goodbye(&[code::FLOW_CONTROL, code::PROTOCOL]),
            ),
            (
                "frames of 16383",
                settings(&[(FRAME_MAX, 16_383)]),
                protocol,
            ),
            (
                "frames of 2^24",
                settings(&[(FRAME_MAX, 1 << 24)]),
                protocol,
            ),
            (
                "an unknown setting",
                then_served(&[(0xabcd, 7)]),
                Expect::Answer(200),
            ),
            (
                "one setting twice",
                then_served(&[(FRAME_MAX, 20_000), (FRAME_MAX, 16_384)]),
                Expect::Answer(200),
            ),
            (
                "all at their bounds",
                then_served(&[
                    (TABLE_SIZE, u32::MAX),
                    (ENABLE_PUSH, 1),
                    (STREAMS_MAX, 0),
                    (INITIAL_WINDOW, (1 << 31) - 1),
                    (FRAME_MAX, (1 << 24) - 1),
                    (LIST_MAX, u32::MAX),
                ]),
                Expect::Answer(200),
            ),
            (
                "no table",
                then_served(&[(TABLE_SIZE, 0)]),
                Expect::Answer(200),
            ),
        ],
    )
}

#[test]
fn settings_are_acknowledged() -> anyhow::Result<()> {
    served("h2-settings-ack", |pod, to, _| {
        let mut wire = Wire::open(pod, to, 80)?;
        for _ in 0..3 {
            wire.send(&settings(&[(LIST_MAX, 4000)]))?;
            let ack = wire.until(|frame| frame.kind == kind::SETTINGS)?;
            assert!(ack.has(flag::ACK) && ack.payload.is_empty(), "{ack:?}");
        }
        Ok(())
    })
}

#[test]
fn pings_are_answered_and_goodbyes_are_heard() -> anyhow::Result<()> {
    let whole = headers(1, flag::WHOLE, &get("/get"));
    let protocol = Expect::Goodbye(&[code::PROTOCOL]);
    let goodbye = [0, 0, 0, 0, 0, 0, 0, 0];
    conforms(
        "h2-pings",
        vec![
            (
                "an answer to no ping",
                frame(kind::PING, flag::ACK, 0, b"anything"),
                Expect::Nothing,
            ),
            (
                "a ping on a stream",
                frame(kind::PING, 0, 1, b"anything"),
                protocol,
            ),
            (
                "a ping of six bytes",
                frame(kind::PING, 0, 0, b"sixths"),
                MISSIZED,
            ),
            (
                "a goodbye on a stream",
                frame(kind::GOAWAY, 0, 1, &goodbye),
                protocol,
            ),
            (
                "a goodbye of four bytes",
                frame(kind::GOAWAY, 0, 0, &[0; 4]),
                MISSIZED,
            ),
            (
                // What was asked before is answered; then there is nothing left to do.
                "a request, then goodbye",
                [whole, frame(kind::GOAWAY, 0, 0, &goodbye)].concat(),
                Expect::End,
            ),
        ],
    )
}
