//! HTTP/2 on either side.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use egret_config::decide::call::HttpVersion;
use egret_config::port::Protocol;
use egret_config::snapshot::cluster::Cluster;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::Empty;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use crate::http::caller::Caller;
use crate::http::serve::serve;
use crate::upstream::pool::OnThisThread;

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
        let caller = Caller {
            arrival: arrival(two),
            terminated: None,
        };
        spawn_local(serve(
            server,
            HttpVersion::Two,
            Rc::new(caller),
            Rc::clone(&world.proxy),
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
