//! Details in which Envoy is followed: what answers say, and which requests are none.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Empty};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::failure::{Cause, Failure};
use crate::http::answer;
use crate::http::tests::http2::{grpc, sender};
use crate::http::tests::world::*;

const REGISTRY_ONLY: &str = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}";

/// The head of a message, whatever it says of its body.
async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.expect("a head"));
    }
    String::from_utf8(read).expect("utf-8")
}

pub(super) async fn say(client: &mut DuplexStream, bytes: impl AsRef<[u8]>) {
    client.write_all(bytes.as_ref()).await.expect("written");
}

/// What comes until the connection closes.
async fn rest(client: &mut DuplexStream) -> String {
    let mut all = String::new();
    client.read_to_string(&mut all).await.expect("closed");
    all
}

fn statuses(answers: &str) -> Vec<&str> {
    let answers = answers.split("HTTP/1.1 ").skip(1);
    answers.map(|answer| &answer[..3]).collect()
}

#[test]
fn an_upgrade_keeps_its_spelling_and_has_no_service_time() {
    worker(|| async {
        let (to, _) = origin(async |mut stream, _| {
            let request = head(&mut stream).await;
            assert!(request.contains("pgrade: WebSocket\r\n"), "{request}");
            let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WEBsocket\r\n\r\n";
            answer(&mut stream, agreed).await;
        })
        .await;
        let world = World::new();
        let mut client = world.client(to);
        let asked =
            "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
        say(&mut client, asked).await;
        let agreed = head(&mut client).await;
        assert!(agreed.contains("pgrade: WEBsocket\r\n"), "{agreed}");
        assert!(!agreed.contains("service-time"), "{agreed}");
        rest(&mut client).await;
        // The line is written once both sides are done.
        drop(client);
        while world.lines().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(world.lines()[0]["upstream_service_time"].is_null());
    });
}

#[test]
fn an_answer_without_content_keeps_the_origins_framing() {
    worker(|| async {
        let (to, accepted) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                let path = request.split(' ').nth(1).unwrap_or_default();
                let response = match path {
                    "/chunked" => "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "/length" => "200 OK\r\ncontent-length: 5\r\n\r\n",
                    "/unchanged" => "304 Not Modified\r\ncontent-length: 5\r\netag: x\r\n\r\n",
                    "/unchanged-chunked" => {
                        "304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n"
                    }
                    _ => "304 Not Modified\r\n\r\n",
                };
                answer(&mut stream, &format!("HTTP/1.1 {response}")).await;
            }
        })
        .await;
        let world = World::new();
        let mut client = world.client(to);
        for (request, status, line) in [
            ("HEAD /chunked", 200, "transfer-encoding: chunked\r\n"),
            ("HEAD /length", 200, "content-length: 5\r\n"),
            ("GET /unchanged", 304, "content-length: 5\r\n"),
            ("HEAD /unchanged", 304, "content-length: 5\r\n"),
            (
                "GET /unchanged-chunked",
                304,
                "transfer-encoding: chunked\r\n",
            ),
            ("GET /bare", 304, ""),
        ] {
            say(
                &mut client,
                format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"),
            )
            .await;
            let answer = head(&mut client).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
            assert!(answer.contains(line), "{request}: {answer}");
            let framing = ["content-length", "transfer-encoding"];
            let said = framing.map(|name| answer.matches(name).count());
            assert_eq!(
                said.iter().sum::<usize>(),
                usize::from(!line.is_empty()),
                "{answer}"
            );
        }
        assert_eq!(accepted.get(), 1, "nothing was left behind a head");
    });
}

#[test]
fn a_local_reply_before_the_end_of_a_request_ends_the_connection() {
    worker(|| async {
        let redirect = rule("a", "redirect: {uri: /elsewhere}");
        let world = World::with_mesh(REGISTRY_ONLY, &(service("a", "HTTP", &[vip()]) + &redirect));
        for host in ["a.test", "unknown.test"] {
            for (body, closes) in [
                ("Content-Length: 4\r\n\r\nbody", true),
                (
                    "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
                    true,
                ),
                ("Content-Length: 0\r\n\r\n", false),
                ("\r\n", false),
            ] {
                let request = format!("POST / HTTP/1.1\r\nHost: {host}\r\n{body}");
                let mut client = world.client(vip());
                let reply = ask(&mut client, &request).await;
                assert_eq!(
                    reply.contains("connection: close\r\n"),
                    closes,
                    "{request}{reply}"
                );
                if closes {
                    assert_eq!(rest(&mut client).await, "");
                } else {
                    ask(&mut client, &request).await;
                }
            }
        }
    });
}

#[test]
fn a_request_that_breaks_off_is_a_bad_request() {
    worker(|| async {
        let (to, _) = origin(async |mut stream, _| {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let world = World::new();
        for body in [
            "Content-Length: 10\r\n\r\nhalf",
            "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        ] {
            let mut client = world.client(to);
            say(&mut client, format!("POST / HTTP/1.1\r\nHost: a\r\n{body}")).await;
            client.shutdown().await.expect("shutdown");
            let reply = rest(&mut client).await;
            assert!(reply.starts_with("HTTP/1.1 400 "), "{body}: {reply}");
            assert!(!reply.contains("proxy failed"), "{reply}");
        }
        assert_eq!(world.lines()[0]["response_flags"], "DC");
    });
}

/// The beginning of a ClientHello, with a line feed in it.
const HELLO: &[u8] =
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x0a\x0d\x0a\x20random\x00\x00\x3e\x13\x02\x13\x03";

#[test]
fn bytes_that_are_no_request_are_a_bad_request() {
    worker(|| async {
        let (to, _) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let world = World::new();
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
        for (before, told) in [
            ("", &["400"][..]),
            (get, &["200", "400"]),
            (post, &["200", "400"]),
        ] {
            for none in [
                &b"garbage\r\n\r\n"[..],
                b"\x00\x01\x02\x03",
                b"{\"a\": 1}",
                b"a b c d\r\n\r\n",
                HELLO,
            ] {
                let mut client = world.client(to);
                say(&mut client, [before.as_bytes(), none].concat()).await;
                let all = rest(&mut client).await;
                let shown = none.escape_ascii();
                assert_eq!(statuses(&all), told, "{before}{shown}: {all}");
                assert!(
                    all.contains("x-egret-verdict: bad_request\r\n"),
                    "{shown}: {all}"
                );
            }
            // A word without an end, then no more: behind a request, it is none.
            let mut client = world.client(to);
            say(&mut client, format!("{before}garbage")).await;
            client.shutdown().await.expect("shutdown");
            let all = rest(&mut client).await;
            let told = if before.is_empty() { &[] } else { told };
            assert_eq!(statuses(&all), told, "{before}garbage: {all}");
        }
    });
}

#[test]
fn a_proxy_that_is_not_registered_is_refused_by_the_policy() {
    worker(|| async {
        let world = World::with_mesh(REGISTRY_ONLY, &service("a", "HTTP", &[vip()]));
        let connect = "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n";
        for to in [vip(), ([192, 0, 2, 9], 3128).into()] {
            let mut client = world.client(to);
            say(&mut client, connect).await;
            let reply = rest(&mut client).await;
            assert!(reply.starts_with("HTTP/1.1 502 "), "{reply}");
            assert!(reply.contains("x-egret-verdict: blackhole\r\n"), "{reply}");
            let entry = format!(
                "REGISTRY_ONLY; a ServiceEntry with address {} and port {} of protocol TCP allows it\n",
                to.ip(),
                to.port()
            );
            assert!(reply.ends_with(&entry), "{reply}");
        }
        let line = &world.lines()[0];
        assert_eq!(
            (&line["response_code"], &line["route_name"]),
            (&502.into(), &"block_all".into())
        );
        let other = ask(
            &mut world.client(vip()),
            "GET / HTTP/1.1\r\nHost: b.test\r\n\r\n",
        )
        .await;
        assert!(other.ends_with("policy is REGISTRY_ONLY\n"), "{other}");
    });
}

#[test]
fn a_route_takes_our_own_headers_out() {
    worker(|| async {
        let (address, _) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let ours = "headers: {response: {remove: [server, x-envoy-upstream-service-time, x-egret-verdict]}}";
        let to = |host: &str| format!("route: [{{destination: {{host: {host}}}}}], {ours}");
        let world = World::with(
            &[
                service("a", "HTTP", &[address]),
                rule("a", &to("a.test")),
                service("b", "HTTP", &[]),
                rule("b", &to("b.test")),
                service("c", "HTTP", &[]),
                rule("c", &format!("directResponse: {{status: 200}}, {ours}")),
            ]
            .concat(),
        );
        for (host, status) in [("a", 200), ("b", 503), ("c", 200)] {
            let request = format!("GET / HTTP/1.1\r\nHost: {host}.test\r\n\r\n");
            let reply = ask(&mut world.client(vip()), &request).await;
            assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
            for name in ["server:", "service-time", "verdict"] {
                assert!(!reply.contains(name), "{host}: {reply}");
            }
        }
    });
}

#[test]
fn scheme_matches_see_the_requests_own_scheme() {
    worker(|| async {
        let world = World::with(
            &(service("a", "HTTP", &[vip()])
                + &rule(
                    "a",
                    "match: [{scheme: {exact: https}}], directResponse: {status: 200}",
                )),
        );
        let mut sender = sender::<Empty<Bytes>>(&world).await;
        for (scheme, forwarded, status) in [
            ("https", None, 200),
            ("http", None, 404),
            ("http", Some("https"), 404),
            ("https", Some("http"), 200),
        ] {
            let mut request = Request::get(format!("{scheme}://a.test/"));
            if let Some(forwarded) = forwarded {
                request = request.header("x-forwarded-proto", forwarded);
            }
            let request = request.body(Empty::new()).expect("request");
            let response = sender.send_request(request).await.expect("response");
            assert_eq!(response.status(), status, "{scheme} {forwarded:?}");
        }
        // HTTP/1 has no scheme of its own, but in a URL.
        for (target, status) in [("/", 200), ("http://a.test/", 404)] {
            let request = format!(
                "GET {target} HTTP/1.1\r\nHost: a.test\r\nx-forwarded-proto: https\r\n\r\n"
            );
            let reply = ask(&mut world.client(vip()), &request).await;
            assert!(
                reply.starts_with(&format!("HTTP/1.1 {status} ")),
                "{target}: {reply}"
            );
        }
    });
}

#[test]
fn a_grpc_call_whose_time_is_over_exceeded_its_deadline() {
    worker(|| async {
        let (address, _) = origin(async |stream, _| {
            let mut connection = h2::server::handshake(stream).await.expect("handshake");
            let mut held = Vec::new();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                if request.uri().path() == "/begins" {
                    held.push(
                        respond
                            .send_response(Response::new(()), false)
                            .expect("sent"),
                    );
                } else {
                    respond.send_reset(h2::Reason::CANCEL);
                }
            }
        })
        .await;
        let world = World::with(&service("a", "GRPC", &[address]));
        let mut sender = sender(&world).await;
        let mut request = grpc("a.test", Some("20m"));
        *request.uri_mut() = "http://a.test/begins".parse().expect("uri");
        let response = sender.send_request(request).await.expect("response");
        let body = response.into_body().collect().await.expect("body");
        let trailers = body.trailers().expect("trailers").clone();
        assert_eq!(trailers["grpc-status"], "4");
        // Until then, an upstream that breaks off is unavailable.
        let response = sender.send_request(grpc("a.test", Some("1H"))).await;
        let response = response.expect("response");
        assert_eq!(response.headers()["grpc-status"], "14");
    });
}

#[tokio::test(start_paused = true)]
async fn what_an_upstream_ends_at_the_deadline_is_late() {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
    let reset = Failure::new(Cause::StreamReset, "");
    assert!(!answer::is_late(&reset, Some(deadline)));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(answer::is_late(&reset, Some(deadline)) && !answer::is_late(&reset, None));
    let refused = Failure::from(egret_config::decide::verdict::Refusal::Blackhole);
    assert!(
        !answer::is_late(&refused, Some(deadline)),
        "not for its time"
    );
    let mut headers = HeaderMap::new();
    answer::tell_late(&mut headers);
    assert_eq!(headers["grpc-status"], "4");
}
