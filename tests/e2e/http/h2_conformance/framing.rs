//! The preface and the format of frames: RFC 9113, 3.4, 4 and 5.5; DATA, HEADERS, PRIORITY and CONTINUATION of 6.

use egret_tests::frames::{PREFACE, block, code, flag, frame, kind, settings};

use crate::http::h2_conformance::{Expect, MISSIZED, conforms, get, headers, post};

#[test]
fn a_connection_begins_with_the_preface() -> anyhow::Result<()> {
    let whole = headers(1, flag::WHOLE, &get("/get"));
    let greeted = [PREFACE, &settings(&[]), &whole].concat();
    conforms(
        "h2-preface",
        vec![
            ("preface, settings, request", greeted, Expect::Answer(200)),
            (
                // It is no HTTP/2 then, and no HTTP/1 either.
                "a wrong end of the preface",
                b"PRI * HTTP/2.0\r\n\r\nxx\r\n\r\n".to_vec(),
                Expect::End,
            ),
            (
                "another method in the preface",
                b"PRI * HTTP/1.1\r\n\r\n".to_vec(),
                Expect::End,
            ),
            (
                // 3.4: the first frame shall be SETTINGS.
                "no settings after the preface",
                [PREFACE, &whole].concat(),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "an acknowledgement in place of the settings",
                [PREFACE, &frame(kind::SETTINGS, flag::ACK, 0, &[1])].concat(),
                MISSIZED,
            ),
        ],
    )
}

#[test]
fn frames_have_their_sizes_and_streams() -> anyhow::Result<()> {
    let open = headers(1, flag::END_HEADERS, &post("/slow"));
    let data = |flags, payload: &[u8]| frame(kind::DATA, flags, 1, payload);
    let request = block(&get("/get"));
    let padded = [&[9][..], &request, &[0; 9]].concat();
    let with_priority = [&[0, 0, 0, 0, 15][..], &request].concat();
    let whole = headers(1, flag::WHOLE, &get("/get"));
    let [mut reserved, undefined] = [whole.clone(), headers(1, 0xc2 | flag::WHOLE, &get("/get"))];
    reserved[5] |= 0x80;
    conforms(
        "h2-frames",
        vec![
            (
                "a frame of unknown type",
                [frame(0x16, 0xff, 0, b"what?"), whole.clone()].concat(),
                Expect::Answer(200),
            ),
            (
                "the reserved bit of the stream is set",
                reserved,
                Expect::Answer(200),
            ),
            ("undefined flags", undefined, Expect::Answer(200)),
            (
                "DATA of the greatest size",
                [open.clone(), data(0, &[0; 16_384])].concat(),
                Expect::Nothing,
            ),
            (
                "DATA above the greatest size",
                [open.clone(), data(0, &[0; 16_385])].concat(),
                MISSIZED,
            ),
            (
                "HEADERS above the greatest size",
                frame(kind::HEADERS, flag::WHOLE, 1, &[0; 16_385]),
                MISSIZED,
            ),
            (
                "DATA on the connection",
                frame(kind::DATA, flag::END_STREAM, 0, b"x"),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "DATA that is all padding",
                [open.clone(), data(flag::PADDED, &[4, 0, 0, 0, 0])].concat(),
                Expect::Nothing,
            ),
            (
                "DATA with more padding than payload",
                [open.clone(), data(flag::PADDED, &[5, 0, 0, 0, 0])].concat(),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "DATA without its padding's length",
                [open.clone(), data(flag::PADDED, &[])].concat(),
                MISSIZED,
            ),
            (
                "HEADERS on the connection",
                headers(0, flag::WHOLE, &get("/get")),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "HEADERS with padding",
                frame(kind::HEADERS, flag::WHOLE | flag::PADDED, 1, &padded),
                Expect::Answer(200),
            ),
            (
                "HEADERS with more padding than payload",
                frame(kind::HEADERS, flag::WHOLE | flag::PADDED, 1, &[200, 0x82]),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "HEADERS with a priority",
                frame(
                    kind::HEADERS,
                    flag::WHOLE | flag::PRIORITY,
                    1,
                    &with_priority,
                ),
                Expect::Answer(200),
            ),
            (
                "HEADERS too short for its priority",
                frame(kind::HEADERS, flag::WHOLE | flag::PRIORITY, 1, &[0; 4]),
                MISSIZED,
            ),
            (
                "PRIORITY of an idle stream",
                [frame(kind::PRIORITY, 0, 7, &[0, 0, 0, 0, 1]), whole].concat(),
                Expect::Answer(200),
            ),
            (
                "PRIORITY on the connection",
                frame(kind::PRIORITY, 0, 0, &[0, 0, 0, 0, 1]),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                // 6.3 makes it a stream error; a server may always end the connection instead (5.4.2).
                "PRIORITY of four bytes",
                [open, frame(kind::PRIORITY, 0, 1, &[0; 4])].concat(),
                MISSIZED,
            ),
            (
                "PUSH_PROMISE from a client",
                frame(
                    kind::PUSH_PROMISE,
                    flag::END_HEADERS,
                    1,
                    &[&[0, 0, 0, 2][..], &request].concat(),
                ),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
        ],
    )
}

#[test]
fn a_block_of_headers_comes_in_one_piece() -> anyhow::Result<()> {
    let request = block(&get("/get"));
    let begun = frame(kind::HEADERS, flag::END_STREAM, 1, &request[..9]);
    let rest = frame(kind::CONTINUATION, flag::END_HEADERS, 1, &request[9..]);
    let empty = frame(kind::CONTINUATION, 0, 1, &[]);
    let within = |between: Vec<u8>| [begun.clone(), between, rest.clone()].concat();
    conforms(
        "h2-continuation",
        vec![
            (
                "a block in three frames",
                within(empty),
                Expect::Answer(200),
            ),
            (
                "DATA within a block",
                within(frame(kind::DATA, 0, 1, b"x")),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "PRIORITY within a block",
                within(frame(kind::PRIORITY, 0, 1, &[0; 5])),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "SETTINGS within a block",
                within(settings(&[])),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "HEADERS of another stream within a block",
                within(headers(3, flag::WHOLE, &get("/get"))),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "a frame of unknown type within a block",
                within(frame(0x16, 0, 0, b"what?")),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "CONTINUATION of another stream",
                within(frame(kind::CONTINUATION, 0, 3, &[])),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "CONTINUATION after the end of the block",
                [
                    headers(1, flag::WHOLE, &get("/slow")),
                    frame(kind::CONTINUATION, flag::END_HEADERS, 1, &[]),
                ]
                .concat(),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "CONTINUATION of nothing",
                frame(kind::CONTINUATION, flag::END_HEADERS, 1, &request),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "CONTINUATION on the connection",
                frame(kind::CONTINUATION, flag::END_HEADERS, 0, &request),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
            (
                "CONTINUATION after DATA",
                [
                    headers(1, flag::END_HEADERS, &post("/slow")),
                    frame(kind::DATA, 0, 1, b"x"),
                    frame(kind::CONTINUATION, flag::END_HEADERS, 1, &[]),
                ]
                .concat(),
                Expect::Goodbye(&[code::PROTOCOL]),
            ),
        ],
    )
}
