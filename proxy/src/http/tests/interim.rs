//! Interim responses between clients and origins of either version of HTTP.

use std::future::Future;
use std::net::SocketAddr;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::task::spawn_local;

use crate::http::tests::world::*;

/// What a client of HTTP/2 heard.
#[derive(Debug)]
struct Heard {
    interim: Vec<Response<()>>,
    last: Response<h2::RecvStream>,
}

/// Sends a request over HTTP/2; `body` is sent after 100, or at once where nothing else is said.
async fn ask_two(world: &World, request: Request<()>, body: Option<&'static str>) -> Heard {
    let (sender, connection) = h2::client::handshake(world.client2(vip()))
        .await
        .expect("handshake");
    spawn_local(connection);
    let mut sender = sender.ready().await.expect("ready");
    let (mut response, mut stream) = sender
        .send_request(request, body.is_none())
        .expect("request");
    let mut interim = Vec::new();
    let last = std::future::poll_fn(|context| {
        loop {
            match response.poll_informational(context) {
                Poll::Ready(Some(said)) => {
                    let said = said.expect("an interim response");
                    if said.status() == StatusCode::CONTINUE {
                        let body = body.expect("only who waits is told to go on");
                        stream.send_data(body.into(), true).expect("sent");
                    }
                    interim.push(said);
                }
                Poll::Ready(None) => {
                    return std::pin::Pin::new(&mut response).poll(context);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
    .expect("a response");
    Heard { interim, last }
}

/// An origin of HTTP/2 that says `before`, then 200 once it has the whole request.
async fn origin_two(before: &'static [u16]) -> SocketAddr {
    let (address, _) = origin(move |stream, _| async move {
        let mut connection = h2::server::handshake(stream).await.expect("handshake");
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            for status in before {
                let mut interim = Response::new(());
                *interim.status_mut() = StatusCode::from_u16(*status).expect("a status");
                let link = "</a.css>".parse().expect("value");
                interim.headers_mut().insert("link", link);
                respond.send_informational(interim).expect("sent");
            }
            spawn_local(async move {
                let mut body = request.into_body();
                let mut all = Vec::new();
                while let Some(bytes) = body.data().await {
                    all.extend_from_slice(&bytes.expect("data"));
                }
                let mut response = Response::new(());
                let had = all.len().to_string().parse().expect("value");
                response.headers_mut().insert("x-had", had);
                respond.send_response(response, true).expect("sent");
            });
        }
    })
    .await;
    address
}

fn get() -> Request<()> {
    Request::get("http://a.test/").body(()).expect("request")
}

fn expecting() -> Request<()> {
    Request::post("http://a.test/")
        .header("expect", "100-continue")
        .body(())
        .expect("request")
}

fn statuses(heard: &Heard) -> Vec<u16> {
    let interim = heard.interim.iter();
    interim.map(|said| said.status().as_u16()).collect()
}

#[test]
fn hints_pass_from_http2_to_http2() {
    worker(|| async {
        let world = World::with(&service(
            "a",
            "HTTP2",
            &[origin_two(&[103, 102, 103]).await],
        ));
        let heard = ask_two(&world, get(), None).await;
        assert_eq!(statuses(&heard), [103, 102, 103]);
        assert_eq!(heard.interim[0].headers()["link"], "</a.css>");
        assert_eq!(heard.last.status(), 200);
    });
}

#[test]
fn hints_pass_from_http1_to_http2() {
    worker(|| async {
        let (one, _) = origin(async |mut stream, _| {
            message(&mut stream).await.expect("a request");
            answer(
                &mut stream,
                "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nconnection: close\r\n\r\n",
            )
            .await;
            answer(&mut stream, OK).await;
        })
        .await;
        let world = World::with(&service("a", "HTTP", &[one]));
        let heard = ask_two(&world, get(), None).await;
        assert_eq!(statuses(&heard), [103]);
        let headers: Vec<_> = heard.interim[0].headers().keys().collect();
        assert_eq!(headers, ["link"], "nothing of the connection");
        assert_eq!(heard.last.status(), 200);
    });
}

#[test]
fn hints_pass_from_http2_to_http1() {
    worker(|| async {
        let world = World::with(&service("a", "HTTP2", &[origin_two(&[103]).await]));
        let mut client = world.client(vip());
        let mut said = ask(&mut client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        while !said.contains("HTTP/1.1 200 ") {
            said += &ask(&mut client, "").await;
        }
        assert!(
            said.starts_with("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 200 "),
            "{said}"
        );
    });
}

#[test]
fn an_origin_of_http2_tells_clients_of_both_versions_to_go_on() {
    worker(|| async {
        let world = World::with(&service("a", "HTTP2", &[origin_two(&[100]).await]));
        let heard = ask_two(&world, expecting(), Some("abc")).await;
        assert_eq!(statuses(&heard), [100]);
        assert_eq!(heard.last.headers()["x-had"], "3");

        let mut client = world.client(vip());
        let request =
            "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        let interim = ask(&mut client, request).await;
        assert_eq!(interim, "HTTP/1.1 100 Continue\r\n\r\n");
        let response = ask(&mut client, "abc").await;
        assert!(response.contains("\r\nx-had: 3\r\n"), "{response}");
    });
}

#[test]
fn an_origin_of_http1_tells_a_client_of_http2_whether_to_go_on() {
    worker(|| async {
        let (one, _) = origin(async |mut stream, _| {
            let head = head(&mut stream).await;
            assert!(head.contains("expect: 100-continue\r\n"), "{head}");
            answer(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
            let mut body = [0; 13];
            stream.read_exact(&mut body).await.expect("a body");
            assert_eq!(&body, b"3\r\nabc\r\n0\r\n\r\n");
            answer(&mut stream, OK).await;
            let head = self::head(&mut stream).await;
            assert!(head.contains("expect: 100-continue\r\n"), "{head}");
            answer(&mut stream, "HTTP/1.1 417 No\r\ncontent-length: 0\r\n\r\n").await;
        })
        .await;
        let world = World::with(&service("a", "HTTP", &[one]));
        tokio::time::pause();
        let began = tokio::time::Instant::now();
        let heard = ask_two(&world, expecting(), Some("abc")).await;
        assert_eq!(statuses(&heard), [100]);
        assert_eq!(heard.last.status(), 200);
        let heard = ask_two(&world, expecting(), Some("abc")).await;
        assert!(heard.interim.is_empty());
        assert_eq!(heard.last.status(), 417);
        assert!(began.elapsed().is_zero(), "nobody waits");
    });
}

#[test]
fn an_origin_that_hints_without_end_fills_nobodys_memory() {
    worker(|| async {
        let (flood, _) = origin(async |stream, _| {
            let mut connection = h2::server::handshake(stream).await.expect("handshake");
            let Some(Ok((_, mut respond))) = connection.accept().await else {
                return;
            };
            for _ in 0..1000 {
                let mut headers = HeaderMap::new();
                let link = "x".repeat(1000).parse().expect("value");
                headers.insert("link", link);
                let mut interim = Response::new(());
                *interim.status_mut() = StatusCode::EARLY_HINTS;
                *interim.headers_mut() = headers;
                respond.send_informational(interim).expect("sent");
            }
            let response = Response::new(());
            respond.send_response(response, true).expect("sent");
            let _ = connection.accept().await;
        })
        .await;
        let world = World::with(&service("a", "HTTP2", &[flood]));
        let heard = ask_two(&world, get(), None).await;
        let count = heard.interim.len();
        assert!((10..17).contains(&count), "{count} hints of a kilobyte");
        assert_eq!(heard.last.status(), 200);
    });
}

/// The head of a request.
async fn head(stream: &mut tokio::net::TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    String::from_utf8_lossy(&head).to_lowercase()
}

#[test]
fn what_http2_itself_refuses_is_in_the_log() {
    worker(|| async {
        let world = World::with(&service("a", "HTTP", &[nobody().await]));
        let mut request = get();
        let long = "x".repeat(70_000).parse().expect("value");
        request.headers_mut().insert("x-long", long);
        let heard = ask_two(&world, request, None).await;
        assert_eq!(heard.last.status(), 431);
        let mut lines = world.lines();
        let line = lines.pop().expect("a line");
        assert_eq!(
            (&line["response_code"], &line["response_flags"]),
            (&431.into(), &"DPE".into())
        );

        let mut client = world.client2(vip());
        let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        // DATA on stream 0.
        let wrong = b"\0\0\0\x04\0\0\0\0\0\0\0\x01\0\0\0\0\0\0x";
        let bytes = [preface.as_bytes(), wrong].concat();
        tokio::io::AsyncWriteExt::write_all(&mut client, &bytes)
            .await
            .expect("written");
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("the end");
        tokio::task::yield_now().await;
        let line = world.lines().pop().expect("a line");
        assert_eq!(
            (
                &line["protocol"],
                &line["response_code"],
                &line["response_flags"],
                &line["response_code_details"]
            ),
            (
                &"HTTP/2".into(),
                &0.into(),
                &"DPE".into(),
                &"codec_error".into()
            )
        );
    });
}

#[test]
fn an_answer_without_a_body_ends_with_its_head() {
    worker(|| async {
        let (one, _) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                let said = match &request[..4] {
                    "HEAD" => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
                    _ => "HTTP/1.1 204 No Content\r\n\r\n",
                };
                answer(&mut stream, said).await;
            }
        })
        .await;
        let world = World::with(&service("a", "HTTP", &[one]));
        let head = Request::head("http://a.test/").body(()).expect("request");
        let heard = ask_two(&world, head, None).await;
        assert_eq!(heard.last.headers()["content-length"], "5");
        assert!(heard.last.headers().contains_key("date"));
        assert!(heard.last.body().is_end_stream());
        let heard = ask_two(&world, get(), None).await;
        assert_eq!(heard.last.status(), 204);
        assert!(!heard.last.headers().contains_key("content-length"));
        assert!(heard.last.body().is_end_stream());
        // Ours to a HEAD: the length of what a GET would get.
        let head = Request::head("http://nobody.test/").body(());
        let heard = ask_two(&world, head.expect("request"), None).await;
        assert!(heard.last.body().is_end_stream());
        let empty = heard.last.into_body().data().await;
        assert_eq!(empty.transpose().expect("no reset"), None::<Bytes>);
    });
}
