//! The bytes of calls on their clients' connections are those that the client sent and got.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::{spawn_local, yield_now};

use crate::http::tests::world::*;
use crate::report::facts::WireBytes;

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

/// The bytes of the next call that is reported.
async fn next(world: &World) -> WireBytes {
    for _ in 0..100 {
        if let [bytes] = world.wire_bytes()[..] {
            return bytes;
        }
        yield_now().await;
    }
    panic!("no call was reported");
}

/// The bytes of the fields of a message, each with so many bytes beside its line.
fn fields(message: &str, beside: usize) -> u64 {
    let unfolded = message.trim_start().replace("\r\n ", " ");
    let end = unfolded.find("\r\n\r\n").unwrap_or(unfolded.len());
    let lines = unfolded[..end].split("\r\n").skip(1);
    lines.map(|line| (line.len() + beside) as u64).sum()
}

#[test]
fn all_of_a_request_and_its_response_is_counted() {
    worker(|| async {
        let (to, _) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                if request.starts_with("POST") {
                    while stream.read_u8().await.expect("body") != b'!' {}
                    stream.read_exact(&mut [0; 7]).await.expect("end");
                }
                let response = if request.contains("/chunked") {
                    CHUNKED
                } else {
                    OK
                };
                answer(&mut stream, response).await;
            }
        })
        .await;
        let world = World::new();
        let mut client = world.client(to);
        for (request, end) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "hi"),
            (
                "\r\nGET /chunked HTTP/1.1\r\nHost: a\r\nx: folded\r\n  line\r\n\r\n",
                "0\r\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\n\r\n4;x=y\r\nhey!\r\n0\r\n\r\n",
                "hi",
            ),
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n"),
        ] {
            client.write_all(request.as_bytes()).await.expect("written");
            let mut response = String::new();
            while !response.ends_with(end) {
                response.push(client.read_u8().await.expect("a byte").into());
            }
            let expected = WireBytes {
                received: request.len() as u64,
                sent: response.len() as u64,
                header_received: fields(request, 1),
                header_sent: fields(&response, 2),
            };
            assert_eq!(next(&world).await, expected, "{request:?} {response:?}");
        }
    });
}

#[test]
fn requests_sent_at_once_are_counted_each_for_itself() {
    worker(|| async {
        let (to, _) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let world = World::new();
        let mut client = world.client(to);
        let requests = ["/", "/longer", "/the-longest"]
            .map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let all = requests.concat();
        client.write_all(all.as_bytes()).await.expect("written");
        let mut sent = 0;
        for _ in &requests {
            sent += message(&mut client).await.expect("an answer").len() as u64;
        }
        yield_now().await;
        let bytes = world.wire_bytes();
        let received: Vec<_> = bytes.iter().map(|bytes| bytes.received).collect();
        assert_eq!(received, requests.map(|request| request.len() as u64));
        assert_eq!(bytes.iter().map(|bytes| bytes.sent).sum::<u64>(), sent);
    });
}

#[test]
fn what_is_no_request_and_what_is_left_is_counted_too() {
    worker(|| async {
        let (to, _) = origin(async |mut stream, _| {
            message(&mut stream).await;
            std::future::pending::<()>().await;
        })
        .await;
        let world = World::new();
        let mut client = world.client(to);
        let odd = "GET / HTTP/1.1\r\n: no name\r\n\r\n";
        client.write_all(odd.as_bytes()).await.expect("written");
        let mut response = String::new();
        client.read_to_string(&mut response).await.expect("closed");
        assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
        let bytes = next(&world).await;
        assert_eq!(
            (bytes.received, bytes.sent),
            (odd.len() as u64, response.len() as u64)
        );

        let mut client = world.client(to);
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        client.write_all(request.as_bytes()).await.expect("written");
        tokio::time::timeout(Duration::from_millis(1), client.read_u8())
            .await
            .expect_err("no answer");
        drop(client);
        let expected = WireBytes {
            received: request.len() as u64,
            header_received: fields(request, 1),
            ..WireBytes::default()
        };
        // The paused clock is moved past the time that a client which sends no more may still read: HALF_CLOSED_MAX.
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(next(&world).await, expected);
    });
}

#[test]
fn an_upgraded_connection_is_counted_to_its_end() {
    worker(|| async {
        let (to, _) = origin(async |mut stream, _| {
            message(&mut stream).await;
            answer(
                &mut stream,
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            )
            .await;
            stream.read_exact(&mut [0; 5]).await.expect("bytes");
            answer(&mut stream, "pong").await;
        })
        .await;
        let world = World::new();
        let mut client = world.client(to);
        let request =
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        client.write_all(request.as_bytes()).await.expect("written");
        let mut response = String::new();
        while !response.ends_with("\r\n\r\n") {
            response.push(client.read_u8().await.expect("a byte").into());
        }
        client.write_all(b"ping!").await.expect("written");
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.expect("closed");
        assert_eq!(rest, "pong");
        drop(client);
        let mut bytes = Vec::new();
        while bytes.is_empty() {
            yield_now().await;
            bytes = world.wire_bytes();
        }
        let expected = WireBytes {
            received: (request.len() + 5) as u64,
            sent: (response.len() + 4) as u64,
            header_received: fields(request, 1),
            header_sent: fields(&response, 2),
        };
        assert_eq!(bytes, [expected]);
    });
}

#[test]
fn frames_of_a_stream_are_counted() {
    worker(|| async {
        let (to, _) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let world = World::with(&service("a", "HTTP", &[to]));
        let client = TokioIo::new(world.client2(vip()));
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(OnThisThread)
            .handshake(client)
            .await
            .expect("handshake");
        spawn_local(connection);
        let mut before = None;
        for _ in 0..2 {
            let request = Request::post("http://a.test/x")
                .header("x", "y")
                .header("content-length", "3");
            let request = request
                .body(Full::new(Bytes::from("abc")))
                .expect("request");
            let response = sender.send_request(request).await.expect("an answer");
            response.into_body().collect().await.expect("a body");
            let bytes = next(&world).await;
            // A DATA frame has nine bytes beside its payload.
            assert_eq!(bytes.received, bytes.header_received + 9 + 3);
            assert_eq!(bytes.sent, bytes.header_sent + 9 + 2);
            assert!(
                bytes.header_received > 9 && bytes.header_sent > 9,
                "{bytes:?}"
            );
            // The second head is in the tables of both sides.
            let smaller = |before: WireBytes| bytes.header_received < before.header_received;
            assert!(before.is_none_or(smaller), "{bytes:?} after {before:?}");
            before = Some(bytes);
        }
    });
}
