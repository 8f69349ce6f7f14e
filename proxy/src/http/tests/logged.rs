//! What formats of the access log say of whole exchanges.

use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::http::tests::details::say;
use crate::http::tests::world::*;

#[test]
fn a_rewritten_request_is_logged_as_it_was_sent_and_as_it_came() {
    worker(|| async {
        let (to, _) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                assert!(request.starts_with("GET /new?q HTTP/1.1\r\n"), "{request}");
                answer(
                    &mut stream,
                    "HTTP/1.1 200 OK\r\nx-b: 1\r\nx-b: 2\r\ncontent-length: 2\r\n\r\nhi",
                )
                .await;
            }
        })
        .await;
        let route = rule(
            "a",
            "rewrite: {uri: /new, authority: new.test}, headers: {request: {set: {x-added: yes}}}, route: [{destination: {host: a.test}}]",
        );
        let route = route.replace(
            "http: [{rewrite",
            "http: [{match: [{uri: {prefix: /old}}], rewrite",
        );
        let world = World::with(&(service("a", "HTTP", &[to]) + &route));
        world.log_as(json!({
            "path": "%REQ(:PATH)%", "original": "%PATH(WQ:ORIG)%", "either": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
            "host": "%REQ(:AUTHORITY)%", "came": "%REQUESTED_SERVER_NAME(HOST_FIRST)%", "added": "%REQ(x-added)%",
            "count": "%REQ(x-envoy-attempt-count)%", "none": "%REQ(x-none)%", "x-a": "%REQ(X-A)%",
            "response": "%RESP(x-b)%", "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "spoken": "%UPSTREAM_PROTOCOL%",
            "received": "%REQUEST_DURATION%", "sent": "%REQUEST_TX_DURATION%", "answered": "%RESPONSE_DURATION%",
            "passed_on": "%RESPONSE_TX_DURATION%", "ready": "%UPSTREAM_CONNECTION_POOL_READY_DURATION%",
            "wire": "%DOWNSTREAM_WIRE_BYTES_RECEIVED%", "local": "%LOCAL_REPLY_BODY%",
        }));
        let mut client = world.client(vip());
        let request = "GET /old?q HTTP/1.1\r\nHost: a.test:80\r\nx-a: 1\r\nx-a: 2\r\n\r\n";
        ask(&mut client, request).await;
        tokio::task::yield_now().await;
        let lines = world.lines();
        let [line] = &lines[..] else {
            panic!("{lines:?}")
        };
        for (key, expected) in [
            ("path", json!("/new?q")),
            ("original", json!("/old?q")),
            ("either", json!("/old?q")),
            ("host", json!("new.test")),
            ("came", json!("a.test:80")),
            ("added", json!("yes")),
            ("count", json!("1")),
            ("none", json!(null)),
            ("x-a", json!("1")),
            ("response", json!("1")),
            ("attempts", json!(1)),
            ("spoken", json!("HTTP/1.1")),
            ("wire", json!(request.len())),
            ("local", json!("")),
        ] {
            assert_eq!(line[key], expected, "{key} of {line}");
        }
        for key in ["received", "sent", "answered", "passed_on", "ready"] {
            assert!(line[key].is_u64(), "{key} of {line}");
        }
    });
}

#[test]
fn a_local_reply_and_a_refusal_have_their_bodies_and_no_endpoint() {
    worker(|| async {
        let route = rule("a", "directResponse: {status: 418, body: {string: teapot}}");
        let world = World::with_mesh(
            "outboundTrafficPolicy: {mode: REGISTRY_ONLY}",
            &(service("a", "HTTP", &[vip()]) + &route),
        );
        world.log_as(json!({
            "body": "%LOCAL_REPLY_BODY%", "type": "%RESP(content-type)%", "verdict": "%EGRET_VERDICT%",
            "reasons": "%EGRET_REASONS%", "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "host": "%UPSTREAM_HOST%",
            "sent": "%REQUEST_TX_DURATION%", "log": "%ACCESS_LOG_TYPE%",
        }));
        for (host, body, verdict) in [
            ("a.test", "teapot", "direct_response"),
            ("unknown.test", "REGISTRY_ONLY", "blackhole"),
        ] {
            let mut client = world.client(vip());
            ask(
                &mut client,
                &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            )
            .await;
            tokio::task::yield_now().await;
            let lines = world.lines();
            let line = lines.last().expect("a line");
            assert!(
                line["body"]
                    .as_str()
                    .is_some_and(|text| text.contains(body)),
                "{line}"
            );
            assert_eq!(
                (&line["verdict"], &line["type"]),
                (&json!(verdict), &json!("text/plain"))
            );
            assert!(
                line["reasons"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{line}"
            );
            assert_eq!(
                (&line["attempts"], &line["host"], &line["sent"]),
                (&json!(0), &json!(null), &json!(null))
            );
            assert_eq!(line["log"], "DownstreamEnd");
        }
    });
}

#[test]
fn trailers_tell_the_status_of_a_grpc_call() {
    worker(|| async {
        let (to, _) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n";
                answer(&mut stream, &format!("{head}0\r\ngrpc-status: 4\r\nx-t: end\r\n\r\n")).await;
            }
        })
        .await;
        let world = World::new();
        world.log_as(json!({
            "status": "%GRPC_STATUS(SNAKE_STRING)%", "number": "%GRPC_STATUS_NUMBER%", "trailer": "%TRAILER(x-t)%",
            "bytes": "%RESPONSE_TRAILERS_BYTES%",
        }));
        let mut client = world.client(to);
        let head = "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 0\r\n";
        for (kind, expected) in [
            (
                "application/grpc",
                json!({"status": "DEADLINE_EXCEEDED", "number": 4, "trailer": "end", "bytes": 18}),
            ),
            (
                "text/plain",
                json!({"status": null, "number": null, "trailer": "end", "bytes": 18}),
            ),
        ] {
            say(&mut client, format!("{head}content-type: {kind}\r\n\r\n")).await;
            let mut read = Vec::new();
            while !read.ends_with(b"x-t: end\r\n\r\n") {
                read.push(client.read_u8().await.expect("a response"));
            }
            tokio::task::yield_now().await;
            assert_eq!(world.lines().last(), Some(&expected), "{kind}");
        }
    });
}
