//! How many requests an upstream gets of one request when it answers none.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::time::Instant;

use crate::http::tests::world::*;

/// Connections that are idle when the upstream stops to answer.
const IDLE: usize = 20;

const REQUESTS: [(&str, &str); 3] = [
    ("GET", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    ("HEAD", "HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    (
        "POST",
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx",
    ),
];

/// Retry policies, and how many further attempts they allow after a reset.
const POLICIES: [(&str, usize); 3] = [
    ("", 0),
    (", retries: {attempts: 0}", 0),
    (
        ", retries: {attempts: 2, retryOn: 'reset,refused-stream', backoff: 1ms}",
        2,
    ),
];

fn route(policy: &str) -> String {
    rule(
        "a",
        &format!("route: [{{destination: {{host: a.test}}}}]{policy}"),
    )
}

/// An origin that answers the first requests, all at once, and from then on closes every connection that a request comes
/// on. Counts the requests that are not answered.
async fn deadly(first: usize) -> (SocketAddr, Rc<Cell<usize>>) {
    let unanswered = Rc::new(Cell::new(0));
    let (count, left) = (Rc::clone(&unanswered), Rc::new(Cell::new(first)));
    let all = Arc::new(Barrier::new(first.max(1)));
    let (address, _) = origin(move |mut stream, _| {
        let (count, left, all) = (Rc::clone(&count), Rc::clone(&left), Arc::clone(&all));
        async move {
            while message(&mut stream).await.is_some() {
                if left.get() == 0 {
                    count.set(count.get() + 1);
                    return;
                }
                left.set(left.get() - 1);
                all.wait().await;
                answer(&mut stream, OK).await;
            }
        }
    })
    .await;
    (address, unanswered)
}

/// Makes so many connections idle.
async fn warm(world: &World, count: usize) {
    let mut clients: Vec<_> = (0..count).map(|_| world.client(vip())).collect();
    for client in &mut clients {
        let written = client.write_all(REQUESTS[0].1.as_bytes()).await;
        written.expect("written");
    }
    for client in &mut clients {
        let response = message(client).await.expect("an answer");
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    }
}

/// The status of the answer, of whose body nothing is read.
async fn status(world: &World, request: &str) -> String {
    let mut client = world.client(vip());
    let written = client.write_all(request.as_bytes()).await;
    written.expect("written");
    let mut line = [0; 12];
    client.read_exact(&mut line).await.expect("an answer");
    String::from_utf8_lossy(&line).into_owned()
}

#[test]
fn many_idle_connections_that_are_dead_cost_one_repeat() {
    for (method, request) in REQUESTS {
        for (policy, attempts) in POLICIES {
            worker(|| async {
                let (address, unanswered) = deadly(IDLE).await;
                let config = service("a", "HTTP", &[address]) + &route(policy);
                let world = World::with(&config);
                warm(&world, IDLE).await;
                assert_eq!(status(&world, request).await, "HTTP/1.1 503");
                let repeats = usize::from(method != "POST");
                let requests = unanswered.get();
                assert_eq!(requests, 1 + attempts + repeats, "{method}{policy}");
            });
        }
    }
}

#[test]
fn connections_that_pass_through_cost_one_repeat_too() {
    worker(|| async {
        let (address, unanswered) = deadly(IDLE).await;
        let world = World::new();
        let mut clients: Vec<_> = (0..IDLE).map(|_| world.client(address)).collect();
        for client in &mut clients {
            let written = client.write_all(REQUESTS[0].1.as_bytes()).await;
            written.expect("written");
        }
        for client in &mut clients {
            message(client).await.expect("an answer");
        }
        let response = ask(&mut clients[0], REQUESTS[0].1).await;
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert_eq!(unanswered.get(), 2);
    });
}

#[test]
fn a_new_connection_costs_no_repeat_at_any_of_several_addresses() {
    for (_, request) in REQUESTS {
        for (policy, attempts) in POLICIES {
            worker(|| async {
                let (mut addresses, mut counts) = (Vec::new(), Vec::new());
                for _ in 0..4 {
                    let (address, unanswered) = deadly(0).await;
                    addresses.push(address);
                    counts.push(unanswered);
                }
                let config = service("a", "HTTP", &addresses) + &route(policy);
                let world = World::with(&config);
                assert_eq!(status(&world, request).await, "HTTP/1.1 503");
                let requests: usize = counts.iter().map(|count| count.get()).sum();
                assert_eq!(requests, 1 + attempts, "{request}{policy}");
            });
        }
    }
}

/// How an upstream of HTTP/2 ends a connection that a request comes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Closed,
    /// With GOAWAY, which says that the request was not looked at.
    Goaway,
}

const HEADERS: u8 = 1;
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Waits for the head of a request over HTTP/2.
async fn requested(stream: &mut TcpStream) -> Option<()> {
    stream.write_all(SETTINGS).await.ok()?;
    stream.read_exact(&mut [0; 24]).await.ok()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.ok()?;
        if head[3] == HEADERS {
            return Some(());
        }
    }
}

#[test]
fn http2_that_ends_before_each_answer_costs_one_repeat_at_most() {
    for (method, request) in REQUESTS {
        for (policy, attempts) in POLICIES {
            for ends in [Ends::Closed, Ends::Goaway] {
                worker(|| async {
                    let requests = Rc::new(Cell::new(0));
                    let count = Rc::clone(&requests);
                    let (address, _) = origin(move |mut stream, _| {
                        let count = Rc::clone(&count);
                        async move {
                            if requested(&mut stream).await.is_none() {
                                return;
                            }
                            count.set(count.get() + 1);
                            if ends == Ends::Goaway {
                                stream.write_all(GOAWAY).await.expect("written");
                                // What else comes is read, so that the client gets this.
                                stream.shutdown().await.expect("shutdown");
                                let _ = stream.read_to_end(&mut Vec::new()).await;
                            }
                        }
                    })
                    .await;
                    let config = service("a", "HTTP2", &[address]) + &route(policy);
                    let world = World::with(&config);
                    assert_eq!(status(&world, request).await, "HTTP/1.1 503");
                    // A refused stream is repeated by Istio's own policy, too.
                    let attempts = match (policy, ends) {
                        ("", Ends::Goaway) => 2,
                        _ => attempts,
                    };
                    let repeats = usize::from(ends == Ends::Goaway && method != "POST");
                    let requests = requests.get();
                    assert_eq!(
                        requests,
                        1 + attempts + repeats,
                        "{method}{policy} {ends:?}"
                    );
                });
            }
        }
    }
}

/// The clock stands still but for timers: what passes is the back-offs.
#[test]
fn a_refused_connection_is_told_within_the_back_offs() {
    worker(|| async {
        let config = service("a", "HTTP", &[nobody().await, nobody().await]);
        let policy = ", retries: {attempts: 3, retryOn: connect-failure}";
        for (config, max) in [(config.clone(), 75), (config + &route(policy), 175)] {
            let world = World::with(&config);
            tokio::time::pause();
            let began = Instant::now();
            let (_, request) = REQUESTS[0];
            assert_eq!(status(&world, request).await, "HTTP/1.1 503");
            let millis = began.elapsed().as_millis();
            assert!(millis <= max, "{millis} ms");
            tokio::time::resume();
            assert_eq!(world.lines()[0]["response_flags"], "URX,UF");
        }
    });
}
