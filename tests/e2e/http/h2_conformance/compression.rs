//! HPACK: RFC 7541, and RFC 9113, 4.3.

use egret_tests::frames::{block, flag, frame, kind};

use crate::http::h2_conformance::{Expect, GARBLED, conforms, get};

#[test]
fn blocks_are_read_or_the_end() -> anyhow::Result<()> {
    let request = block(&get("/get"));
    let sent = |extra: &[u8]| {
        let payload = [&request[..], extra].concat();
        frame(kind::HEADERS, flag::WHOLE, 1, &payload)
    };
    let before = |extra: &[u8]| {
        let payload = [extra, &request[..]].concat();
        frame(kind::HEADERS, flag::WHOLE, 1, &payload)
    };
    conforms(
        "h2-hpack",
        vec![
            ("spelled out", sent(&[]), Expect::Answer(200)),
            (
                // GET, http, and the authority remembered and then named.
                "from the tables",
                frame(
                    kind::HEADERS,
                    flag::WHOLE,
                    1,
                    b"\x82\x86\x44\x04/get\x41\x0bhttpbin.org\x40\x01a\x01b\xbe",
                ),
                Expect::Answer(200),
            ),
            ("field 0 of the tables", sent(&[0x80]), GARBLED),
            ("a field past the tables", sent(&[0xff, 0x00]), GARBLED),
            (
                "a name past the tables",
                sent(&[0x7f, 0x30, 0x01, b'x']),
                GARBLED,
            ),
            (
                "a table of no size, before all fields",
                before(&[0x20]),
                Expect::Answer(200),
            ),
            (
                "a table greater than was offered",
                before(&[0x3f, 0xe2, 0x1f]),
                GARBLED,
            ),
            ("another table after a field", sent(&[0x20]), GARBLED),
            (
                "a number without end",
                sent(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
                GARBLED,
            ),
            ("a text that breaks off", sent(&[0x00, 0x05, b'x']), GARBLED),
            (
                "a Huffman code with more than seven bits of padding",
                // A name of one letter, in Huffman's code `a` and eleven bits.
                sent(&[0x00, 0x82, 0x1f, 0xff, 0x01, b'b']),
                GARBLED,
            ),
            (
                "a Huffman code padded with zeros",
                sent(&[0x00, 0x81, 0x18, 0x01, b'b']),
                GARBLED,
            ),
            (
                "the end of Huffman's code within a text",
                sent(&[0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x01, b'b']),
                GARBLED,
            ),
        ],
    )
}
