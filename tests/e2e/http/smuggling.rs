//! Requests that hide another one: nothing of what is hidden reaches an origin as a request of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use std::{io, thread};

use anyhow::Context;
use egret_tests::folder::Folder;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, REGISTRY_ONLY};

/// What is hidden.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n";

/// A request with these further lines, a body that ends at once in chunks, and what is hidden behind it.
fn post(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: elsewhere.example\r\n{lines}\r\n0\r\n\r\n{HIDDEN}")
}

fn chunked(body: &str) -> String {
    format!(
        "POST /broken HTTP/1.1\r\nHost: elsewhere.example\r\nTransfer-Encoding: chunked\r\n\r\n{body}{HIDDEN}"
    )
}

/// An origin that remembers the bytes of each whole request, answers it, and reads no other way than it is told to.
fn origin(listener: TcpListener) -> io::Result<Ledger<String>> {
    listener.set_nonblocking(false)?;
    let ledger = Ledger::default();
    let seen = ledger.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let seen = seen.clone();
            // A caller that goes away is the caller's business.
            thread::spawn(move || remember(stream, &seen));
        }
    });
    Ok(ledger)
}

fn remember(mut stream: TcpStream, seen: &Ledger<String>) -> io::Result<()> {
    let (mut space, mut bytes) = ([0; 4096], Vec::new());
    loop {
        let count = stream.read(&mut space)?;
        if count == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&space[..count]);
        while let Some(length) = whole(&String::from_utf8_lossy(&bytes)) {
            let request: Vec<u8> = bytes.drain(..length).collect();
            seen.push(String::from_utf8_lossy(&request).into_owned());
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        }
    }
}

/// The length of the first request, if all of it is there.
fn whole(bytes: &str) -> Option<usize> {
    let body = bytes.find("\r\n\r\n")? + 4;
    let head = bytes[..body].to_ascii_lowercase();
    let mut end = body;
    if head.contains("\r\ntransfer-encoding: chunked\r\n") {
        loop {
            let line = bytes.get(end..)?.find("\r\n")?;
            let digits = bytes[end..end + line].split(';').next()?;
            let size = usize::from_str_radix(digits, 16).ok()?;
            end += line + 2;
            if size == 0 {
                break;
            }
            end += size + 2;
        }
        // Trailers, and the empty line behind them.
        while let Some(line @ 1..) = bytes.get(end..)?.find("\r\n") {
            end += line + 2;
        }
        end += 2;
    } else if let Some((_, value)) = head.split_once("\r\ncontent-length: ") {
        end += value.lines().next()?.parse::<usize>().ok()?;
    }
    (bytes.len() >= end).then_some(end)
}

/// All that comes back for these bytes until the connection ends.
fn all_answers(pod: &Host, bytes: Vec<u8>) -> io::Result<String> {
    pod.run(move || {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 80))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(&bytes)?;
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers)?;
        Ok(String::from_utf8_lossy(&answers).into_owned())
    })
}

#[test]
fn what_hides_another_request_is_refused() -> anyhow::Result<()> {
    let world = World::new("smuggling", Family::V4)?;
    let seen = origin(world.internet.listen(ELSEWHERE.v4(), 80)?)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY])?;
    config.write("elsewhere.yaml", &stage::elsewhere(&[ELSEWHERE.v4()], ""))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let chunks = "Transfer-Encoding: chunked\r\n";
    let attacks = [
        (400, post(&format!("Content-Length: 5\r\n{chunks}"))),
        (400, post(&format!("{chunks}Content-Length: 5\r\n"))),
        (400, post(&format!("Content-Length: 5\n{chunks}"))),
        (400, post(&format!("Content-Length: 0\r\n{chunks}"))),
        (400, post("Content-Length: 5\r\nContent-Length: 5\r\n")),
        (400, post("Content-Length: 5\r\nContent-Length: 50\r\n")),
        (400, post("Content-Length: 5, 5\r\n")),
        (400, post("Content-Length: +5\r\n")),
        (400, post("Content-Length: 0x5\r\n")),
        (400, post("Content-Length: 5 5\r\n")),
        (400, post("Content-Length : 5\r\n")),
        (400, post("Content-Length: 18446744073709551621\r\n")),
        (400, post("Content-Length:\u{b}5\r\n")),
        (400, post("Content-Length: 5\u{0}\r\n")),
        (400, post("Transfer-Encoding : chunked\r\n")),
        (400, post("Transfer-Encoding: \u{b}chunked\r\n")),
        (400, post("Transfer-Encoding\u{0}: chunked\r\n")),
        (400, post("X: y\rTransfer-Encoding: chunked\r\n")),
        // Lines that go on in the next are what they are together.
        (
            400,
            post("Content-Length:\r\n 5\r\nTransfer-Encoding:\r\n chunked\r\n"),
        ),
        (
            400,
            post("Content-Length:\n\t5\nTransfer-Encoding:\n\tchunked\n"),
        ),
        (
            400,
            post("Content-Length:\r\n 5\r\nContent-Length:\r\n 5\r\n"),
        ),
        (400, post("Content-Length: 5\r\n 0\r\n")),
        (400, post("Content-Length: 5\r\n , 5\r\n")),
        (400, post("Content-Length\r\n : 5\r\n")),
        (400, post("Transfer-Encoding\r\n : chunked\r\n")),
        (400, post("Transfer-Encoding: chunked\r\n \u{b}\r\n")),
        (501, post("Transfer-Encoding: chunked\r\n x\r\n")),
        (501, post("Transfer-Encoding: chunked\r\n , identity\r\n")),
        (
            501,
            post("Transfer-Encoding:\r\n chunked\r\n , chunked\r\n"),
        ),
        (501, post("Transfer-Encoding: xchunked\r\n")),
        (501, post("Transfer-Encoding: chunked, identity\r\n")),
        (501, post(&format!("{chunks}Transfer-Encoding: x\r\n"))),
        (501, post(&format!("{chunks}{chunks}"))),
        (400, chunked("1000000000000000f\r\nx\r\n0\r\n\r\n")),
        (400, chunked("0x1\r\nx\r\n0\r\n\r\n")),
        (400, chunked("+1\r\nx\r\n0\r\n\r\n")),
        (400, chunked("1\nx\r\n0\r\n\r\n")),
        (400, chunked("1\r\nxy\r\n0\r\n\r\n")),
        (400, chunked("\r\n")),
        (400, chunked("0\r\n x: 1\r\n\r\n")),
        (400, chunked("0\r\nx: 1\n\r\n")),
        (400, chunked("0\r\n\n")),
        (400, chunked("0\r\nx: 1\r\n\n")),
    ];
    for (status, attack) in &attacks {
        let answers = all_answers(&pod, attack.clone().into_bytes())
            .with_context(|| format!("{attack:?}"))?;
        anyhow::ensure!(
            answers.starts_with(&format!("HTTP/1.1 {status} "))
                && answers.contains("x-egret-verdict: ")
                && answers.matches("HTTP/1.1").count() == 1,
            "{attack:?} is answered {answers:?}"
        );
    }
    // A line of its own to one reader, and the end of the one before it to another.
    let first = post("").replacen("\r\nHost", "\r\n Host", 1);
    let answers = all_answers(&pod, first.into_bytes())?;
    assert!(answers.starts_with("HTTP/1.1 400 "), "{answers}");
    let lines = sidecar.await_access(|line| line["response_code"] == 501)?;
    assert_eq!(lines["response_flags"], "DPE", "{lines}");
    assert!(seen.is_empty(), "{:?}", seen.all());
    Ok(())
}

#[test]
fn what_only_looks_like_it_passes_as_it_is() -> anyhow::Result<()> {
    let world = World::new("smuggling-not", Family::V4)?;
    let seen = origin(world.internet.listen(ELSEWHERE.v4(), 80)?)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY])?;
    config.write("elsewhere.yaml", &stage::elsewhere(&[ELSEWHERE.v4()], ""))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    // A request in a body is a body; one behind another is another.
    let inner =
        format!("POST /inner HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n{HIDDEN}");
    let outer = format!(
        "POST /outer HTTP/1.1\r\nHost: elsewhere.example\r\nContent-Length: {}\r\n\r\n{inner}",
        inner.len()
    );
    let in_chunks = format!(
        "POST /chunks HTTP/1.1\r\nHost: elsewhere.example\r\nTransfer-Encoding: chunked\r\n\r\n{:x};a=\"0\"\r\n{inner}\r\n0\r\n\r\n",
        inner.len()
    );
    let folded = format!(
        "GET /folded HTTP/1.1\r\nHost: elsewhere.example\r\nX:\r\n {}\r\n\r\n",
        HIDDEN.trim_end().replace("\r\n", "\r\n ")
    );
    let folded_length = format!(
        "POST /length HTTP/1.1\r\nHost: elsewhere.example\r\nContent-Length:\r\n\t{}\r\n \r\n\r\n{inner}",
        inner.len()
    );
    let folded_coding = format!(
        "POST /coding HTTP/1.1\r\nHost: elsewhere.example\r\nTransfer-Encoding:\n chunked\n\n{:x}\r\n{inner}\r\n0\r\nx: 1\r\n {}\r\n\r\n",
        inner.len(),
        HIDDEN.trim_end().replace("\r\n", "\r\n ")
    );
    let last = "GET /last HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n";
    let all = format!("{outer}{in_chunks}{folded}{folded_length}{folded_coding}{last}");
    let answers = all_answers(&pod, all.into_bytes())?;
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 6, "{answers}");
    let requests = seen.all();
    let lines: Vec<_> = requests
        .iter()
        .filter_map(|all| all.lines().next())
        .collect();
    assert_eq!(
        lines,
        [
            "POST /outer HTTP/1.1",
            "POST /chunks HTTP/1.1",
            "GET /folded HTTP/1.1",
            "POST /length HTTP/1.1",
            "POST /coding HTTP/1.1",
            "GET /last HTTP/1.1"
        ]
    );
    let joined = HIDDEN.trim_end().replace("\r\n", " ");
    assert!(
        requests[0].ends_with(&inner)
            && requests[1].contains(&inner)
            && requests[2].contains(&format!("{joined}\r\n"))
            && requests[3].ends_with(&inner)
            && requests[4].contains(&inner)
            && requests[4].ends_with(&format!("\r\n0\r\nx: 1 {joined}\r\n\r\n")),
        "{requests:?}"
    );
    // What looks like a coding is a value, and what looks like its body is no request.
    let value = post("X: y\r\n Transfer-Encoding: chunked\r\n");
    let answers = all_answers(&pod, value.into_bytes())?;
    let second = answers.split("HTTP/1.1 ").nth(2).unwrap_or_default();
    assert!(
        answers.starts_with("HTTP/1.1 200 ") && second.starts_with("400 "),
        "{answers}"
    );
    let requests = seen.all();
    assert_eq!(requests.len(), 7, "{requests:?}");
    assert!(
        requests[6].contains("X: y Transfer-Encoding: chunked\r\n"),
        "{requests:?}"
    );
    Ok(())
}

#[test]
fn an_answer_reaches_a_client_that_is_still_sending() -> anyhow::Result<()> {
    let world = World::new("early-answer", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let length = 8 << 20;
    let mut request =
        format!("POST / HTTP/1.1\r\nHost: elsewhere.example\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes();
    request.resize(request.len() + length, b'x');
    let answer = all_answers(&pod, request)?;
    assert!(
        answer.starts_with("HTTP/1.1 502 ")
            && answer.contains("x-egret-verdict: blackhole\r\n")
            && answer.contains("connection: close\r\n"),
        "{answer}"
    );
    Ok(())
}
