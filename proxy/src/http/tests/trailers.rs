//! Trailers, announced and not, from either version of HTTP to either.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::http::tests::http2::sender;
use crate::http::tests::world::*;

/// Reads a message in chunks up to its end.
async fn in_chunks<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut read = Vec::new();
    let mut byte = [0];
    let is_end = |read: &[u8]| {
        let text = String::from_utf8_lossy(read);
        let last = text.find("\r\n0\r\n").map(|at| &text[at + 5..]);
        last.is_some_and(|trailers| trailers == "\r\n" || trailers.ends_with("\r\n\r\n"))
    };
    while !is_end(&read) {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        read.push(byte[0]);
    }
    Some(String::from_utf8(read).expect("utf-8"))
}

/// An origin of HTTP/1 that gives one answer to every request in chunks, and what it was sent.
async fn answering(response: String) -> (SocketAddr, Rc<RefCell<Vec<String>>>) {
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let noted = Rc::clone(&seen);
    let (address, _) = origin(move |mut stream, _| {
        let (seen, response) = (Rc::clone(&noted), response.clone());
        async move {
            while let Some(request) = in_chunks(&mut stream).await {
                seen.borrow_mut().push(request);
                answer(&mut stream, &response).await;
            }
        }
    })
    .await;
    (address, seen)
}

fn response(fields: &str, trailers: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\n{fields}transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{trailers}\r\n"
    )
}

fn request(fields: &str, trailers: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: a.test\r\n{fields}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{trailers}\r\n"
    )
}

#[test]
fn they_pass_both_ways_on_the_same_connections() {
    worker(|| async {
        let world = World::new();
        let cases = [
            ("", "x-sum: 1\r\n", "x-sum: 1\r\n"),
            ("Trailer: x-sum\r\n", "x-sum: 1\r\n", "x-sum: 1\r\n"),
            ("Trailer: x-other\r\n", "x-sum: 1\r\n", "x-sum: 1\r\n"),
            (
                "TE: trailers\r\n",
                "X-A: 1\r\nx-b: \r\nX-A: 2\r\n",
                "x-a: 1\r\nx-a: 2\r\nx-b: \r\n",
            ),
            (
                "",
                "x-sum: 1\r\nhost: b.test\r\ncontent-length: 9\r\ntransfer-encoding: gzip\r\nset-cookie: a=b\r\nauthorization: x\r\nconnection: close\r\nx-forwarded-for: 10.0.0.1\r\n",
                "x-sum: 1\r\n",
            ),
            ("", "content-type: text/html\r\n", ""),
            (
                "Trailer: content-type\r\n",
                "content-type: text/html\r\n",
                "",
            ),
            ("", "", ""),
        ];
        for (fields, trailers, passed) in cases {
            let (to, seen) = answering(response(fields, trailers)).await;
            let mut client = world.client(to);
            for number in 1..=3 {
                let request = request(fields, trailers);
                client.write_all(request.as_bytes()).await.expect("written");
                let response = in_chunks(&mut client).await.expect("an answer");
                assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
                let end = format!("\r\n\r\n2\r\nhi\r\n0\r\n{passed}\r\n");
                assert!(response.ends_with(&end), "{fields}{trailers}{response}");
                let seen = seen.borrow();
                let end = format!("\r\n\r\n3\r\nabc\r\n0\r\n{passed}\r\n");
                assert!(
                    seen[number - 1].ends_with(&end),
                    "{fields}{trailers}{seen:?}"
                );
            }
        }
        assert!(world.lines().iter().all(|line| line["bytes_sent"] == 2));
    });
}

#[test]
fn answers_are_in_turn_behind_them() {
    worker(|| async {
        let world = World::new();
        let (to, seen) = answering(response("", "x-sum: 1\r\n")).await;
        let mut client = world.client(to);
        let several = request("", "x-in: 1\r\n").repeat(5);
        client.write_all(several.as_bytes()).await.expect("written");
        for _ in 0..5 {
            let response = in_chunks(&mut client).await.expect("an answer");
            assert!(
                response.starts_with("HTTP/1.1 200 ")
                    && response.ends_with("0\r\nx-sum: 1\r\n\r\n"),
                "{response}"
            );
        }
        assert_eq!(seen.borrow().len(), 5);
        assert!(
            seen.borrow()
                .iter()
                .all(|request| request.ends_with("0\r\nx-in: 1\r\n\r\n"))
        );
    });
}

#[test]
fn a_message_without_chunks_has_none() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            message(&mut stream).await.expect("a request");
            answer(&mut stream, &response("", "x-sum: 1\r\n")).await;
        })
        .await;
        // To a client of HTTP/1.0 the end of the connection is the end.
        let mut client = world.client(to);
        client
            .write_all(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
            .await
            .expect("written");
        let mut all = String::new();
        client.read_to_string(&mut all).await.expect("closed");
        assert!(all.ends_with("\r\n\r\nhi"), "{all}");
    });
}

#[test]
fn trailers_that_are_none_break_the_answer_off() {
    worker(|| async {
        let world = World::new();
        for trailers in [
            "nonsense\r\n",
            "x: 1\r\n 2\r\n",
            "x y: 1\r\n",
            "x: \u{0}\r\n",
        ] {
            let (to, _) = answering(response("", trailers)).await;
            let mut client = world.client(to);
            let request = request("", "");
            client.write_all(request.as_bytes()).await.expect("written");
            let mut all = String::new();
            client.read_to_string(&mut all).await.expect("closed");
            assert!(all.ends_with("2\r\nhi\r\n"), "{trailers:?}: {all}");
        }
        assert!(
            world
                .lines()
                .iter()
                .all(|line| line["response_flags"] == "UPE")
        );
    });
}

fn fields(list: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &'static str)| {
        (
            name.parse::<http::HeaderName>().expect("name"),
            value.parse().expect("value"),
        )
    };
    list.iter().map(field).collect()
}

type Frames = StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

fn frames(data: &'static str, trailers: HeaderMap) -> Frames {
    let frames = vec![
        Ok(Frame::data(Bytes::from_static(data.as_bytes()))),
        Ok(Frame::trailers(trailers)),
    ];
    StreamBody::new(stream::iter(frames))
}

#[test]
fn clients_of_http1_exchange_them_with_origins_of_http2() {
    worker(|| async {
        let seen: Rc<RefCell<Vec<HeaderMap>>> = Rc::default();
        let noted = Rc::clone(&seen);
        let (two, _) = origin(move |stream, _| {
            let seen = Rc::clone(&noted);
            async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let seen = Rc::clone(&seen);
                    async move {
                        let body = request.into_body().collect().await.expect("body");
                        let trailers = body.trailers().cloned().unwrap_or_default();
                        seen.borrow_mut().push(trailers);
                        let trailers = fields(&[("x-end", "2"), ("set-cookie", "a=b")]);
                        Ok::<_, Infallible>(Response::new(frames("hi", trailers)))
                    }
                });
                let serving = hyper::server::conn::http2::Builder::new(OnThisThread);
                // The client ends the connection as it likes.
                let _ = serving
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            }
        })
        .await;
        let world = World::with(&service("a", "HTTP2", &[two]));
        let mut client = world.client(vip());
        for announced in ["", "Trailer: x-sum\r\n"] {
            let request = request(announced, "x-sum: 1\r\nconnection: x\r\ncookie: a=b\r\n");
            client.write_all(request.as_bytes()).await.expect("written");
            let response = in_chunks(&mut client).await.expect("an answer");
            assert!(
                response.starts_with("HTTP/1.1 200 ")
                    && response.ends_with("hi\r\n0\r\nx-end: 2\r\n\r\n"),
                "{response}"
            );
        }
        let only = fields(&[("x-sum", "1")]);
        assert_eq!(*seen.borrow(), [only.clone(), only]);
    });
}

#[test]
fn clients_of_http2_exchange_them_with_origins_of_http1() {
    worker(|| async {
        let (one, seen) = answering(response(
            "",
            "x-end: 2\r\nconnection: x\r\nset-cookie: a=b\r\n",
        ))
        .await;
        let world = World::with(&service("a", "HTTP", &[one]));
        let mut sender = sender(&world).await;
        for _ in 0..2 {
            let trailers = fields(&[("x-sum", "1"), ("authorization", "x")]);
            let request = Request::post("http://a.test/").body(frames("abc", trailers));
            let response = sender.send_request(request.expect("request")).await;
            let body = response.expect("a response").into_body().collect().await;
            let body = body.expect("a body");
            assert_eq!(body.trailers(), Some(&fields(&[("x-end", "2")])));
            assert_eq!(body.to_bytes(), "hi");
        }
        assert_eq!(seen.borrow().len(), 2);
        assert!(
            seen.borrow()
                .iter()
                .all(|request| request.ends_with("\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n")),
            "{seen:?}"
        );
    });
}

#[test]
fn a_request_that_is_sent_again_has_them_again() {
    worker(|| async {
        let (busy, busy_seen) = answering(response("", "").replace("200 OK", "503 Busy")).await;
        let world = World::with(&format!(
            "{}{}",
            service("a", "HTTP", &[busy]),
            rule(
                "a",
                "route: [{destination: {host: a.test}}], retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}"
            ),
        ));
        let mut client = world.client(vip());
        let request = request("", "x-sum: 1\r\n");
        client.write_all(request.as_bytes()).await.expect("written");
        let response = in_chunks(&mut client).await.expect("an answer");
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        let seen = busy_seen.borrow();
        assert_eq!(seen.len(), 3);
        assert!(
            seen.iter()
                .all(|request| request.ends_with("0\r\nx-sum: 1\r\n\r\n")),
            "{seen:?}"
        );
    });
}

#[test]
fn a_request_of_known_length_leaves_none_behind() {
    worker(|| async {
        // HTTP/2 can say both; HTTP/1 cannot.
        let (to, _) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                assert!(request.ends_with("\r\n\r\n0\r\n\r\n"), "{request}");
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let world = World::with(&service("a", "HTTP", &[to]));
        let mut sender = sender(&world).await;
        for _ in 0..2 {
            let body = frames("0\r\n\r\n", fields(&[("x-sum", "1")]));
            let request = Request::post("http://a.test/")
                .header("content-length", "5")
                .body(body);
            let response = sender.send_request(request.expect("request")).await;
            let response = response.expect("a response");
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.expect("a body");
            assert_eq!(body.to_bytes(), "hi");
        }
    });
}
