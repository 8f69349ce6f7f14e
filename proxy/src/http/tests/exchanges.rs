//! One request and its answer over HTTP/1.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
            (&4.into(), &"UPE".into())
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

#[test]
fn what_is_odd_but_harmless_passes() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                let body = request.lines().next().unwrap_or_default().to_owned()
                    + " "
                    + request
                        .lines()
                        .find_map(|line| line.strip_prefix("Host: "))
                        .or_else(|| request.lines().find_map(|line| line.strip_prefix("host: ")))
                        .unwrap_or_default();
                let length = body.len();
                answer(
                    &mut stream,
                    &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"),
                )
                .await;
            }
        })
        .await;
        let many = format!(
            "GET /x HTTP/1.1\r\nHost: a.test\r\n{}\r\n",
            "x: 1\r\n".repeat(90)
        );
        let large = format!(
            "GET /x HTTP/1.1\r\nHost: a.test\r\nx: {}\r\n\r\n",
            "x".repeat(50_000)
        );
        for (request, seen) in [
            (&*many, "GET /x HTTP/1.1 a.test"),
            (&*large, "GET /x HTTP/1.1 a.test"),
            (
                "GET /x HTTP/1.1\nHost: a.test\n\n",
                "GET /x HTTP/1.1 a.test",
            ),
            (
                "\r\n\nGET /x HTTP/1.1\r\nHost:\r\n a.test\r\n\r\n",
                "GET /x HTTP/1.1 a.test",
            ),
            (
                "get /x HTTP/1.1\r\nHost: a.test\r\n\r\n",
                "get /x HTTP/1.1 a.test",
            ),
            (
                "GET http://b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
                "GET /x HTTP/1.1 b.test",
            ),
            (
                "GET http://u:p@b.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
                "GET / HTTP/1.1 b.test",
            ),
            (
                "GET /x#part HTTP/1.1\r\nHost: a.test\r\n\r\n",
                "GET /x HTTP/1.1 a.test",
            ),
            (
                "GET /a\\b/../c HTTP/1.1\r\nHost: a.test\r\n\r\n",
                "GET /a/c HTTP/1.1 a.test",
            ),
            (
                "GET /x HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
                "GET /x HTTP/1.1 a.test,b.test",
            ),
            (
                "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n",
                "OPTIONS * HTTP/1.1 a.test",
            ),
            (
                "BREW /pot HTTP/1.1\r\nHost: a.test\r\n\r\n",
                "BREW /pot HTTP/1.1 a.test",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n",
                "GET / HTTP/1.1 a.test",
            ),
        ] {
            let response = ask(&mut world.client(to), request).await;
            assert!(response.starts_with("HTTP/1.1 200 "), "{request}{response}");
            assert!(response.ends_with(seen), "{request}{response}");
        }
    });
}

#[test]
fn http10_is_spoken_on_both_sides() {
    worker(|| async {
        let world = World::new();
        // An origin that says neither how long its answer is nor that it stays.
        let (to, accepted) = origin(async |mut stream, _| {
            let request = message(&mut stream).await.expect("a request");
            assert!(request.starts_with("GET / HTTP/1.1\r\n"), "{request}");
            answer(&mut stream, "HTTP/1.0 200 OK\r\n\r\nto the end").await;
        })
        .await;
        for (request, kept) in [
            ("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n", false),
            // Nobody said whom it is for; the connection does.
            ("GET / HTTP/1.0\r\n\r\n", false),
        ] {
            let mut client = world.client(to);
            client.write_all(request.as_bytes()).await.expect("written");
            let mut all = String::new();
            client.read_to_string(&mut all).await.expect("closed");
            assert!(
                all.starts_with("HTTP/1.0 200 ") && all.ends_with("\r\n\r\nto the end"),
                "{all}"
            );
            assert!(!kept && !all.contains("transfer-encoding"), "{all}");
        }
        assert_eq!(accepted.get(), 2);
        let (to, accepted) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let mut client = world.client(to);
        for _ in 0..2 {
            let request = "GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n";
            let response = ask(&mut client, request).await;
            assert!(
                response
                    .to_lowercase()
                    .contains("connection: keep-alive\r\n"),
                "{response}"
            );
        }
        assert_eq!(accepted.get(), 1);
    });
}

#[test]
fn early_hints_pass() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            message(&mut stream).await.expect("a request");
            answer(
                &mut stream,
                "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n",
            )
            .await;
            // The final answer waits until the hint has gone all the way.
            message(&mut stream).await;
        })
        .await;
        let mut client = world.client(to);
        let hints = ask(&mut client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        assert_eq!(hints, "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
    });
}
