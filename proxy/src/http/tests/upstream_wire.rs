//! The bytes of calls on connections to endpoints are those that the endpoint got and sent.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::yield_now;

use crate::http::tests::world::*;

fn log_wire(world: &World) {
    world.log_as(json!({
        "sent": "%UPSTREAM_WIRE_BYTES_SENT%", "received": "%UPSTREAM_WIRE_BYTES_RECEIVED%",
        "heads_sent": "%UPSTREAM_HEADER_BYTES_SENT%", "heads_received": "%UPSTREAM_HEADER_BYTES_RECEIVED%",
    }));
}

fn length(text: &str) -> u64 {
    text.len() as u64
}

/// The lines of the fields of a message.
fn fields(message: &str) -> impl Iterator<Item = &str> {
    let end = message.find("\r\n\r\n").unwrap_or(message.len());
    message[..end].split("\r\n").skip(1)
}

/// The bytes of the fields of a message that was sent.
fn sent_fields(message: &str) -> u64 {
    fields(message).map(|line| length(line) + 2).sum()
}

/// The bytes of the fields of a message that was received: one less of each, as Envoy counts.
fn received_fields(message: &str) -> u64 {
    fields(message).map(|line| length(line) + 1).sum()
}

/// The lines of the access log, once there are so many.
async fn lines(world: &World, count: usize) -> Vec<Value> {
    for _ in 0..1000 {
        let lines = world.lines();
        if lines.len() >= count {
            return lines;
        }
        yield_now().await;
    }
    panic!("{count} lines were expected")
}

#[test]
fn http1_calls_on_one_connection_have_their_own_bytes() {
    worker(|| async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let got = Rc::clone(&seen);
        let responses = [
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ];
        let (to, accepted) = origin(move |mut stream, _| {
            let got = Rc::clone(&got);
            async move {
                for response in responses {
                    let request = message(&mut stream).await.expect("a request");
                    got.borrow_mut().push(request);
                    answer(&mut stream, response).await;
                }
                std::future::pending::<()>().await;
            }
        })
        .await;
        let world = World::new();
        log_wire(&world);
        let mut client = world.client(to);
        for (at, request) in [
            "POST /123 HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\nhello",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
        .iter()
        .enumerate()
        {
            ask(&mut client, request).await;
            if at == 0 {
                // The informational response was first.
                message(&mut client).await.expect("a response");
            }
        }
        let heads = ["link: x".len() + 1 + "content-length: 2".len() + 1, 0];
        let lines = lines(&world, 2).await;
        for (at, request) in seen.borrow().iter().enumerate() {
            let expected = json!({
                "sent": length(request), "heads_sent": sent_fields(request),
                "received": length(responses[at]), "heads_received": heads[at],
            });
            assert_eq!(lines[at], expected, "{request}");
        }
        assert_eq!(accepted.get(), 1, "one connection carries both");
    });
}

#[test]
fn the_bytes_of_all_attempts_count() {
    worker(|| async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let got = Rc::clone(&seen);
        let busy = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        let (to, _) = origin(move |mut stream, _| {
            let got = Rc::clone(&got);
            async move {
                while let Some(request) = message(&mut stream).await {
                    let first = got.borrow().is_empty();
                    got.borrow_mut().push(request);
                    answer(&mut stream, if first { busy } else { OK }).await;
                }
            }
        })
        .await;
        let route = rule(
            "a",
            "route: [{destination: {host: a.test}}], retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}",
        );
        let world = World::with(&(service("a", "HTTP", &[to]) + &route));
        log_wire(&world);
        let mut client = world.client(vip());
        ask(&mut client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        let lines = lines(&world, 1).await;
        let sent: u64 = seen.borrow().iter().map(|request| length(request)).sum();
        let fields: u64 = seen
            .borrow()
            .iter()
            .map(|request| sent_fields(request))
            .sum();
        assert_eq!(seen.borrow().len(), 2);
        let expected = json!({
            "sent": sent, "heads_sent": fields,
            "received": length(busy) + length(OK), "heads_received": received_fields(busy) + received_fields(OK),
        });
        assert_eq!(lines[0], expected);
    });
}

#[test]
fn http2_calls_are_counted_by_their_frames() {
    /// A frame.
    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }
    worker(|| async {
        let seen = Rc::new(RefCell::new([0; 2]));
        let got = Rc::clone(&seen);
        let (to, _) = origin(move |mut stream, _| {
            let got = Rc::clone(&got);
            async move {
                stream.read_exact(&mut [0; 24]).await.expect("a preface");
                stream
                    .write_all(&frame(4, 0, 0, &[]))
                    .await
                    .expect("settings");
                loop {
                    let mut header = [0; 9];
                    if stream.read_exact(&mut header).await.is_err() {
                        return;
                    }
                    let [_, a, b, kind, flags, _, _, _, id] = header;
                    let mut payload = vec![0; usize::from(a) << 8 | usize::from(b)];
                    stream.read_exact(&mut payload).await.expect("a payload");
                    if id == 0 {
                        continue;
                    }
                    let length = 9 + payload.len() as u64;
                    got.borrow_mut()[0] += length;
                    if kind == 1 {
                        got.borrow_mut()[1] += length;
                    }
                    if flags & 1 != 0 {
                        // `:status: 200` of the static table, a body of two bytes.
                        let id = u32::from(id);
                        let response = [frame(1, 4, id, &[0x88]), frame(0, 1, id, b"hi")].concat();
                        stream.write_all(&response).await.expect("written");
                    }
                }
            }
        })
        .await;
        let world = World::with(&service("a", "HTTP2", &[to]));
        log_wire(&world);
        let mut client = world.client(vip());
        let request = "POST / HTTP/1.1\r\nHost: a.test\r\ncontent-length: 5\r\n\r\nhello";
        for at in 0..2 {
            seen.replace([0; 2]);
            client.write_all(request.as_bytes()).await.expect("written");
            message(&mut client).await.expect("a response");
            let lines = lines(&world, at + 1).await;
            let [sent, heads] = *seen.borrow();
            assert_eq!(sent, heads + 9 + 5);
            let expected = json!({
                "sent": sent, "heads_sent": heads, "received": 10 + 11, "heads_received": 10,
            });
            assert_eq!(lines[at], expected);
        }
    });
}
