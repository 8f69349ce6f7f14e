//! Answers of origins that are not quite as they should be, and clients that have said all they had to say.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::tests::world::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// What a client gets when the origin gives this answer and ends the connection.
async fn got(world: &World, response: String) -> String {
    let (to, _) = origin(move |mut stream, _| {
        let response = response.clone();
        async move {
            message(&mut stream).await.expect("a request");
            // A client that is told of an error does not read the rest.
            let _ = stream.write_all(response.as_bytes()).await;
        }
    })
    .await;
    let mut client = world.client(to);
    client.write_all(GET.as_bytes()).await.expect("written");
    client.shutdown().await.expect("shutdown");
    let mut all = String::new();
    client.read_to_string(&mut all).await.expect("closed");
    all
}

fn with(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\nhi")
}

#[test]
fn odd_answers_pass() {
    worker(|| async {
        let world = World::new();
        let large = format!("content-length: 2\r\nx: {}\r\n", "x".repeat(70_000));
        for (response, part) in [
            // What is named stays: it is not for a client to say what is about its hop.
            (
                with("connection: x\r\nx: 1\r\ncontent-length: 2\r\n"),
                "\r\nx: 1\r\n",
            ),
            (
                with("content-length: 2\r\nx: 1\r\n 2\r\n"),
                "\r\nx: 1 2\r\n",
            ),
            (
                with("content-length: 2\n").replace("\r\n", "\n"),
                "\r\n\r\nhi",
            ),
            (with(&large), "\r\n\r\nhi"),
            (with(""), "\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
            (
                "HTTP/1.1 299 Fine Then\r\ncontent-length: 0\r\n\r\n".to_owned(),
                "HTTP/1.1 299 ",
            ),
        ] {
            let all = got(&world, response).await;
            let shown = &all[..all.len().min(300)];
            assert!(
                all.contains(part) && all.starts_with("HTTP/1.1 2"),
                "{shown}"
            );
            assert!(!all.contains("connection: x\r\n"), "{shown}");
        }
    });
}

#[test]
fn answers_that_may_be_read_in_two_ways_are_not_passed() {
    worker(|| async {
        let world = World::new();
        for response in [
            with("content-length: 2\r\ncontent-length: 3\r\n"),
            with("content-length: -2\r\n"),
            with("content-length: 2x\r\n"),
            with("content-length : 2\r\n"),
            with("x y: 1\r\ncontent-length: 2\r\n"),
            with("x: 1\u{0}\r\ncontent-length: 2\r\n"),
            "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
            "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
        ] {
            let all = got(&world, response.clone()).await;
            assert!(all.starts_with("HTTP/1.1 502 "), "{response:?}: {all}");
            assert_eq!(all.matches("HTTP/1.1").count(), 1, "{all}");
        }
        let lines = world.lines();
        assert!(
            lines.iter().all(|line| line["response_flags"] == "UPE"),
            "{lines:#?}"
        );
    });
}

#[test]
fn a_client_that_has_said_all_is_answered() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                // Long after the client's end has come.
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                let body = request.lines().last().unwrap_or_default().to_owned();
                let length = body.len();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                answer(&mut stream, &(head + &body)).await;
            }
        })
        .await;
        let post = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody";
        let chunked =
            "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        for (requests, answers) in [
            (GET.to_owned(), 1),
            (post.to_owned(), 1),
            (chunked.to_owned(), 1),
            (format!("{GET}{post}{GET}"), 3),
        ] {
            let mut client = world.client(to);
            client
                .write_all(requests.as_bytes())
                .await
                .expect("written");
            client.shutdown().await.expect("shutdown");
            let mut all = String::new();
            client.read_to_string(&mut all).await.expect("closed");
            assert_eq!(all.matches("HTTP/1.1 200 ").count(), answers, "{all}");
        }
        assert!(
            world
                .lines()
                .iter()
                .all(|line| line["response_flags"] == "-")
        );
        // Half a request is none.
        for half in [
            "GET / HTTP/1.1\r\nHost: a.test\r\n",
            &post[..post.len() - 1],
        ] {
            let mut client = world.client(to);
            client.write_all(half.as_bytes()).await.expect("written");
            client.shutdown().await.expect("shutdown");
            let mut all = String::new();
            client.read_to_string(&mut all).await.expect("closed");
            assert!(!all.contains("HTTP/1.1 200 "), "{all}");
        }
    });
}

#[test]
fn answers_have_a_hundred_headers_at_most() {
    worker(|| async {
        let world = World::new();
        for (more, status) in [(99, "200"), (100, "502")] {
            let fields = format!("content-length: 2\r\n{}", "x: 1\r\n".repeat(more));
            let all = got(&world, with(&fields)).await;
            assert_eq!(all.split(' ').nth(1), Some(status), "{more}");
        }
    });
}

#[test]
fn a_client_gets_what_came_before_an_answer_breaks_off() {
    worker(|| async {
        let world = World::new();
        for fields in ["content-length: 9\r\n", "transfer-encoding: chunked\r\n"] {
            let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            for body in ["", "2\r\nhi\r\n"] {
                let all = got(&world, format!("{head}{body}")).await;
                assert!(all.starts_with("HTTP/1.1 200 "), "{fields}: {all}");
                assert!(all.ends_with(&format!("\r\n\r\n{body}")), "{fields}: {all}");
            }
        }
    });
}
