//! Requests that two readers may read in two ways, and the ways in which attackers hide them.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::tests::world::*;

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a.test\r\n";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

#[test]
fn framing_that_is_said_twice_is_refused() {
    worker(|| async {
        let world = World::new();
        let (to, accepted) = origin(async |_, _| {}).await;
        let cases = [
            ("Content-Length: 4\r\n", CHUNKED, 400),
            (CHUNKED, "Content-Length: 4\r\n", 400),
            ("Content-Length: 4\r\n", "Content-Length: 4\r\n", 400),
            ("Transfer-Encoding: gzip\r\n", "", 501),
            (CHUNKED, "Transfer-Encoding: identity\r\n", 501),
            ("Transfer-Encoding: chunked, identity\r\n", "", 501),
        ];
        for (one, other, status) in cases {
            let mut client = world.client(to);
            let request = format!("{HEAD}{one}{other}\r\n0\r\n\r\n");
            client.write_all(request.as_bytes()).await.expect("written");
            let mut all = String::new();
            client.read_to_string(&mut all).await.expect("closed");
            let verdict = if status == 400 {
                "bad_request"
            } else {
                "transfer_coding"
            };
            assert!(
                all.starts_with(&format!("HTTP/1.1 {status} "))
                    && all.contains(&format!("x-egret-verdict: {verdict}\r\n"))
                    && all.contains("connection: close\r\n")
                    && all.contains("server: egret\r\n"),
                "{request}{all}"
            );
            assert_eq!(all.matches("HTTP/1.1").count(), 1, "{all}");
        }
        assert_eq!(accepted.get(), 0);
        let lines = world.lines();
        assert_eq!(lines.len(), cases.len());
        assert!(
            lines.iter().all(|line| line["response_flags"] == "DPE"),
            "{lines:#?}"
        );
        assert_eq!(lines[0]["method"], "POST");
    });
}

#[test]
fn it_is_refused_in_its_turn() {
    worker(|| async {
        let world = World::new();
        let seen: Rc<RefCell<Vec<String>>> = Rc::default();
        let ledger = Rc::clone(&seen);
        let (to, _) = origin(move |mut stream, _| {
            let ledger = Rc::clone(&ledger);
            async move {
                while let Some(request) = message(&mut stream).await {
                    ledger.borrow_mut().push(request);
                    answer(&mut stream, OK).await;
                }
            }
        })
        .await;
        let good = format!("{HEAD}Content-Length: 2\r\n\r\nab");
        let bad = format!("{HEAD}Content-Length: 4\r\n{CHUNKED}\r\n0\r\n\r\n");
        let never = "GET /never HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let unreadable = "GET / HTTP/1.1\r\nHost : a.test\r\n\r\n";
        for last in [bad.as_str(), unreadable] {
            seen.borrow_mut().clear();
            let mut client = world.client(to);
            let all = format!("{good}{good}{last}{never}");
            client.write_all(all.as_bytes()).await.expect("written");
            let mut answers = String::new();
            client.read_to_string(&mut answers).await.expect("closed");
            let statuses: Vec<_> = answers
                .split("HTTP/1.1 ")
                .skip(1)
                .map(|answer| &answer[..3])
                .collect();
            assert_eq!(statuses, ["200", "200", "400"], "{answers}");
            assert_eq!(seen.borrow().len(), 2);
        }
    });
}

/// An origin that answers each request, and what it was sent: whole heads, and bodies as their length says.
async fn remembering() -> (std::net::SocketAddr, Rc<RefCell<Vec<String>>>) {
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let ledger = Rc::clone(&seen);
    let (to, _) = origin(move |mut stream, _| {
        let ledger = Rc::clone(&ledger);
        async move {
            while let Some(mut request) = message(&mut stream).await {
                if request.contains("chunked\r\n\r\n") {
                    while !request.ends_with("\r\nx-t: 1 2\r\n\r\n") {
                        let byte = stream.read_u8().await.expect("a chunk");
                        request.push(byte.into());
                    }
                }
                ledger.borrow_mut().push(request);
                answer(&mut stream, OK).await;
            }
        }
    })
    .await;
    (to, seen)
}

#[test]
fn lines_that_go_on_are_read_as_one() {
    worker(|| async {
        let world = World::new();
        let (to, seen) = remembering().await;
        let requests = [
            (
                "GET /1 HTTP/1.1\r\nHost:\r\n a.test\r\nX-A: 1\r\n \r\n\t2\r\nX-B: 3\n 4\n\r\n",
                &["X-A: 1 \t2\r\n", "X-B: 3 4\r\n"][..],
            ),
            (
                "POST /2 HTTP/1.1\r\nHost: a.test\r\nContent-Length:\r\n 4\r\n\r\nbody",
                &["Content-Length: 4\r\n", "\r\n\r\nbody"],
            ),
            (
                "POST /3 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n4\r\nbody\r\n0\r\nx-t: 1\r\n 2\r\n\r\n",
                &[
                    "Transfer-Encoding: chunked\r\n",
                    "\r\n0\r\nx-t: 1 2\r\n\r\n",
                ],
            ),
            (
                "GET /4 HTTP/1.1\r\nHost: a.test\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n",
                &["X: y Transfer-Encoding: chunked\r\n"],
            ),
        ];
        let all: String = requests.iter().map(|(request, _)| *request).collect();
        for at in 1..all.len() {
            seen.borrow_mut().clear();
            let mut client = world.client(to);
            for piece in [&all[..at], &all[at..]] {
                client.write_all(piece.as_bytes()).await.expect("written");
                // So that each piece is read by itself.
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
            }
            for (request, parts) in requests {
                let response = message(&mut client).await;
                let response = response.unwrap_or_else(|| panic!("{request:?} cut at {at}"));
                assert!(response.starts_with("HTTP/1.1 200 "), "{at}: {response}");
                let sent = seen.borrow_mut().remove(0);
                assert_eq!(sent[..7], request[..7]);
                for part in parts {
                    assert!(sent.contains(part), "{at}: {sent}");
                }
            }
        }
    });
}

#[test]
fn a_line_that_goes_on_from_none_is_refused() {
    worker(|| async {
        let world = World::new();
        let (to, seen) = remembering().await;
        for request in [
            "GET / HTTP/1.1\r\n Host: a.test\r\n\r\n",
            "GET / HTTP/1.1\r\n \r\nHost: a.test\r\n\r\n",
            "GET / HTTP/1.1\n\tHost: a.test\n\n",
            " GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET\r\n / HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nX-A\r\n : 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\r\n 2\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\n \u{b}\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n 4\r\n\r\nbody",
            "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length:\r\n 4\r\nContent-Length:\r\n 4\r\n\r\nbody",
            "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length:\r\n 4\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        ] {
            let mut client = world.client(to);
            client.write_all(request.as_bytes()).await.expect("written");
            let mut all = String::new();
            client.read_to_string(&mut all).await.expect("closed");
            assert!(
                all.starts_with("HTTP/1.1 400 ") && all.matches("HTTP/1.1").count() == 1,
                "{request:?}: {all}"
            );
        }
        assert!(seen.borrow().is_empty(), "{:?}", seen.borrow());
    });
}

#[test]
fn trailers_that_two_readers_may_read_in_two_ways_are_refused() {
    worker(|| async {
        let world = World::new();
        let (to, seen) = remembering().await;
        for trailers in [
            "x: 1\n\r\n\r\n",
            "\n\r\n\r\n",
            " x: 1\r\n\r\n",
            "x: 1\r\n\n\r\n\r\n",
            "x: 1\n 2\r\n\r\n",
            "x\r\n : 1\r\n\r\n",
        ] {
            let mut client = world.client(to);
            let request = format!("{HEAD}{CHUNKED}\r\n0\r\n{trailers}GET /hidden HTTP/1.1\r\n\r\n");
            client.write_all(request.as_bytes()).await.expect("written");
            let mut all = String::new();
            client.read_to_string(&mut all).await.expect("closed");
            assert!(
                all.starts_with("HTTP/1.1 400 ") && all.matches("HTTP/1.1").count() == 1,
                "{trailers:?}: {all}"
            );
        }
        assert!(seen.borrow().is_empty(), "{:?}", seen.borrow());
    });
}
