//! The sidecar's HTTP/2 server by the letter of RFC 9113 and RFC 7541: each row sends bytes that a client should or
//! should not send, and names what must come back. After each, another client's connection is served as before.
//!
//! Where a row expects other than the RFC's own words, it says why, or uses one of the constants below that do.

mod answers;
mod compression;
mod floods;
mod framing;
mod messages;
mod settings;
mod states;
mod windows;

use std::net::IpAddr;

use anyhow::Context;
use egret_tests::folder::Folder;
use egret_tests::frames::{Frame, PREFACE, Wire, block, code, flag, frame, kind};
use egret_tests::netns::Host;
use egret_tests::origin::httpbin;
use egret_tests::places::{Family, HTTPBIN_ORG, Located, SLEEP};
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::REGISTRY_ONLY;

/// Requests below `/slow` are not answered before the test is over.
const SLOW: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: slow}
spec:
  hosts: [httpbin.org]
  http:
  - match: [{uri: {prefix: /slow}}]
    fault: {delay: {fixedDelay: 60s, percentage: {value: 100}}}
    route: [{destination: {host: httpbin.org}}]
  - route: [{destination: {host: httpbin.org}}]
";

/// What must come back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// A connection error: GOAWAY with one of these codes, then the end.
    Goodbye(&'static [u32]),
    /// A stream error: stream 1 is reset with one of these codes, and the connection lives on.
    Reset(&'static [u32]),
    /// Stream 1 is answered with this status, and the connection lives on.
    Answer(u16),
    /// Nothing, and the connection lives on.
    Nothing,
    /// The connection ends; without GOAWAY where HTTP/2 was not agreed on.
    End,
}

/// A frame of a wrong size. The h2 crate calls what it cannot read PROTOCOL_ERROR; either way it is the end.
pub(super) const MISSIZED: Expect = Expect::Goodbye(&[code::FRAME_SIZE, code::PROTOCOL]);

/// A block that cannot be decompressed: see [`MISSIZED`].
pub(super) const GARBLED: Expect = Expect::Goodbye(&[code::COMPRESSION, code::PROTOCOL]);

/// More on a stream that has ended. The RFC wants a stream error; an endpoint may always take it for a connection error
/// (5.4.2), and the h2 crate does.
pub(super) const TOO_LATE: Expect = Expect::Goodbye(&[code::STREAM_CLOSED, code::PROTOCOL]);

/// A request that is none: a stream error (8.1.1).
pub(super) const MALFORMED: Expect = Expect::Reset(&[code::PROTOCOL]);

/// A request whose fields cannot even be read. The RFC wants a stream error here, too; the h2 crate takes it for a
/// connection error, as 5.4.2 allows and Envoy does.
pub(super) const UNREADABLE: Expect = Expect::Goodbye(&[code::PROTOCOL]);

/// What it is about, what is sent, what must come back.
pub(super) type Row = (&'static str, Vec<u8>, Expect);

/// A GET of this path.
pub(super) fn get(path: &'static str) -> [(&'static str, &'static str); 4] {
    request("GET", path)
}

/// A POST of this path.
pub(super) fn post(path: &'static str) -> [(&'static str, &'static str); 4] {
    request("POST", path)
}

fn request(method: &'static str, path: &'static str) -> [(&'static str, &'static str); 4] {
    [
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "httpbin.org"),
    ]
}

/// A HEADERS frame with these fields on a stream.
pub(super) fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, flags, stream, &block(fields))
}

/// Sends each row on a connection of its own.
pub(super) fn conforms(name: &str, rows: Vec<Row>) -> anyhow::Result<()> {
    served(name, |pod, to, _| {
        let mut other = Other::open(pod, to)?;
        let mut wrong = Vec::new();
        for (about, bytes, expect) in rows {
            if let Err(error) = row(pod, to, &bytes, expect) {
                wrong.push(format!("{about}: {error:#}"));
            }
            other
                .is_served()
                .with_context(|| format!("after {about}"))?;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}

/// Runs a sidecar, for clients in its pod; `test` also gets its process.
pub(super) fn served(
    name: &str,
    test: impl FnOnce(&Host, IpAddr, u32) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let world = World::new(name, Family::V4)?;
    let _origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "google_by_sni/httpbin.yaml"])?;
    config.write("slow.yaml", SLOW)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    test(&pod, HTTPBIN_ORG.v4(), sidecar.id())
}

/// A client that does nothing wrong.
#[derive(Debug)]
pub(super) struct Other {
    wire: Wire,
    stream: u32,
}

impl Other {
    /// Connects.
    pub(super) fn open(pod: &Host, to: IpAddr) -> anyhow::Result<Self> {
        Ok(Self {
            wire: Wire::open(pod, to, 80)?,
            stream: 1,
        })
    }

    /// Insists that a request is answered.
    pub(super) fn is_served(&mut self) -> anyhow::Result<()> {
        let stream = self.stream;
        self.stream += 2;
        self.wire
            .send(&headers(stream, flag::WHOLE, &get("/get")))?;
        let head = self
            .wire
            .until(|frame| frame.kind == kind::HEADERS && frame.stream == stream)?;
        anyhow::ensure!(head.status() == Some(200), "answered {head:?}");
        self.wire
            .until(|frame| frame.stream == stream && frame.has(flag::END_STREAM))?;
        Ok(())
    }
}

fn row(pod: &Host, to: IpAddr, bytes: &[u8], expect: Expect) -> anyhow::Result<()> {
    // A row that begins with the preface is about the beginning of the connection.
    let (mut wire, bytes) = if bytes.starts_with(&PREFACE[..3]) {
        (Wire::connect(pod, to, 80)?, bytes)
    } else {
        (Wire::open(pod, to, 80)?, bytes)
    };
    // What is wrong may end the connection before all is sent.
    let _ = wire.send(bytes);
    let seen = match expect {
        Expect::Goodbye(codes) => {
            let goodbye = wire.until(|frame| frame.kind == kind::GOAWAY)?;
            let code = goodbye.number(4).context("GOAWAY has a code")?;
            anyhow::ensure!(codes.contains(&code), "GOAWAY with {code}, not {codes:?}");
            while let Some(frame) = wire.read()? {
                anyhow::ensure!(frame.kind == kind::GOAWAY, "{frame:?} after GOAWAY");
            }
            return Ok(());
        }
        Expect::End => {
            wire.rest()?;
            return Ok(());
        }
        Expect::Reset(codes) => {
            let seen = wire.until(|frame| {
                matches!(frame.kind, kind::GOAWAY | kind::RST_STREAM | kind::HEADERS)
            })?;
            let fits = seen.kind == kind::RST_STREAM
                && seen.stream == 1
                && seen.number(0).is_some_and(|code| codes.contains(&code));
            anyhow::ensure!(fits, "{seen:?}, not a reset with {codes:?}");
            Vec::new()
        }
        Expect::Answer(status) => {
            let seen = wire.until(|frame| {
                matches!(frame.kind, kind::GOAWAY | kind::RST_STREAM | kind::HEADERS)
            })?;
            let fits = seen.stream == 1 && seen.status() == Some(status);
            anyhow::ensure!(fits, "{seen:?}, not an answer with {status}");
            Vec::new()
        }
        Expect::Nothing => still_lives(&mut wire, b"1st ping")?,
    };
    let after = still_lives(&mut wire, b"the ping")?;
    if let Expect::Nothing = expect {
        anyhow::ensure!(
            seen.is_empty() && after.is_empty(),
            "{seen:?} {after:?}, not nothing"
        );
    }
    Ok(())
}

/// Insists that a PING is answered; gives the errors and answers that come before.
pub(super) fn still_lives(wire: &mut Wire, payload: &[u8; 8]) -> anyhow::Result<Vec<Frame>> {
    wire.send(&frame(kind::PING, 0, 0, payload))?;
    let mut seen = Vec::new();
    loop {
        let next = wire
            .read()?
            .with_context(|| format!("the connection ended after {seen:?}"))?;
        if next.kind == kind::PING && next.payload == payload {
            anyhow::ensure!(next.has(flag::ACK), "{next:?} does not acknowledge");
            return Ok(seen);
        }
        anyhow::ensure!(next.kind != kind::GOAWAY, "{next:?} after {seen:?}");
        if matches!(next.kind, kind::RST_STREAM | kind::HEADERS | kind::PING) {
            seen.push(next);
        }
    }
}
