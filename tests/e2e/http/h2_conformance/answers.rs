//! Answers that come before the request is complete: RFC 9113, 8.1. A client that goes on and ends soon is let end.

use egret_tests::frames::{Frame, Wire, code, flag, frame, kind};

use crate::http::h2_conformance::{get, headers, served, still_lives};

/// A POST that the proxy refuses by its head, as gRPC or not.
fn refused(stream: u32, kind: &str) -> Vec<u8> {
    headers(
        stream,
        flag::END_HEADERS,
        &[
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/service/Method"),
            (":authority", "elsewhere.example"),
            ("content-type", kind),
        ],
    )
}

fn ends(stream: u32) -> impl Fn(&Frame) -> bool {
    move |frame: &Frame| frame.stream == stream && frame.has(flag::END_STREAM)
}

#[test]
fn a_short_rest_is_awaited() -> anyhow::Result<()> {
    served("h2-early", |pod, to, _| {
        let mut wire = Wire::open(pod, to, 80)?;
        for (stream, kind_of, status) in [(1, "application/grpc", 200), (3, "text/plain", 502)] {
            wire.send(&refused(stream, kind_of))?;
            let head = wire.until(|frame| frame.kind == kind::HEADERS && frame.stream == stream)?;
            assert_eq!(head.status(), Some(status));
            // A gRPC client takes it for a status only in a head that is all there is.
            assert_eq!(head.has(flag::END_STREAM), kind_of == "application/grpc");
            if !head.has(flag::END_STREAM) {
                wire.until(ends(stream))?;
            }
            let pieces = frame(kind::DATA, 0, stream, &[b'x'; 10_000]).repeat(6);
            wire.send(&pieces)?;
            wire.send(&frame(kind::DATA, flag::END_STREAM, stream, b"end"))?;
            let seen = still_lives(&mut wire, b"the rest")?;
            assert_eq!(seen, [], "the stream ends by itself");
        }
        // And the connection serves what it is meant for.
        wire.send(&headers(5, flag::WHOLE, &get("/get")))?;
        let head = wire.until(|frame| frame.kind == kind::HEADERS)?;
        assert_eq!((head.stream, head.status()), (5, Some(200)));
        Ok(())
    })
}

#[test]
fn a_long_rest_is_not() -> anyhow::Result<()> {
    served("h2-early-long", |pod, to, _| {
        let mut wire = Wire::open(pod, to, 80)?;
        wire.send(&refused(1, "text/plain"))?;
        wire.until(ends(1))?;
        wire.send(&frame(kind::DATA, 0, 1, &[b'x'; 16_384]).repeat(5))?;
        let reset = wire.until(|frame| frame.kind == kind::RST_STREAM)?;
        assert_eq!((reset.stream, reset.number(0)), (1, Some(code::NO_ERROR)));
        // Nor is one that does not come.
        wire.send(&refused(3, "text/plain"))?;
        wire.until(ends(3))?;
        let reset = wire.until(|frame| frame.kind == kind::RST_STREAM)?;
        assert_eq!((reset.stream, reset.number(0)), (3, Some(code::NO_ERROR)));
        Ok(())
    })
}
