//! Bodies on their way to the upstream.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_local;

use crate::client::body::{KEPT_MAX, RequestBody};
use crate::http::tests::world::*;

#[test]
fn it_is_known_when_the_whole_request_has_come() {
    worker(|| async {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let (sent, taken) = tokio::sync::oneshot::channel();
        let sent = Cell::new(Some(sent));
        spawn_local(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let sent = sent.take().expect("one request");
                sent.send(request.into_body()).expect("taken");
                std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>()
            });
            let serving = hyper::server::conn::http1::Builder::new();
            serving
                .serve_connection(TokioIo::new(server), service)
                .await
        });
        let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nx";
        client.write_all(head).await.expect("written");
        let mut body = RequestBody::of_client(
            crate::codec::incoming::Incoming::Http1(taken.await.expect("a request")),
            Version::HTTP_11,
        );
        let received = body.received();
        body.frame().await.expect("a frame").expect("read");
        assert!(received.complete().now_or_never().is_none());
        assert_eq!(received.bytes(), 1);
        client.write_all(b"y").await.expect("written");
        let (frame, ()) = tokio::join!(body.frame(), received.complete());
        frame.expect("a frame").expect("read");
        assert_eq!(received.bytes(), 2);
    });
}

/// An origin of which each connection takes one request whole, and answers as told by its number.
async fn in_turn(answers: &'static [&'static str]) -> (SocketAddr, Rc<RefCell<Vec<String>>>) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&seen);
    let (address, _) = origin(move |mut stream, number| {
        let seen = Rc::clone(&noted);
        async move {
            let request = message(&mut stream).await.expect("a request");
            seen.borrow_mut().push(request);
            let status = answers[number.min(answers.len() - 1)];
            let head =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            answer(&mut stream, &head).await;
        }
    })
    .await;
    (address, seen)
}

/// A world in which calls of `a.test` go to an address, with these retries.
fn retrying(address: SocketAddr, retries: &str) -> World {
    World::with(&format!(
        "{}{}",
        service("a", "HTTP", &[address]),
        rule(
            "a",
            &format!("route: [{{destination: {{host: a.test}}}}], retries: {retries}")
        ),
    ))
}

#[test]
fn a_body_is_sent_again() {
    worker(|| async {
        let (address, seen) = in_turn(&["503 Busy", "200 OK"]).await;
        let world = retrying(address, "{attempts: 2, retryOn: 5xx, backoff: 1ms}");
        let mut client = world.client(vip());
        let body = "x".repeat(100_000);
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let response = ask(&mut client, &request).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        let seen = seen.borrow();
        assert_eq!(seen.len(), 2);
        for (number, request) in seen.iter().enumerate() {
            let count = format!("x-envoy-attempt-count: {}\r\n", number + 1);
            assert!(request.contains(&count) && request.ends_with(&body));
        }
        let lines = world.lines();
        assert_eq!(lines[0]["bytes_received"], body.len());
        assert_eq!(lines[0]["response_flags"], "-");
    });
}

#[test]
fn a_body_too_large_to_be_kept_is_sent_once() {
    worker(|| async {
        let (address, seen) = in_turn(&["503 Busy", "200 OK"]).await;
        let world = retrying(address, "{attempts: 2, retryOn: 5xx}");
        let mut client = world.client(vip());
        let length = KEPT_MAX + 1;
        let head = format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n");
        let body = "x".repeat(length);
        let response = ask(&mut client, &(head + &body)).await;
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert_eq!(seen.borrow().len(), 1);
        assert!(seen.borrow()[0].ends_with(&body));
    });
}

#[test]
fn bodies_that_find_no_room_are_sent_once() {
    worker(|| async {
        let (address, seen) = in_turn(&["503 Busy", "503 Busy", "200 OK"]).await;
        let world = retrying(address, "{attempts: 2, retryOn: 5xx, backoff: 1ms}");
        let mut room = world.proxy.kept_bytes.room();
        assert!(room.grow(KEPT_BODIES_MAX - 3));
        let mut client = world.client(vip());
        let request = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody";
        let response = ask(&mut client, request).await;
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert_eq!(seen.borrow().len(), 1);
        drop(room);
        seen.borrow_mut().clear();
        let mut client = world.client(vip());
        let response = ask(&mut client, request).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        assert_eq!(seen.borrow().len(), 2, "sent again");
    });
}

#[test]
fn retries_that_are_used_up_are_told() {
    worker(|| async {
        let (address, seen) = in_turn(&["503 Busy"]).await;
        let world = retrying(address, "{attempts: 1, retryOn: 503, backoff: 1ms}");
        let mut client = world.client(vip());
        let response = ask(&mut client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert_eq!(seen.borrow().len(), 2);
        let lines = world.lines();
        assert_eq!(lines[0]["response_flags"], "URX");
        assert_eq!(lines[0]["response_code_details"], "via_upstream");
    });
}

const EXPECTING: &str =
    "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";

#[test]
fn the_origin_says_whether_to_continue() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a head"));
            }
            assert!(
                String::from_utf8_lossy(&head)
                    .to_lowercase()
                    .contains("expect: 100-continue\r\n")
            );
            answer(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
            let mut body = [0; 3];
            stream.read_exact(&mut body).await.expect("a body");
            assert_eq!(&body, b"abc");
            answer(&mut stream, OK).await;
        })
        .await;
        let mut client = world.client(to);
        let interim = ask(&mut client, EXPECTING).await;
        assert_eq!(interim, "HTTP/1.1 100 Continue\r\n\r\n");
        let response = ask(&mut client, "abc").await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    });
}

#[test]
fn an_origin_that_does_not_want_the_body_spares_the_client_the_sending() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a head"));
            }
            answer(&mut stream, "HTTP/1.1 417 No\r\ncontent-length: 0\r\n\r\n").await;
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.expect("closed");
            assert!(rest.is_empty(), "{rest:?}");
        })
        .await;
        let mut client = world.client(to);
        let response = ask(&mut client, EXPECTING).await;
        assert!(response.starts_with("HTTP/1.1 417 "), "{response}");
        drop(client);
    });
}

#[test]
fn trailers_pass_both_ways() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            let mut request = Vec::new();
            while !request.ends_with(b"x-sum: 1\r\n\r\n") {
                request.push(stream.read_u8().await.expect("a request"));
            }
            let request = String::from_utf8(request).expect("utf-8").to_lowercase();
            assert!(request.contains("te: trailers\r\n"), "{request}");
            let response = "HTTP/1.1 200 OK\r\ntrailer: x-end\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-end: 2\r\n\r\n";
            answer(&mut stream, response).await;
        })
        .await;
        let mut client = world.client(to);
        let request = "POST / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: te\r\nTrailer: x-sum\r\n\
            Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n";
        client.write_all(request.as_bytes()).await.expect("written");
        let mut response = Vec::new();
        while !response.ends_with(b"x-end: 2\r\n\r\n") {
            response.push(client.read_u8().await.expect("a response"));
        }
    });
}

/// Bytes that were written at one end and not yet read at the other, at most.
#[derive(Clone, Default)]
struct UnderWay(Rc<Cell<(u64, u64, u64)>>);

impl UnderWay {
    fn written(&self, bytes: usize) {
        let (written, read, most) = self.0.get();
        let written = written + bytes as u64;
        self.0.set((written, read, most.max(written - read)));
    }

    fn read(&self, bytes: usize) {
        let (written, read, most) = self.0.get();
        self.0.set((written, read + bytes as u64, most));
    }
}

/// Bytes that go through, many times those that may be under way: what kernels, pipes and we hold of a stream.
const STREAMED: u64 = 512 << 20;
const UNDER_WAY_MAX: u64 = 24 << 20;

#[test]
fn a_long_answer_is_not_held_by_us() {
    worker(|| async {
        let world = World::new();
        let under_way = UnderWay::default();
        let counts = under_way.clone();
        let (to, _) = origin(move |mut stream, _| {
            let counts = counts.clone();
            async move {
                message(&mut stream).await.expect("a request");
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {STREAMED}\r\n\r\n");
                answer(&mut stream, &head).await;
                let piece = vec![0; 1 << 16];
                for _ in 0..STREAMED / (1 << 16) {
                    stream.write_all(&piece).await.expect("written");
                    counts.written(piece.len());
                }
            }
        })
        .await;
        let mut client = world.client(to);
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            .await
            .expect("written");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.expect("a head"));
        }
        let (mut buffer, mut read) = (vec![0; 1 << 14], 0);
        while read < STREAMED {
            let count = client.read(&mut buffer).await.expect("read");
            under_way.read(count);
            read += count as u64;
        }
        let (_, _, most) = under_way.0.get();
        assert!(most < UNDER_WAY_MAX, "{most} bytes were under way");
    });
}

#[test]
fn a_long_request_is_not_held_by_us() {
    worker(|| async {
        let under_way = UnderWay::default();
        let counts = under_way.clone();
        let (address, _) = origin(move |mut stream, _| {
            let counts = counts.clone();
            async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("a head"));
                }
                let (mut buffer, mut read) = (vec![0; 1 << 14], 0);
                while read < STREAMED {
                    let count = stream.read(&mut buffer).await.expect("read");
                    counts.read(count);
                    read += count as u64;
                }
                answer(&mut stream, OK).await;
            }
        })
        .await;
        // Kept for a retry and for a mirror, as far as it can be kept.
        let world = World::with(&format!(
            "{}{}{}",
            service("a", "HTTP", &[address]),
            service("b", "HTTP", &[address]),
            rule(
                "a",
                "route: [{destination: {host: a.test}}], mirror: {host: b.test}, retries: {attempts: 2, retryOn: 5xx}"
            ),
        ));
        let mut client = world.client(vip());
        let head = format!("POST / HTTP/1.1\r\nHost: a.test\r\ncontent-length: {STREAMED}\r\n\r\n");
        client.write_all(head.as_bytes()).await.expect("written");
        let piece = vec![0; 1 << 16];
        for _ in 0..STREAMED / (1 << 16) {
            under_way.written(piece.len());
            client.write_all(&piece).await.expect("written");
        }
        let response = message(&mut client).await.expect("a response");
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        let (_, _, most) = under_way.0.get();
        assert!(most < UNDER_WAY_MAX, "{most} bytes were under way");
    });
}
