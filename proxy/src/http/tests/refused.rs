//! Requests that are not sent on, or not as they came.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::tests::world::*;

#[test]
fn what_cannot_be_sent_on_is_refused() {
    worker(|| async {
        let world = World::new();
        let (to, accepted) = origin(async |_, _| {}).await;
        for (request, status, verdict) in [
            ("GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
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
            (
                told(400, "DPE"),
                told(400, "-"),
                told(404, "NR"),
                told(403, "-"),
            ),
            (2, 1, 1, 1),
            "{lines:#?}"
        );
        assert_eq!(accepted.get(), 0);
    });
}

#[test]
fn codings_and_schemes_that_are_not_ours_are_refused() {
    worker(|| async {
        let world = World::new();
        let (to, accepted) = origin(async |_, _| {}).await;
        let many = format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "x: 1\r\n".repeat(101)
        );
        let large = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n",
            "x".repeat(70_000)
        );
        for (request, status) in [
            ("GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 403),
            ("GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                501,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
                501,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx",
                400,
            ),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
            (&many, 431),
            (&large, 431),
        ] {
            let mut client = world.client(to);
            // It may be refused before it is read whole.
            let _ = client.write_all(request.as_bytes()).await;
            let response = message(&mut client).await.expect("an answer");
            let shown = &request[..request.len().min(80)];
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status} ")),
                "{shown}{response}"
            );
            assert!(
                response.to_lowercase().contains("connection: close\r\n"),
                "{shown}{response}"
            );
        }
        assert_eq!(accepted.get(), 0);
    });
}

#[test]
fn a_body_that_is_none_is_a_bad_request() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            stream.read_to_end(&mut Vec::new()).await.expect("closed");
        })
        .await;
        let head = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        for body in ["zz\r\nabc\r\n", "1\r\nabc\r\n0\r\n\r\n"] {
            let response = ask(&mut world.client(to), &format!("{head}{body}")).await;
            assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
            assert!(
                response.contains("x-egret-verdict: bad_request\r\n"),
                "{response}"
            );
        }
        assert_eq!(world.lines()[0]["response_flags"], "DPE");
    });
}
