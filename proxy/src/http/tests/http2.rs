//! HTTP/2 on either side.

use std::convert::Infallible;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use egret_config::decide::call::HttpVersion;
use egret_config::port::Protocol;
use egret_config::snapshot::cluster::Cluster;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use crate::http::downstream::DownstreamConnection;
use crate::http::serve::serve;
use crate::life::files::FdBudget;
use crate::report::facts::DownstreamFacts;

use crate::http::tests::world::*;

#[test]
fn http2_clients_reach_http2_and_http1_origins() {
    worker(|| async {
        let world = World::new();
        let (one, _) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                assert!(request.starts_with("GET /x HTTP/1.1\r\n"), "{request}");
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let (two, accepted) = origin(async |stream, _| {
            let service = service_fn(async |request: Request<Incoming>| {
                assert_eq!(request.uri(), "http://a.test/x");
                assert_eq!(request.headers()["x-envoy-attempt-count"], "1");
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("two"))))
            });
            let serving = hyper::server::conn::http2::Builder::new(OnThisThread);
            serving
                .serve_connection(TokioIo::new(stream), service)
                .await
                .expect("served");
        })
        .await;
        let mut cluster_of_two = Cluster::clone(&cluster(&[two]));
        cluster_of_two.protocol = Protocol::Grpc;
        let cluster_of_two = Arc::new(cluster_of_two);
        for _ in 0..3 {
            let (status, _) = get_path(&world, &cluster_of_two, "/x").await;
            assert_eq!(status.expect("answered"), 200);
        }
        assert_eq!(accepted.get(), 1, "one connection carries them all");
        let (status, _) = get_path(&world, &cluster(&[one]), "/x").await;
        assert_eq!(status.expect("answered"), 200);

        // A client of the server side, passed on in its own protocol.
        let (client, server) = tokio::io::duplex(1 << 16);
        let downstream = DownstreamConnection {
            arrival: arrival(two),
            terminated: None,
            client_cert: None,
            facts: DownstreamFacts::default(),
        };
        spawn_local(serve(
            server,
            HttpVersion::Http2,
            Rc::new(downstream),
            Rc::clone(&world.proxy),
            FdBudget::new(2).try_hold().expect("room for one"),
        ));
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(OnThisThread)
            .handshake(TokioIo::new(client))
            .await
            .expect("handshake");
        spawn_local(connection);
        let request = Request::get("http://a.test/x")
            .body(Empty::<Bytes>::new())
            .expect("request");
        let response = sender.send_request(request).await.expect("response");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["server"]),
            (200, &"egret".parse().expect("value"))
        );
        assert_eq!(
            response
                .into_body()
                .collect()
                .await
                .expect("body")
                .to_bytes(),
            "two"
        );
        assert_eq!(world.lines().last().expect("a line")["protocol"], "HTTP/2");
    });
}

/// An HTTP/2 client of a world.
pub(super) async fn sender<B>(world: &World) -> hyper::client::conn::http2::SendRequest<B>
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + 'static,
{
    let client = TokioIo::new(world.client2(vip()));
    let (sender, connection) = hyper::client::conn::http2::Builder::new(OnThisThread)
        .handshake(client)
        .await
        .expect("handshake");
    spawn_local(connection);
    sender
}

#[test]
fn a_connection_that_carries_nothing_ends_within_the_hour() {
    worker(|| async {
        let world = World::new();
        let client = TokioIo::new(world.client2(vip()));
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(OnThisThread)
            .handshake(client)
            .await
            .expect("handshake");
        tokio::time::pause();
        let began = tokio::time::Instant::now();
        let ended = spawn_local(connection);
        let half_an_hour = Duration::from_secs(30 * 60);
        tokio::time::advance(half_an_hour).await;
        let response = sender.send_request(grpc("nobody.test", None)).await;
        response.expect("the connection is there");
        ended.await.expect("no panic").expect("a good end");
        let hour = 2 * half_an_hour;
        let lasted = began.elapsed();
        assert!(
            (half_an_hour + hour..2 * hour).contains(&lasted),
            "an hour after its last use, but after {lasted:?}"
        );
    });
}

pub(super) fn grpc(host: &str, timeout: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = Request::post(format!("http://{host}/service/Method"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    request
        .body(Full::new(Bytes::from("message")))
        .expect("request")
}

fn header<B>(response: &Response<B>, name: &str) -> String {
    let value = response.headers().get(name);
    value.map_or_else(String::new, |value| {
        value.to_str().expect("text").to_owned()
    })
}

#[test]
fn a_grpc_client_is_told_in_its_own_way() {
    worker(|| async {
        let (silent, _) = origin(async |stream, _| {
            let mut connection = h2::server::handshake(stream).await.expect("handshake");
            let mut held = Vec::new();
            while let Some(Ok(call)) = connection.accept().await {
                assert_eq!(call.0.headers()["grpc-timeout"], "20m");
                held.push(call);
            }
        })
        .await;
        let world = World::with_mesh(
            "outboundTrafficPolicy: {mode: REGISTRY_ONLY}",
            &format!(
                "{}{}{}",
                service("a", "GRPC", &[silent]),
                service("b", "GRPC", &[]),
                rule(
                    "c",
                    "match: [{uri: {prefix: /service}}], directResponse: {status: 200, body: {string: 'no: 100%'}}"
                )
            ),
        );
        let mut sender = sender(&world).await;
        for (host, timeout, status, message, verdict) in [
            (
                "unknown.test",
                None,
                "14",
                "no service is registered for this host and the outbound policy is REGISTRY_ONLY",
                "blackhole",
            ),
            ("b.test", None, "14", "no healthy upstream", "no_endpoint"),
            (
                "a.test",
                Some("20m"),
                "4",
                "upstream request timeout",
                "timeout",
            ),
            ("c.test", None, "2", "no: 100%25", ""),
        ] {
            let response = sender
                .send_request(grpc(host, timeout))
                .await
                .expect("response");
            assert_eq!(response.status(), 200);
            assert_eq!(header(&response, "content-type"), "application/grpc");
            assert_eq!(header(&response, "grpc-status"), status, "{host}");
            assert_eq!(header(&response, "grpc-message"), message);
            assert_eq!(header(&response, "x-egret-verdict"), verdict);
            let body = response.into_body().collect().await.expect("body");
            assert!(body.to_bytes().is_empty());
        }
    });
}

#[test]
fn requests_at_once_share_one_connection() {
    worker(|| async {
        let (address, accepted) = origin(async |stream, _| {
            let service = service_fn(async |_: Request<Incoming>| {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("two"))))
            });
            let serving = hyper::server::conn::http2::Builder::new(OnThisThread);
            let _ = serving
                .serve_connection(TokioIo::new(stream), service)
                .await;
        })
        .await;
        let world = World::with(&service("a", "HTTP2", &[address]));
        let sender = sender::<Full<Bytes>>(&world).await;
        let calls = (0..50).map(|_| {
            let mut sender = sender.clone();
            async move {
                let request = Request::get("http://a.test/").body(Full::default());
                let response = sender.send_request(request.expect("request")).await;
                response.expect("response").status().as_u16()
            }
        });
        let statuses = futures_util::future::join_all(calls).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        assert_eq!(accepted.get(), 1);
    });
}

#[test]
fn a_stream_that_was_refused_is_tried_again_with_its_body() {
    worker(|| async {
        let (address, accepted) = origin(async |stream, _| {
            let mut connection = h2::server::handshake(stream).await.expect("handshake");
            let mut number = 0;
            while let Some(call) = connection.accept().await {
                let (request, mut respond) = call.expect("a request");
                number += 1;
                if number == 1 {
                    respond.send_reset(h2::Reason::REFUSED_STREAM);
                    continue;
                }
                assert_eq!(request.headers()["x-envoy-attempt-count"], "2");
                spawn_local(async move {
                    let mut body = request.into_body();
                    let mut all = Vec::new();
                    while let Some(piece) = body.data().await {
                        all.extend_from_slice(&piece.expect("data"));
                    }
                    assert_eq!(all, b"message");
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", "0".parse().expect("value"));
                    let mut stream = respond
                        .send_response(Response::new(()), false)
                        .expect("sent");
                    stream.send_data("answer".into(), false).expect("sent");
                    stream.send_trailers(trailers).expect("sent");
                });
            }
        })
        .await;
        let world = World::with(&service("a", "GRPC", &[address]));
        let response = sender(&world)
            .await
            .send_request(grpc("a.test", None))
            .await;
        let body = response
            .expect("response")
            .into_body()
            .collect()
            .await
            .expect("body");
        assert_eq!(body.trailers().expect("trailers")["grpc-status"], "0");
        assert_eq!(body.to_bytes(), "answer");
        assert_eq!(accepted.get(), 1);
        assert_eq!(world.lines()[0]["response_flags"], "-");
    });
}

#[test]
fn a_client_that_opens_and_resets_without_end_is_ended() {
    worker(|| async {
        let world = World::with(&service("a", "HTTP", &[nobody().await]));
        let (mut sender, connection) = h2::client::handshake(world.client2(vip()))
            .await
            .expect("handshake");
        let ended = spawn_local(connection);
        let mut streams = 0;
        // The greatest burst that the limit lets through is a multiple of it: some are looked at in between.
        while streams < 100_000 {
            sender = match sender.ready().await {
                Ok(sender) => sender,
                Err(_) => break,
            };
            for _ in 0..100 {
                let request = Request::get("http://a.test/").body(()).expect("request");
                let Ok((_, mut stream)) = sender.send_request(request, true) else {
                    break;
                };
                stream.send_reset(h2::Reason::CANCEL);
                streams += 1;
            }
            tokio::task::yield_now().await;
        }
        let error = ended
            .await
            .expect("joined")
            .expect_err("ended by the proxy");
        assert!(error.is_go_away() && error.is_remote(), "{error}");
        assert_eq!(error.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM));
    });
}
