//! Connections of HTTP/2 to upstreams: who waits for room on them, and when they end.

use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use crate::http::tests::http2::{grpc, sender};
use crate::http::tests::world::*;

#[test]
fn a_request_that_waits_for_room_goes_elsewhere_when_the_connection_ends() {
    worker(|| async {
        let held = Rc::new(tokio::sync::Notify::new());
        let broken = Rc::new(tokio::sync::Notify::new());
        let (told, told_to) = (Rc::clone(&held), Rc::clone(&broken));
        let (address, accepted) = origin(move |stream, number| {
            let (held, broken) = (Rc::clone(&told), Rc::clone(&told_to));
            async move {
                let mut connection = h2::server::Builder::new()
                    .max_concurrent_streams(1)
                    .handshake::<_, Bytes>(stream)
                    .await
                    .expect("handshake");
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    if number > 0 {
                        let response = Response::new(());
                        respond.send_response(response, true).expect("sent");
                        continue;
                    }
                    held.notify_one();
                    tokio::select! {
                        call = connection.accept() => panic!("{call:?} is one too many"),
                        () = broken.notified() => return,
                    }
                }
            }
        })
        .await;
        let world = World::with(&service("a", "HTTP2", &[address]));
        let sender = sender::<Full<Bytes>>(&world).await;
        let call = || {
            let mut sender = sender.clone();
            let request = Request::get("http://a.test/").body(Full::default());
            spawn_local(async move {
                let response = sender.send_request(request.expect("request")).await;
                response.expect("response").status().as_u16()
            })
        };
        let first = call();
        held.notified().await;
        let second = call();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        broken.notify_one();
        assert_eq!(first.await.expect("no panic"), 503, "it may have been read");
        assert_eq!(second.await.expect("no panic"), 200);
        assert_eq!(accepted.get(), 2);
    });
}

#[test]
fn a_connection_that_nobody_has_ends() {
    worker(|| async {
        let ended = Rc::new(tokio::sync::Notify::new());
        let told = Rc::clone(&ended);
        let (address, _) = origin(move |stream, _| {
            let ended = Rc::clone(&told);
            async move {
                let mut connection = h2::server::handshake(stream).await.expect("handshake");
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let response = Response::new(());
                    respond.send_response(response, true).expect("sent");
                }
                ended.notify_one();
            }
        })
        .await;
        let world = World::new();
        let client = TokioIo::new(world.client2(address));
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(OnThisThread)
            .handshake(client)
            .await
            .expect("handshake");
        spawn_local(connection);
        let response = sender.send_request(grpc("a.test", None)).await;
        assert_eq!(response.expect("response").status(), 200);
        world.proxy.clusters.passthrough().close_idle();
        ended.notified().await;
    });
}
