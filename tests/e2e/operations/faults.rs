//! Upstreams that fail, each in its own way: every request that was sent is answered or cut, within its time limit, and has
//! one line in the log.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use egret_tests::DEADLINE;
use egret_tests::netns::Host;
use egret_tests::objects::VirtualService;
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use socket2::SockRef;

use crate::helpers::stage;
use crate::helpers::stage::field;

/// Requests of each fault.
const SENT: usize = 20;

/// What an upstream does with a connection whose request was read.
type Behaviour = fn(TcpStream) -> io::Result<()>;

/// An upstream's behaviour, and what becomes of a request: status, the body's length, and the flags in the log.
struct Fault {
    name: &'static str,
    behaviour: Behaviour,
    status: &'static str,
    body: Option<usize>,
    flags: &'static str,
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n";

fn reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

const FAULTS: [Fault; 6] = [
    Fault {
        name: "closes before it answers",
        behaviour: |_| Ok(()),
        status: "503",
        body: None,
        flags: "UC",
    },
    Fault {
        name: "resets before it answers",
        behaviour: |stream| reset(&stream),
        status: "503",
        body: None,
        flags: "UC",
    },
    Fault {
        name: "answers with what is no HTTP",
        behaviour: |mut stream| stream.write_all(b"SSH-2.0-server\r\n\r\n"),
        status: "502",
        body: None,
        flags: "UPE",
    },
    Fault {
        name: "accepts, and is silent",
        behaviour: |mut stream| stream.read(&mut [0]).map(drop),
        status: "504",
        body: None,
        flags: "UT",
    },
    Fault {
        name: "stalls within the body",
        behaviour: |mut stream| {
            stream.write_all(HEAD)?;
            stream.write_all(&[b'x'; 10])?;
            stream.read(&mut [0]).map(drop)
        },
        status: "200",
        body: Some(10),
        flags: "UT",
    },
    Fault {
        name: "sends a byte at a time",
        behaviour: |mut stream| {
            stream.set_nodelay(true)?;
            HEAD.chunks(1)
                .chain([b'x'; 50].chunks(1))
                .try_for_each(|byte| stream.write_all(byte))
        },
        status: "200",
        body: Some(50),
        flags: "",
    },
];

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

/// The status of the answer to a request, and the length of its body; to the end of the connection.
fn asked(pod: &Host) -> anyhow::Result<(String, usize)> {
    let answer = pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 80))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let request = "GET / HTTP/1.1\r\nhost: elsewhere.example\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        io::Result::Ok(answer)
    })?;
    let text = String::from_utf8(answer)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap_or_default();
    Ok((status.to_owned(), body.len()))
}

#[test]
fn each_request_is_answered_or_cut_and_logged_once() -> anyhow::Result<()> {
    for fault in FAULTS {
        let Fault {
            name,
            behaviour,
            status,
            body,
            flags,
        } = fault;
        let world = World::new("faults", Family::V4)?;
        let listener = world.internet.listen(ELSEWHERE.v4(), 80)?;
        serve(&listener, behaviour)?;
        let pod = world.pod(SLEEP, "default")?;
        let config = stage::registered_elsewhere()?;
        let rules = VirtualService::new("elsewhere.example").http(
            "{timeout: 0.2s, retries: {attempts: 0}, route: [{destination: {host: elsewhere.example}}]}",
        );
        config.write("rules.yaml", &rules.to_string())?;
        let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
        for _ in 0..SENT {
            let (answered, length) = asked(&pod)?;
            assert_eq!(answered, status, "{name}");
            assert!(body.is_none_or(|body| body == length), "{name}: {length}");
        }
        let flagged = |line: &serde_json::Value| {
            let own = field(line, "response_flags");
            own == flags || (flags.is_empty() && own == "-")
        };
        stage::until(|| {
            Ok(sidecar
                .access_log()
                .iter()
                .filter(|line| flagged(line))
                .count()
                == SENT)
        })
        .with_context(|| format!("{name}: {:?}", sidecar.access_log().last()))?;
        assert_eq!(sidecar.access_log().len(), SENT, "{name}");
        assert_eq!(sidecar.page("/ready")?.status, 200, "{name}");
    }
    Ok(())
}
