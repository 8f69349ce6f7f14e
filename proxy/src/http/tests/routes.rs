//! What routes ask for: mirrors, CORS, header changes of our own answers.

use std::sync::Arc;

use crate::http::tests::world::*;

#[test]
fn a_mirror_gets_a_copy() {
    worker(|| async {
        let (address, _) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let (sent, mut copies) = tokio::sync::mpsc::unbounded_channel();
        let (mirror, _) = origin(move |mut stream, _| {
            let sent = sent.clone();
            async move {
                while let Some(request) = message(&mut stream).await {
                    answer(&mut stream, "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await;
                    sent.send(request).expect("taken");
                }
            }
        })
        .await;
        let world = World::with(&format!(
            "{}{}{}",
            service("a", "HTTP", &[address]),
            service("b", "HTTP", &[mirror]),
            rule(
                "a",
                "route: [{destination: {host: a.test}}], mirrors: [{destination: {host: b.test}, percentage: {value: 100}}], headers: {request: {set: {x-set: by-route}}}"
            ),
        ));
        let mut client = world.client(vip());
        for body in ["", "abc"] {
            let request = format!(
                "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let response = ask(&mut client, &request).await;
            assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
            let copy = copies.recv().await.expect("a copy");
            assert!(copy.starts_with("POST /x HTTP/1.1\r\n"), "{copy}");
            assert!(copy.ends_with(&format!("\r\n\r\n{body}")), "{copy}");
            for part in [
                "Host: a.test\r\n",
                "x-set: by-route\r\n",
                "x-envoy-internal: true\r\n",
                "x-forwarded-for: 127.0.0.1\r\n",
            ] {
                assert!(copy.contains(part), "{part} in {copy}");
            }
        }
    });
}

#[test]
fn a_mirror_of_nothing_gets_nothing() {
    let cluster = cluster(&[]);
    let mirrors = [
        (Arc::clone(&cluster), 0),
        (Arc::clone(&cluster), 500_000),
        (cluster, 1_000_000),
    ];
    assert_eq!(
        crate::http::mirror::struck(&mirrors, &mut |_| 500_000).len(),
        1
    );
    assert_eq!(
        crate::http::mirror::struck(&mirrors, &mut |_| 499_999).len(),
        2
    );
}

#[test]
fn preflights_are_answered_and_answers_marked() {
    worker(|| async {
        let (address, accepted) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let world = World::with(&format!(
            "{}{}",
            service("a", "HTTP", &[address]),
            rule(
                "a",
                "route: [{destination: {host: a.test}}], corsPolicy: {allowOrigins: [{exact: 'http://page.test'}], allowMethods: [PUT]}"
            ),
        ));
        let mut client = world.client(vip());
        let preflight = "OPTIONS /x HTTP/1.1\r\nHost: a.test\r\nOrigin: http://page.test\r\nAccess-Control-Request-Method: PUT\r\n\r\n";
        let response = ask(&mut client, preflight).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        assert!(
            response.contains("access-control-allow-methods: PUT\r\n"),
            "{response}"
        );
        assert_eq!(accepted.get(), 0);
        let response = ask(
            &mut client,
            "GET / HTTP/1.1\r\nHost: a.test\r\nOrigin: http://page.test\r\n\r\n",
        )
        .await;
        assert!(
            response.contains("access-control-allow-origin: http://page.test\r\n"),
            "{response}"
        );
        assert_eq!(world.lines()[0]["response_code_details"], "cors_response");
    });
}

#[test]
fn policies_count_where_nothing_is_sent_on() {
    worker(|| async {
        let world = World::with(&format!(
            "{}{}",
            service("a", "HTTP", &[]),
            rule(
                "a",
                "match: [{uri: {prefix: /answered}}], directResponse: {status: 200}, corsPolicy: &cors {allowOrigins: [{exact: 'http://page.test'}], allowMethods: [PUT]}}, \
                 {match: [{uri: {prefix: /sent-away}}], redirect: {uri: /}, corsPolicy: *cors}, \
                 {match: [{uri: {prefix: /aborted}}], route: [{destination: {host: nobody.test}}], fault: {abort: {httpStatus: 418, percentage: {value: 100}}}}, \
                 {route: [{destination: {host: nobody.test}}], corsPolicy: *cors, headers: {response: {set: {x-set: here}}}"
            ),
        ));
        let mut client = world.client(vip());
        let head = "Host: a.test\r\nOrigin: http://page.test\r\n";
        for (path, status) in [("/answered", 200), ("/sent-away", 301), ("/missing", 503)] {
            let asked = format!(
                "OPTIONS {path} HTTP/1.1\r\n{head}Access-Control-Request-Method: PUT\r\n\r\n"
            );
            let response = ask(&mut client, &asked).await;
            assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
            let response = ask(&mut client, &format!("GET {path} HTTP/1.1\r\n{head}\r\n")).await;
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status} "))
                    && response.contains("access-control-allow-origin: http://page.test\r\n"),
                "{response}"
            );
            assert_eq!(
                response.contains("x-set: here\r\n"),
                status == 503,
                "{response}"
            );
        }
        let response = ask(&mut client, "GET /aborted HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        assert!(response.starts_with("HTTP/1.1 418 "), "{response}");
    });
}

#[test]
fn the_mesh_says_which_headers_are_ours() {
    worker(|| async {
        let (address, _) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                for absent in [
                    "x-request-id",
                    "attempt-count",
                    "expected-rq-timeout",
                    "original-path",
                    "x-forwarded-client-cert",
                ] {
                    assert!(!request.contains(absent), "{request}");
                }
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let config = format!(
            "{}{}",
            service("a", "HTTP", &[address]),
            rule(
                "a",
                "route: [{destination: {host: a.test}}], timeout: 5s, match: [{uri: {prefix: /x}}], rewrite: {uri: /y}"
            ),
        );
        let mesh = "defaultConfig: {proxyHeaders: {server: {disabled: true}, requestId: {disabled: true}, attemptCount: {disabled: true}, envoyDebugHeaders: {disabled: true}}}";
        let world = World::with_mesh(mesh, &config);
        let request =
            "GET /x HTTP/1.1\r\nHost: a.test\r\nx-forwarded-client-cert: Subject=me\r\n\r\n";
        let response = ask(&mut world.client(vip()), request).await;
        assert!(response.contains("server: nginx\r\n"), "{response}");
        assert!(!response.contains("upstream-service-time"), "{response}");
        let mesh = "defaultConfig: {proxyHeaders: {server: {value: front}, requestId: {disabled: true}, attemptCount: {disabled: true}, envoyDebugHeaders: {disabled: true}}}";
        let world = World::with_mesh(mesh, &config);
        let response = ask(&mut world.client(vip()), request).await;
        assert!(response.contains("server: front\r\n"), "{response}");
    });
}
