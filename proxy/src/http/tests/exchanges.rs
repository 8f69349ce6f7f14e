//! One request and its answer over HTTP/1.

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

use crate::http::tests::world::*;

#[test]
fn a_request_passes_and_is_told() {
    worker(|| async {
        let world = World::new();
        let (to, accepted) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                assert!(request.starts_with("POST /b HTTP/1.1\r\n"), "{request}");
                assert!(request.contains("X-Spelled: As-Is\r\n"), "{request}");
                assert!(
                    request.contains("x-envoy-attempt-count: 1\r\n"),
                    "{request}"
                );
                assert!(request.contains("x-forwarded-proto: http\r\n"), "{request}");
                assert!(!request.to_lowercase().contains("keep-alive"), "{request}");
                assert!(request.ends_with("\r\n\r\nabc"), "{request}");
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let mut client = world.client(to);
        for _ in 0..3 {
            let response = ask(
                &mut client,
                "POST /a/../b HTTP/1.1\r\nHost: a.test\r\nX-Spelled: As-Is\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
            )
            .await;
            assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
            assert!(
                response.contains("server: egret\r\n") && !response.contains("nginx"),
                "{response}"
            );
            assert!(response.contains("X-Case: Kept\r\n"), "{response}");
            assert!(
                response.contains("x-envoy-upstream-service-time: "),
                "{response}"
            );
            assert!(response.contains("date: "), "{response}");
            assert!(response.ends_with("\r\n\r\nhi"), "{response}");
        }
        assert_eq!(accepted.get(), 1, "the connection is used again");
        let lines = world.lines();
        assert_eq!(lines.len(), 3);
        let line = &lines[2];
        assert_eq!(line["response_code"], 200);
        assert_eq!(line["response_flags"], "-");
        assert_eq!(line["response_code_details"], "via_upstream");
        assert_eq!(line["upstream_cluster"], "PassthroughCluster");
        assert_eq!(line["upstream_host"], to.to_string());
        assert_eq!(line["authority"], "a.test");
        assert_eq!(line["method"], "POST");
        assert_eq!(
            (&line["bytes_received"], &line["bytes_sent"]),
            (&3.into(), &2.into())
        );
        assert!(line["request_id"].is_string() && line["x_forwarded_for"].is_null());
    });
}

#[test]
fn a_connection_closed_while_idle_costs_nobody_an_error() {
    worker(|| async {
        let world = World::new();
        // Each connection answers once, promises to stay, and closes.
        let (to, accepted) = origin(async |mut stream, _| {
            if message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let mut client = world.client(to);
        for _ in 0..50 {
            let response = ask(&mut client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
            assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        }
        assert_eq!(accepted.get(), 50);
    });
}

#[test]
fn a_connection_that_dies_under_a_safe_request_is_replaced() {
    worker(|| async {
        let world = World::new();
        // The first connection answers one request and swallows the next.
        let (to, accepted) = origin(async |mut stream, number| {
            message(&mut stream).await.expect("a request");
            answer(&mut stream, OK).await;
            message(&mut stream).await.expect("another request");
            if number > 0 {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let mut client = world.client(to);
        for _ in 0..2 {
            let response = ask(&mut client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
            assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        }
        assert_eq!(accepted.get(), 2);
        let response = ask(
            &mut client,
            "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx",
        )
        .await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    });
}

#[test]
fn what_cannot_be_sent_on_is_refused() {
    worker(|| async {
        let world = World::new();
        let (to, accepted) = origin(async |_, _| {}).await;
        for (request, status, verdict) in [
            ("GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                400,
                "bad_request",
            ),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_request"),
            (
                "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
                404,
                "no_route",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: irc\r\n\r\n",
                403,
                "upgrade_refused",
            ),
        ] {
            let response = ask(&mut world.client(to), request).await;
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request}{response}"
            );
            assert!(
                response.contains(&format!("x-egret-verdict: {verdict}\r\n")),
                "{response}"
            );
        }
        // hyper's own refusals are told as well.
        let mut client = world.client(to);
        let response = ask(&mut client, "GET / HTTP/1.1\r\nHost : a\r\n\r\n").await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
        client.read_to_end(&mut Vec::new()).await.expect("closed");
        let lines = world.lines();
        let told = |code: u16, flag: &str| {
            lines
                .iter()
                .filter(|line| line["response_code"] == code && line["response_flags"] == flag)
                .count()
        };
        assert_eq!(
            (told(400, "DPE"), told(404, "NR"), told(403, "-")),
            (4, 1, 1),
            "{lines:#?}"
        );
        assert_eq!(accepted.get(), 0);
    });
}

#[test]
fn a_head_has_no_body_and_a_broken_body_is_told() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            let Some(request) = message(&mut stream).await else {
                return;
            };
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
            let body = if request.starts_with("HEAD") {
                ""
            } else {
                "half"
            };
            answer(&mut stream, &format!("{head}{body}")).await;
            if request.starts_with("HEAD") {
                message(&mut stream).await;
            }
        })
        .await;
        let mut client = world.client(to);
        client
            .write_all(b"HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            .await
            .expect("written");
        let mut head = vec![0; 4096];
        let count = client.read(&mut head).await.expect("read");
        let head = String::from_utf8_lossy(&head[..count]).into_owned();
        assert!(
            head.contains("content-length: 10\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        drop(client);

        let mut client = world.client(to);
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            .await
            .expect("written");
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.expect("closed");
        assert!(String::from_utf8_lossy(&all).ends_with("\r\n\r\nhalf"));
        let lines = world.lines();
        assert_eq!(lines[0]["method"], "HEAD");
        assert_eq!(
            (&lines[0]["bytes_sent"], &lines[0]["response_flags"]),
            (&0.into(), &"-".into())
        );
        assert_eq!(
            (&lines[1]["bytes_sent"], &lines[1]["response_flags"]),
            (&4.into(), &"UC".into())
        );
        assert_eq!(lines[1]["response_code"], 200);
    });
}

#[test]
fn a_websocket_becomes_a_relay() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            let request = message(&mut stream).await.expect("a request");
            assert!(request.to_lowercase().contains("connection: upgrade\r\n"), "{request}");
            assert!(request.to_lowercase().contains("upgrade: websocket\r\n"), "{request}");
            answer(&mut stream, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
            let (mut reader, mut writer) = stream.split();
            tokio::io::copy(&mut reader, &mut writer).await.expect("echoed");
        })
        .await;
        let mut client = world.client(to);
        let response = ask(
            &mut client,
            "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        .await;
        assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
        assert!(
            response.to_lowercase().contains("connection: upgrade\r\n"),
            "{response}"
        );
        client.write_all(b"ping").await.expect("written");
        let mut echo = [0; 4];
        client.read_exact(&mut echo).await.expect("echo");
        assert_eq!(&echo, b"ping");
        client.shutdown().await.expect("shutdown");
        client.read_to_end(&mut Vec::new()).await.expect("closed");
        let lines = world.lines();
        assert_eq!(lines[0]["response_code"], 101);
        assert_eq!(
            (&lines[0]["bytes_received"], &lines[0]["bytes_sent"]),
            (&4.into(), &4.into())
        );
    });
}
