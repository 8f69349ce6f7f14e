//! Clients that cost more than they should: what they send is bounded or the end, and the others are served meanwhile.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use egret_tests::frames::{Wire, block, code, flag, frame, kind, settings};
use egret_tests::netns::Host;
use egret_tests::process::resident;

use crate::http::h2_conformance::{Expect, Other, conforms, get, headers, post, served};

/// Requests that may be under way on one connection.
const STREAMS_MAX: u32 = 1024;

const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// Numbers of streams that a client opens one after the other.
fn streams() -> impl Iterator<Item = u32> {
    (1..).step_by(2)
}

/// Sends `pieces` on one connection until the proxy says goodbye, which it must before they end; gives the code.
fn flood(
    pod: &Host,
    to: IpAddr,
    first: &[u8],
    pieces: impl Iterator<Item = Vec<u8>>,
) -> anyhow::Result<u32> {
    let mut wire = Wire::open(pod, to, 80)?;
    wire.send(first)?;
    let mut ended = false;
    for piece in pieces {
        if wire.send(&piece).is_err() {
            ended = true;
            break;
        }
    }
    let goodbye = wire.until(|frame| frame.kind == kind::GOAWAY);
    let goodbye = goodbye.with_context(|| format!("ended while sending: {ended}"))?;
    goodbye.number(4).context("GOAWAY has a code")
}

#[test]
fn floods_are_ended() -> anyhow::Result<()> {
    served("h2-floods", |pod, to, _| {
        let mut other = Other::open(pod, to)?;
        let open = headers(1, flag::END_HEADERS, &post("/slow"));
        let begun = frame(kind::HEADERS, flag::END_STREAM, 1, &block(&get("/slow")));
        let kilobyte = "x".repeat(1000);
        let field = block(&[("x-field", &kilobyte)]);

        // Blocks of headers that never end (CVE-2024-27316 and its like).
        let pieces = std::iter::repeat_n(frame(kind::CONTINUATION, 0, 1, &field), 10_000);
        let code = flood(pod, to, &begun, pieces)?;
        assert!([code::CALM, code::PROTOCOL].contains(&code), "{code}");
        other.is_served().context("after endless headers")?;
        let pieces = std::iter::repeat_n(frame(kind::CONTINUATION, 0, 1, &[]), 1_000_000);
        let code = flood(pod, to, &begun, pieces)?;
        assert!([code::CALM, code::PROTOCOL].contains(&code), "{code}");
        other.is_served().context("after endless empty headers")?;

        // Requests that are taken back at once (CVE-2023-44487).
        let opened_and_reset = streams().take(200_000).map(|stream| {
            let request = headers(stream, flag::WHOLE, &get("/slow"));
            [request, frame(kind::RST_STREAM, 0, stream, &CANCEL)].concat()
        });
        assert_eq!(flood(pod, to, &[], opened_and_reset)?, code::CALM);
        other.is_served().context("after rapid resets")?;

        // Requests with a mistake, for which we reset (CVE-2025-8671).
        let fields = [&post("/slow")[..], &[("content-length", "1")]].concat();
        let reset_by_us = streams().take(5_000).map(|stream| {
            let request = headers(stream, flag::END_HEADERS, &fields);
            [request, frame(kind::DATA, flag::END_STREAM, stream, b"xx")].concat()
        });
        assert_eq!(flood(pod, to, &[], reset_by_us)?, code::CALM);
        other.is_served().context("after mistakes without end")?;

        // A body of nothing (CVE-2019-9518).
        let empty = std::iter::repeat_n(frame(kind::DATA, 0, 1, &[]), 1_000_000);
        assert_eq!(flood(pod, to, &open, empty)?, code::CALM);
        let crumbs = std::iter::repeat_n(frame(kind::DATA, 0, 1, b"x"), 1_000_000);
        assert_eq!(flood(pod, to, &open, crumbs)?, code::CALM);
        other.is_served().context("after empty bodies")?;
        Ok(())
    })
}

/// Each of these wants an answer (CVE-2019-9512, 9515), from a proxy whose answers nobody reads: it stops reading.
#[test]
fn answers_that_nobody_reads_are_not_kept() -> anyhow::Result<()> {
    served("h2-unread", |pod, to, sidecar| {
        let mut other = Other::open(pod, to)?;
        other.is_served()?;
        let before = resident(sidecar)?;
        for (about, one) in [
            ("pings", frame(kind::PING, 0, 0, b"anything")),
            ("settings", settings(&[(3, 100)])),
        ] {
            let mut wire = Wire::open(pod, to, 80)?;
            wire.patience(Duration::from_millis(500))?;
            let many = one.repeat(10_000);
            // Forty million of them would fit into no socket's buffer.
            let blocked = (0..4_000).find(|_| wire.send(&many).is_err());
            assert!(blocked.is_some(), "{about} are taken without end");
            other.is_served().context(about)?;
            let grown = resident(sidecar)?.saturating_sub(before);
            assert!(grown < 32 << 10, "{about}: {grown} kB more");
        }
        Ok(())
    })
}

#[test]
fn requests_at_once_are_limited() -> anyhow::Result<()> {
    served("h2-streams-max", |pod, to, _| {
        let mut wire = Wire::open(pod, to, 80)?;
        let all: Vec<u8> = streams()
            .take(STREAMS_MAX as usize + 1)
            .flat_map(|stream| headers(stream, flag::WHOLE, &get("/slow")))
            .collect();
        wire.send(&all)?;
        let reset = wire.until(|frame| frame.kind == kind::RST_STREAM)?;
        let last = 2 * STREAMS_MAX + 1;
        assert_eq!(
            (reset.stream, reset.number(0)),
            (last, Some(code::REFUSED_STREAM))
        );
        Other::open(pod, to)?.is_served()
    })
}

#[test]
fn blocks_that_unpack_to_much_are_refused() -> anyhow::Result<()> {
    // A field of four thousand bytes that is remembered, and then named by one byte as often as one likes.
    let bomb = |times: usize| {
        let field = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'y'; 4000]].concat();
        let payload = [block(&get("/get")), field, vec![0xbe; times]].concat();
        frame(kind::HEADERS, flag::WHOLE, 1, &payload)
    };
    // As many lines as HTTP/1 may have; a cookie in pieces is one.
    let many = |name: &str, count: usize| {
        let fields = vec![(name, "a=b"); count];
        let rest = block(&get("/get"));
        let payload = [rest, block(&fields)].concat();
        frame(kind::HEADERS, flag::WHOLE, 1, &payload)
    };
    conforms(
        "h2-bombs",
        vec![
            ("80 fields", many("x-field", 80), Expect::Answer(200)),
            ("101 fields", many("x-field", 101), Expect::Answer(431)),
            (
                "a cookie in 300 pieces",
                many("cookie", 300),
                Expect::Answer(200),
            ),
            ("12 kB", bomb(2), Expect::Answer(200)),
            ("80 kB", bomb(19), Expect::Answer(431)),
            (
                "40 MB",
                bomb(10_000),
                Expect::Goodbye(&[code::CALM, code::PROTOCOL]),
            ),
        ],
    )
}
