//! Interim responses (103, 100) as `curl` sees them, in either version of HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use egret_tests::client::curl;
use egret_tests::objects::ServiceEntry;
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;

use crate::helpers::stage;

fn config() -> String {
    let entry = ServiceEntry::new("elsewhere.example");
    entry.port(80, "HTTP").to_string()
}

/// An origin that hints, and asks for the body of whoever waits for that word.
fn hinting(listener: TcpListener) -> anyhow::Result<()> {
    listener.set_nonblocking(false)?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || hint(stream));
        }
    });
    Ok(())
}

fn hint(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut waits, mut length) = (false, 0);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            anyhow::ensure!(reader.read_line(&mut line)? > 0, "no request");
            let said = line.trim_end().to_ascii_lowercase();
            waits |= said == "expect: 100-continue";
            if let Some(said) = said.strip_prefix("content-length: ") {
                length = said.parse()?;
            }
        }
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n")?;
        if waits {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
    }
}

#[test]
fn curl_is_shown_hints_and_told_to_go_on() -> anyhow::Result<()> {
    let world = World::new("h2-interim", Family::V4)?;
    hinting(world.internet.listen(ELSEWHERE.v4(), 80)?)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("elsewhere.yaml", &config())?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for (version, shown) in [
        ("--http2-prior-knowledge", "HTTP/2"),
        ("--http1.1", "HTTP/1.1"),
    ] {
        let answer = curl(
            &pod,
            &[
                "-v",
                version,
                "-H",
                "Expect: 100-continue",
                // Longer than any test waits.
                "--expect100-timeout",
                "600",
                "-d",
                "a=b",
                "http://elsewhere.example/",
            ],
        )?;
        assert_eq!(
            (answer.exit, answer.body.trim_end()),
            (0, "ok"),
            "{answer:?}"
        );
        for status in ["103", "100", "200"] {
            let line = format!("< {shown} {status} ");
            assert!(answer.errors.contains(&line), "{line} in {answer:?}");
        }
        assert!(answer.errors.contains("< link: </style.css>"), "{answer:?}");
    }
    Ok(())
}
