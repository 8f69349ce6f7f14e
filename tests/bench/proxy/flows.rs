//! The flows: what is sent through a proxy, and what is measured.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context;
use egret_tests::places::{HTTPBIN_ORG, Located};
use egret_tests::process::Process;

use crate::proxy::load::Answered;
use crate::proxy::results::Results;
use crate::proxy::sidecar::{BIG_BODY, Contestant, ORIGIN, Stage};
use crate::proxy::{load, machine, meter};

/// One flow.
pub(super) struct Flow {
    pub(super) name: &'static str,
    /// What is sent, for readers of the table.
    about: &'static str,
    /// The values that the table shows, by name.
    pub(super) shown: &'static [Value],
    kind: Kind,
}

/// A measured value.
pub(super) struct Value {
    pub(super) name: &'static str,
    /// What it is, with its unit.
    pub(super) about: &'static str,
    /// Digits behind the point.
    pub(super) digits: usize,
    pub(super) better: Better,
}

/// Which of two values is the better one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Less,
    More,
}

enum Kind {
    /// As many HTTP/1.1 requests as 64 connections can make, to a path.
    Requests(&'static str),
    /// 4,000 HTTP/1.1 requests a second over 40 connections.
    Steady,
    /// A new connection for each request.
    Connections,
    /// HTTP/2 on both sides.
    Streams,
    /// Bytes over some connections.
    Bytes(u32),
    /// Answers of 10 MiB.
    Big,
    /// Idle connections to a URL's port, each after one request.
    Idle(u16),
    /// A fresh start.
    Start,
}

/// How many idle connections are held, where the limit of open files allows as many.
const IDLE_MAX: usize = 10_000;
/// Files that a proxy has open without connections, and keeps for other uses.
const FILES_BESIDES: usize = 1_000;
/// Files that a proxy has open for a connection: the client's socket and the upstream's.
const FILES_OF_A_CONNECTION: usize = 2;
/// Connections of the steady flow, and requests a second over each.
const STEADY: [u32; 2] = [40, 100];

const fn less(name: &'static str, about: &'static str, digits: usize) -> Value {
    Value {
        name,
        about,
        digits,
        better: Better::Less,
    }
}

const fn more(name: &'static str, about: &'static str, digits: usize) -> Value {
    Value {
        name,
        about,
        digits,
        better: Better::More,
    }
}

const RATE: Value = more("requests_per_second", "requests/s", 0);
const CPU: Value = less("cpu_us_per_request", "CPU µs/request", 1);
const CPU_BYTES: Value = less("cpu_ms_per_gib", "CPU ms/GiB", 0);
const THROUGHPUT: Value = more("gbit_per_second", "Gbit/s", 2);
const MEMORY: Value = less("kib_per_connection", "KiB/connection", 1);
/// How many connections were held; it precedes the flow's text.
const CONNECTIONS: &str = "connections";

/// All flows, in the order of the table.
pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "http1-max",
        about: "HTTP/1.1, 64 connections, 1 KiB answers",
        shown: &[CPU, RATE],
        kind: Kind::Requests("http://origin.example/"),
    },
    Flow {
        name: "http1-steady",
        about: "HTTP/1.1, 4,000 requests/s over 40 connections",
        shown: &[
            CPU,
            less("p50_us", "median µs", 0),
            less("p99_us", "99th percentile µs", 0),
        ],
        kind: Kind::Steady,
    },
    Flow {
        name: "http1-new",
        about: "HTTP/1.1, a new connection for each request",
        shown: &[CPU, RATE],
        kind: Kind::Connections,
    },
    Flow {
        name: "http2-max",
        about: "HTTP/2, 8 connections of 16 streams",
        shown: &[CPU, RATE],
        kind: Kind::Streams,
    },
    Flow {
        name: "opaque-max",
        about: "opaque TCP, 64 connections, 1 KiB answers",
        shown: &[CPU, RATE],
        kind: Kind::Requests("http://origin.example:9080/"),
    },
    Flow {
        name: "bytes-1",
        about: "opaque TCP, one stream",
        shown: &[CPU_BYTES, THROUGHPUT],
        kind: Kind::Bytes(1),
    },
    Flow {
        name: "bytes-8",
        about: "opaque TCP, eight streams",
        shown: &[CPU_BYTES, THROUGHPUT],
        kind: Kind::Bytes(8),
    },
    Flow {
        name: "big",
        about: "HTTP/1.1, answers of 10 MiB, 4 connections",
        shown: &[CPU_BYTES, THROUGHPUT],
        kind: Kind::Big,
    },
    Flow {
        name: "idle-http1",
        about: "idle HTTP/1.1 connections",
        shown: &[MEMORY],
        kind: Kind::Idle(80),
    },
    Flow {
        name: "idle-opaque",
        about: "idle opaque connections",
        shown: &[MEMORY],
        kind: Kind::Idle(9080),
    },
    Flow {
        name: "start",
        about: "start, and memory without traffic",
        shown: &[
            less("ready_ms", "ms until ready", 0),
            less("idle_mib", "MiB", 1),
        ],
        kind: Kind::Start,
    },
];

/// Values by name.
pub(super) type Values = BTreeMap<String, f64>;

impl Flow {
    /// What is sent, with the number of idle connections of this run.
    pub(super) fn title(&self, results: &Results) -> String {
        match results.median(self.name, Contestant::Egret, CONNECTIONS) {
            Some(count) => format!("{count} {}", self.about),
            None => self.about.to_owned(),
        }
    }

    /// Measures this flow once through a proxy, which is started when it does not run yet.
    pub(super) fn measure(
        &self,
        stage: &Stage<'_>,
        contestant: Contestant,
        running: &mut Option<Process>,
        secs: u32,
    ) -> anyhow::Result<Values> {
        if matches!(self.kind, Kind::Start) {
            *running = None;
            return start(stage, contestant);
        }
        // Memory is that of a proxy which has served nothing else.
        if matches!(self.kind, Kind::Idle(_)) {
            *running = None;
        }
        let process = match running {
            Some(process) => process,
            None => running.insert(stage.start(contestant)?.0),
        };
        let pod = stage.pod(contestant);
        let id = process.id();
        let wrk = |url: &str, connections, more: &[&str]| {
            let load = load::Load {
                connections,
                secs,
                more,
            };
            load::wrk(stage, pod, url, load)
        };
        match self.kind {
            Kind::Requests(url) => requests(id, || wrk(url, 64, &[])),
            Kind::Connections => requests(id, || {
                wrk("http://origin.example/", 32, &["-H", "connection: close"])
            }),
            Kind::Streams => requests(id, || {
                load::h2load(stage, pod, "http://origin.example:8080/", secs)
            }),
            Kind::Steady => steady(id, || {
                load::steady(stage, pod, "http://origin.example/", STEADY, secs)
            }),
            Kind::Bytes(streams) => bytes(id, || load::iperf(stage, pod, ORIGIN, streams, secs)),
            Kind::Big => bytes(id, || {
                let Answered {
                    requests,
                    seconds,
                    bytes,
                } = wrk("http://origin.example/big", 4, &[])?;
                anyhow::ensure!(requests > 0.0, "no answer of {BIG_BODY} bytes came in time");
                Ok((bytes, seconds))
            }),
            Kind::Idle(port) => idle(stage, contestant, id, port),
            Kind::Start => start(stage, contestant),
        }
    }
}

fn requests(
    process: u32,
    load: impl FnOnce() -> anyhow::Result<Answered>,
) -> anyhow::Result<Values> {
    let (answered, used) = metered(process, load)?;
    Ok(values(&[
        (RATE.name, answered.requests / answered.seconds),
        (CPU.name, used.as_secs_f64() * 1e6 / answered.requests),
    ]))
}

fn steady(
    process: u32,
    load: impl FnOnce() -> anyhow::Result<load::Latencies>,
) -> anyhow::Result<Values> {
    let (latencies, used) = metered(process, load)?;
    #[allow(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let requests = latencies.sorted.len() as f64;
    Ok(values(&[
        (CPU.name, used.as_secs_f64() * 1e6 / requests),
        ("p50_us", latencies.percentile(50.0)),
        ("p99_us", latencies.percentile(99.0)),
    ]))
}

fn bytes(
    process: u32,
    load: impl FnOnce() -> anyhow::Result<(f64, f64)>,
) -> anyhow::Result<Values> {
    let ((bytes, seconds), used) = metered(process, load)?;
    Ok(values(&[
        (THROUGHPUT.name, bytes * 8.0 / seconds / 1e9),
        (
            CPU_BYTES.name,
            used.as_secs_f64() * 1e3 / (bytes / 1024.0 / 1024.0 / 1024.0),
        ),
    ]))
}

/// Opens connections, sends one request over each, reads the answer, and holds them all.
fn idle(
    stage: &Stage<'_>,
    contestant: Contestant,
    process: u32,
    port: u16,
) -> anyhow::Result<Values> {
    let pod = stage.pod(contestant);
    let room = machine::open_files()?.saturating_sub(FILES_BESIDES) / FILES_OF_A_CONNECTION;
    let count = IDLE_MAX.min(room);
    anyhow::ensure!(
        count > 0,
        "the limit of open files leaves no room for idle connections; raise it (ulimit -n)"
    );
    let before = meter::memory_kib(process)?;
    let open = pod.run(move || {
        (0..count)
            .map(|number| {
                one_request(port).with_context(|| format!("idle connection {number} of {count}"))
            })
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    let grown = meter::memory_kib(process)? - before;
    drop(open);
    #[allow(clippy::cast_precision_loss, reason = "at most IDLE_MAX")]
    let count = count as f64;
    Ok(values(&[
        (MEMORY.name, grown / count),
        (CONNECTIONS, count),
    ]))
}

fn one_request(port: u16) -> std::io::Result<TcpStream> {
    let limit = Duration::from_secs(10);
    let mut stream = TcpStream::connect_timeout(&(HTTPBIN_ORG.v4(), port).into(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {ORIGIN}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    // The body is as long as the origin's file, and of one letter that ends no header.
    while !answer.ends_with(b"xxxxxxxx") || answer.len() < 1024 {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&chunk[..read]);
    }
    Ok(stream)
}

fn start(stage: &Stage<'_>, contestant: Contestant) -> anyhow::Result<Values> {
    let (process, ready) = stage.start(contestant)?;
    let memory = meter::memory_kib(process.id())?;
    Ok(values(&[
        ("ready_ms", ready.as_secs_f64() * 1e3),
        ("idle_mib", memory / 1024.0),
    ]))
}

/// The load's result, and the processor time that the proxy used meanwhile.
fn metered<T>(
    process: u32,
    load: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Duration)> {
    let before = meter::processor_time(process)?;
    let result = load()?;
    Ok((
        result,
        meter::processor_time(process)?.saturating_sub(before),
    ))
}

fn values(pairs: &[(&str, f64)]) -> Values {
    pairs
        .iter()
        .map(|&(name, value)| (name.to_owned(), value))
        .collect()
}
