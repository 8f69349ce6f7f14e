//! Upstreams that fail, each in its own way: every request that was sent is answered or cut, within its time limit, and has
//! one line in the log.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use egret_tests::objects::{ServiceEntry, VirtualService};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::process::Process;
use egret_tests::topology::World;
use nix::sys::signal::Signal;
use socket2::SockRef;

use crate::helpers::calls::{Load, Outcome, Target};
use crate::helpers::stage;
use crate::helpers::stage::field;

/// Requests of each fault.
const SENT: u64 = 20;

/// What an upstream does with a connection whose request was read.
type Behaviour = fn(TcpStream) -> io::Result<()>;

/// An upstream that fails.
#[derive(Clone, Copy)]
enum Upstream {
    /// Nothing listens any more.
    Killed,
    /// It is stopped: the kernel takes its connections, and nothing reads them.
    Frozen,
    /// It reads the head of a request, and behaves.
    Serves(Behaviour),
}

/// An upstream's behaviour, what becomes of a request, and the flags in the log.
struct Fault {
    name: &'static str,
    upstream: Upstream,
    outcome: Outcome,
    flags: &'static str,
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n";

fn reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

const FAULTS: [Fault; 10] = [
    Fault {
        name: "killed",
        upstream: Upstream::Killed,
        outcome: Outcome::Answered(503),
        flags: "UF",
    },
    Fault {
        name: "frozen",
        upstream: Upstream::Frozen,
        outcome: Outcome::Answered(504),
        flags: "UT",
    },
    Fault {
        name: "closes before it answers",
        upstream: Upstream::Serves(|_| Ok(())),
        outcome: Outcome::Answered(503),
        flags: "UC",
    },
    Fault {
        name: "resets before it answers",
        upstream: Upstream::Serves(|stream| reset(&stream)),
        outcome: Outcome::Answered(503),
        flags: "UC",
    },
    Fault {
        name: "answers with what is no HTTP",
        upstream: Upstream::Serves(|mut stream| stream.write_all(b"SSH-2.0-server\r\n\r\n")),
        outcome: Outcome::Answered(502),
        flags: "UPE",
    },
    Fault {
        name: "accepts, and is silent",
        upstream: Upstream::Serves(|mut stream| stream.read(&mut [0]).map(drop)),
        outcome: Outcome::Answered(504),
        flags: "UT",
    },
    Fault {
        name: "stalls within the body",
        upstream: Upstream::Serves(|mut stream| {
            begin(&mut stream)?;
            stream.read(&mut [0]).map(drop)
        }),
        outcome: Outcome::Cut,
        flags: "UT",
    },
    Fault {
        name: "resets within the body",
        upstream: Upstream::Serves(|mut stream| {
            begin(&mut stream)?;
            reset(&stream)
        }),
        outcome: Outcome::Cut,
        flags: "UPE",
    },
    Fault {
        name: "closes within the body",
        upstream: Upstream::Serves(|mut stream| begin(&mut stream)),
        outcome: Outcome::Cut,
        flags: "UPE",
    },
    Fault {
        name: "drips: a byte at a time",
        upstream: Upstream::Serves(|mut stream| {
            stream.set_nodelay(true)?;
            HEAD.chunks(1)
                .chain([b'x'; 50].chunks(1))
                .try_for_each(|byte| stream.write_all(byte))
        }),
        outcome: Outcome::Answered(200),
        flags: "-",
    },
];

/// The head of an answer, and the beginning of its body.
fn begin(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(HEAD)?;
    stream.write_all(&[b'x'; 10])
}

/// Serves each connection on a thread of its own, until the socket is dropped with the world.
fn serve(listener: &TcpListener, behaviour: Behaviour) -> io::Result<()> {
    listener.set_nonblocking(false)?;
    let listener = listener.try_clone()?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || -> io::Result<()> {
                let mut stream = stream;
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte)?;
                    head.extend(byte);
                }
                behaviour(stream)
            });
        }
    });
    Ok(())
}

#[test]
fn each_request_is_answered_or_cut_and_logged_once() -> anyhow::Result<()> {
    for fault in FAULTS {
        let Fault { name, .. } = fault;
        let world = World::new("faults", Family::V4)?;
        let _listener = upstream(&world, fault.upstream)?;
        let pod = world.pod(SLEEP, "default")?;
        let config = stage::registered_elsewhere()?;
        let rules = VirtualService::new("elsewhere.example").http(
            "{timeout: 0.2s, retries: {attempts: 0}, route: [{destination: {host: elsewhere.example}}]}",
        );
        config.write("rules.yaml", &rules.to_string())?;
        let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
        let tally = Target::elsewhere().call(&pod, SENT);
        match fault.outcome {
            Outcome::Answered(status) => tally.assert_answered(&[status], name),
            outcome => {
                let (cut, lost) = match outcome {
                    Outcome::Cut => (SENT, 0),
                    _ => (0, SENT),
                };
                assert_eq!(
                    (tally.sent, tally.cut, tally.lost),
                    (SENT, cut, lost),
                    "{name}"
                );
            }
        }
        let flagged = |line: &&serde_json::Value| field(line, "response_flags") == fault.flags;
        stage::until(|| Ok(sidecar.access_log().iter().filter(flagged).count() as u64 == SENT))
            .with_context(|| format!("{name}: {:?}", sidecar.access_log().last()))?;
        assert_eq!(sidecar.access_log().len() as u64, SENT, "{name}");
        assert_eq!(sidecar.page("/ready")?.status, 200, "{name}");
    }
    Ok(())
}

/// Opens the upstream's port, unless nothing listens there. It is closed when the socket is dropped with the world.
fn upstream(world: &World, upstream: Upstream) -> anyhow::Result<Option<TcpListener>> {
    if let Upstream::Killed = upstream {
        return Ok(None);
    }
    let listener = world.internet.listen(ELSEWHERE.v4(), 80)?;
    if let Upstream::Serves(behaviour) = upstream {
        serve(&listener, behaviour)?;
    }
    Ok(Some(listener))
}

#[test]
fn an_upstream_that_is_killed_and_restarted_is_called_again() -> anyhow::Result<()> {
    let world = World::new("faults-restart", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let port = HTTPD_PORT;
    let entry = ServiceEntry::new("elsewhere.example")
        .port_to(80, "HTTP", port)
        .at([ELSEWHERE.v4()]);
    config.write("elsewhere.yaml", &entry.to_string())?;
    let mut httpd = httpd(&world)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let load = Load::start(&pod, &Target::elsewhere());
    for _ in 0..3 {
        load.await_answers(200, 50)?;
        httpd.signal(Signal::SIGKILL)?;
        httpd.wait()?;
        load.await_answers(503, 50)?;
        httpd = self::httpd(&world)?;
    }
    load.await_answers(200, 50)?;
    let tally = load.finish();
    tally.assert_answered(&[200, 503], "killed and restarted");
    Ok(())
}

const HTTPD_PORT: u16 = 8080;

/// A server that is a process of its own, so that it can be killed: the kernel closes its connections.
fn httpd(world: &World) -> anyhow::Result<Process> {
    let program = format!(
        "import http.server as h, sys\n\
         class H(h.BaseHTTPRequestHandler):\n \
         protocol_version = 'HTTP/1.1'\n \
         def do_GET(s):\n  \
         s.send_response(200); s.send_header('content-length', '0'); s.end_headers()\n \
         def log_message(s, *a): pass\n\
         S = h.ThreadingHTTPServer(('{}', {HTTPD_PORT}), H)\n\
         print('ready', flush=True)\n\
         S.serve_forever()\n",
        ELSEWHERE.v4()
    );
    let python = ["-c", &program];
    let command = world.internet.command(0, "python3".as_ref(), &python);
    let process = Process::start(&world.internet, command, None)?;
    process
        .output
        .await_one(|line| line == "ready")
        .with_context(|| process.everything())?;
    Ok(process)
}
