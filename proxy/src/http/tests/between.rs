//! A connection between requests, where hyper is not there, and at its end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::tests::world::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// An origin that answers everything.
async fn willing() -> std::net::SocketAddr {
    let (to, _) = origin(async |mut stream, _| {
        while message(&mut stream).await.is_some() {
            answer(&mut stream, OK).await;
        }
    })
    .await;
    to
}

#[test]
fn a_request_is_served_however_it_comes() {
    worker(|| async {
        let world = World::new();
        let to = willing().await;
        let mut client = world.client(to);
        for pieces in [1, 2, 5, GET.len(), 1] {
            for piece in GET.as_bytes().chunks(GET.len().div_ceil(pieces)) {
                client.write_all(piece).await.expect("written");
                // So that each piece is read by itself.
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
            }
            let response = message(&mut client).await.expect("an answer");
            assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        }
        // Several at once, the last of which is not complete.
        let (begun, rest) = GET.split_at(20);
        let several = format!("\r\n{GET}{GET}{begun}");
        client.write_all(several.as_bytes()).await.expect("written");
        for _ in 0..2 {
            message(&mut client).await.expect("an answer");
        }
        client.write_all(rest.as_bytes()).await.expect("written");
        let response = message(&mut client).await.expect("an answer");
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        assert_eq!(world.lines().len(), 8);
    });
}

/// A request that crosses the close of its connection would be lost.
#[test]
fn a_drain_ends_connections_after_one_more_request() {
    worker(|| async {
        let world = World::new();
        let to = willing().await;
        let (mut idle, mut begun) = (world.client(to), world.client(to));
        ask(&mut idle, GET).await;
        ask(&mut begun, GET).await;
        ask(&mut begun, GET).await;
        begun.write_all(GET.as_bytes()).await.expect("written");
        world.proxy.drain.start();
        idle.write_all(GET.as_bytes()).await.expect("written");
        for client in [&mut begun, &mut idle] {
            let mut rest = String::new();
            client.read_to_string(&mut rest).await.expect("closed");
            assert!(
                rest.starts_with("HTTP/1.1 200 ") && rest.contains("connection: close\r\n"),
                "{rest}"
            );
        }
    });
}

#[test]
fn idle_connections_are_closed_at_the_end_of_a_drain() {
    worker(|| async {
        let world = World::new();
        let to = willing().await;
        let mut idle = world.client(to);
        ask(&mut idle, GET).await;
        world.proxy.drain.start();
        world.proxy.drain.close_idle();
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).await.expect("closed");
        assert!(rest.is_empty());
    });
}

#[test]
fn a_client_that_leaves_between_requests_is_let_go() {
    worker(|| async {
        let world = World::new();
        let to = willing().await;
        let mut client = world.client(to);
        ask(&mut client, GET).await;
        client.shutdown().await.expect("shutdown");
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("closed");
        assert!(rest.is_empty());
    });
}

#[test]
fn an_answer_reaches_a_client_that_is_still_sending() {
    worker(|| async {
        let world = World::with(
            "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: a, namespace: default}\nspec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}\n",
        );
        let length = 1 << 20;
        let mut client = world.client(([192, 0, 2, 1], 80).into());
        let head = format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n");
        // All of it is sent before a byte of the answer is read.
        client.write_all(head.as_bytes()).await.expect("written");
        client
            .write_all(&vec![b'x'; length])
            .await
            .expect("written");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("closed");
        assert!(
            answer.starts_with("HTTP/1.1 502 ") && answer.contains("connection: close\r\n"),
            "{answer}"
        );
    });
}

#[test]
fn a_request_whose_body_is_still_to_come_does_not_end_the_answer_before_it() {
    worker(|| async {
        let world = World::new();
        let to = willing().await;
        let mut client = world.client(to);
        let begun = format!("{GET}POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\n");
        let first = ask(&mut client, &begun).await;
        assert!(!first.contains("connection: close\r\n"), "{first}");
        let second = ask(&mut client, "body").await;
        assert!(second.starts_with("HTTP/1.1 200 "), "{second}");
    });
}
