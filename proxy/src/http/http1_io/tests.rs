use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Response, StatusCode, Version};
use http_body_util::Empty;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::time::{Instant, timeout};

use super::*;
use crate::http::http1_io::closing::LINGER_MAX;
use crate::http::http1_io::informational::{Busy, InformationalHandle};
use crate::http::http1_io::state::HALF_CLOSED_MAX;
use crate::life::stalled::Stall;
use crate::lock::lock;

const HEAD_MAX: Option<Duration> = Some(Duration::from_secs(60));

/// The next event of a client that may stall for as long as it likes.
async fn event<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    watch: &ConnectionMonitor<S>,
    head_max: Option<Duration>,
    idle_matters: bool,
) -> ConnectionEvent {
    let mut stall = Stall::default();
    watch.next_event(head_max, idle_matters, &mut stall).await
}

fn hints() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("link", "</a.css>".parse().expect("value"));
    headers
}

/// Gives hyper an answer without a body.
fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    watch: &ConnectionMonitor<S>,
    informational: InformationalHandle,
) -> Response<Busy<Empty<Bytes>>> {
    watch.answered(Response::new(Empty::new()), Version::HTTP_11, informational)
}

const WRITTEN: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_noticed_while_it_waits() {
    let (client, server) = duplex(64);
    let watch = watched(server);
    let informational = watch.begin().informational;
    drop(client);
    // Half closed or gone: they look the same, so it takes its time.
    let began = Instant::now();
    assert_eq!(event(&watch, None, false).await, ConnectionEvent::Gone);
    assert_eq!(began.elapsed(), HALF_CLOSED_MAX);
    drop(informational);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_noticed_while_its_answer_stands_still() {
    let (mut client, server) = duplex(64);
    let watch = watched(server);
    let mut line = watch.line();
    let _response = answer(&watch, watch.begin().informational);
    client.shutdown().await.expect("shutdown");
    // What it still gets counts.
    let began = Instant::now();
    let pause = timeout(HALF_CLOSED_MAX / 2, event(&watch, None, false));
    assert!(pause.await.is_err());
    line.write_all(&[b'x'; 64]).await.expect("written");
    assert_eq!(event(&watch, None, false).await, ConnectionEvent::Gone);
    assert_eq!(began.elapsed(), HALF_CLOSED_MAX + HALF_CLOSED_MAX / 2);
    // It is slow to read: it is there, or a reset will tell.
    assert!(line.write_all(b"y").now_or_never().is_none());
    let slow = timeout(Duration::from_secs(3600), event(&watch, None, false));
    assert!(slow.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_read_ahead_is_not_lost() {
    let (mut client, server) = duplex(64);
    let watch = watched(server);
    let mut line = watch.line();
    let _early = watch.begin().informational;
    client.write_all(b"next").await.expect("written");
    client.shutdown().await.expect("shutdown");
    assert_eq!(event(&watch, None, false).await, ConnectionEvent::Gone);
    let mut all = Vec::new();
    line.read_to_end(&mut all).await.expect("read");
    assert_eq!(all, b"next");
}

#[tokio::test(start_paused = true)]
async fn a_head_has_its_time_from_its_first_byte() {
    let (mut client, server) = duplex(64);
    let watch = watched(server);
    let mut line = watch.line();
    // Idle is not slow.
    let idle = timeout(Duration::from_secs(3600), event(&watch, HEAD_MAX, false));
    assert!(idle.await.is_err());
    client.write_all(b"GET").await.expect("written");
    line.read_exact(&mut [0; 3]).await.expect("read");
    let began = Instant::now();
    assert_eq!(event(&watch, HEAD_MAX, false).await, ConnectionEvent::Slow);
    assert_eq!(Some(began.elapsed()), HEAD_MAX);
    // Nor is the body of a request that came.
    let response = answer(&watch, watch.begin().informational);
    client.write_all(b"body").await.expect("written");
    line.read_exact(&mut [0; 4]).await.expect("read");
    let idle = timeout(Duration::from_secs(3600), event(&watch, HEAD_MAX, false));
    assert!(idle.await.is_err());
    drop(response);
    client.write_all(b"GET").await.expect("written");
    line.read_exact(&mut [0; 3]).await.expect("read");
    assert_eq!(event(&watch, HEAD_MAX, false).await, ConnectionEvent::Slow);
}

#[tokio::test(start_paused = true)]
async fn interim_responses_come_before_the_final_one() {
    let (mut client, server) = duplex(1024);
    let watch = watched(server);
    let mut line = watch.line();
    let informational = watch.begin().informational;
    informational.send(StatusCode::EARLY_HINTS, &hints());
    // By itself.
    let watching = timeout(Duration::from_secs(1), event(&watch, None, false));
    assert!(watching.await.is_err());
    let mut read = vec![0; WRITTEN.len()];
    client.read_exact(&mut read).await.expect("read");
    assert_eq!(read, WRITTEN);
    // And in front of what hyper writes.
    informational.send(StatusCode::EARLY_HINTS, &hints());
    let _response = answer(&watch, informational.clone());
    line.write_all(b"final").await.expect("written");
    let mut read = vec![0; WRITTEN.len() + 5];
    client.read_exact(&mut read).await.expect("read");
    assert_eq!(read, [WRITTEN, b"final"].concat());
    // Never after it.
    informational.send(StatusCode::EARLY_HINTS, &hints());
    line.flush().await.expect("flushed");
    line.write_all(b"!").await.expect("written");
    assert_eq!(client.read_u8().await.expect("read"), b'!');
}

#[tokio::test(start_paused = true)]
async fn interim_responses_do_not_come_into_the_middle_of_another() {
    let (mut client, server) = duplex(1024);
    let watch = watched(server);
    let mut line = watch.line();
    let informational = watch.begin().informational;
    line.write_all(b"half").await.expect("written");
    informational.send(StatusCode::EARLY_HINTS, &hints());
    let watching = timeout(Duration::from_secs(1), event(&watch, None, false));
    assert!(watching.await.is_err());
    line.write_all(b"half").await.expect("written");
    line.flush().await.expect("flushed");
    let watching = timeout(Duration::from_secs(1), event(&watch, None, false));
    assert!(watching.await.is_err());
    let mut read = vec![0; WRITTEN.len() + 8];
    client.read_exact(&mut read).await.expect("read");
    assert_eq!(read, [b"halfhalf", WRITTEN].concat());
    // Where the final one may already be behind the half, there is none.
    line.write_all(b"half").await.expect("written");
    informational.send(StatusCode::EARLY_HINTS, &hints());
    let _response = answer(&watch, informational);
    line.flush().await.expect("flushed");
    line.write_all(b"final").await.expect("written");
    let mut read = vec![0; 9];
    client.read_exact(&mut read).await.expect("read");
    assert_eq!(read, b"halffinal");
}

const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// Whether it is idle by now.
async fn idle(watch: &ConnectionMonitor<tokio::io::DuplexStream>) -> bool {
    let seen = timeout(Duration::from_secs(1), event(watch, None, true)).await;
    seen == Ok(ConnectionEvent::Idle)
}

/// As hyper asks for more and gets nothing.
async fn ask_in_vain(line: &mut HyperIo<tokio::io::DuplexStream>) {
    let read = timeout(Duration::from_secs(1), line.read_u8()).await;
    assert!(read.is_err());
}

#[tokio::test(start_paused = true)]
async fn it_is_idle_when_all_is_answered_and_nothing_has_come() {
    let (mut client, server) = duplex(1024);
    let watch = watched(server);
    let mut line = watch.line();
    client.write_all(GET).await.expect("written");
    line.read_exact(&mut [0; GET.len()]).await.expect("read");
    ask_in_vain(&mut line).await;
    assert!(!idle(&watch).await, "a head has come");
    let informational = watch.begin().informational;
    ask_in_vain(&mut line).await;
    assert!(!idle(&watch).await, "it is not answered");
    let response = answer(&watch, informational);
    ask_in_vain(&mut line).await;
    line.write_all(b"answer").await.expect("written");
    drop(response);
    assert!(!idle(&watch).await, "the answer is not flushed");
    line.flush().await.expect("flushed");
    assert!(idle(&watch).await);
    assert!(watch.was_used() && !watch.was_used());
    client.write_all(b"G").await.expect("written");
    line.read_u8().await.expect("read");
    assert!(!idle(&watch).await, "another begins");
    ask_in_vain(&mut line).await;
    assert!(!idle(&watch).await, "another has begun");
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_it_is_idle_is_read_first() {
    let (mut client, server) = duplex(1024);
    let watch = watched(server);
    drop(watch.line());
    let silent = timeout(Duration::from_secs(1), watch.wait_for_input()).await;
    assert!(silent.is_err());
    client.write_all(GET).await.expect("written");
    assert!(watch.wait_for_input().await);
    let mut read = [0; GET.len()];
    watch.line().read_exact(&mut read).await.expect("read");
    assert_eq!(read, GET);
    drop(client);
    assert!(!watch.wait_for_input().await);
}

#[tokio::test(start_paused = true)]
async fn what_hyper_says_unasked_is_kept_back() {
    let (mut client, server) = duplex(1024);
    let watch = watched(server);
    let mut line = watch.line();
    assert!(!watch.may_refuse());
    line.write_all(b"hyper's").await.expect("written");
    line.flush().await.expect("flushed");
    line.shutdown().await.expect("nothing");
    assert!(watch.may_refuse());
    watch.refuse(b"ours").await.expect("written");
    let closing = async {
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.expect("closed");
        drop(client);
        all
    };
    let ((), all) = tokio::join!(watch.close(), closing);
    assert_eq!(all, b"ours");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stays_after_the_end_is_left() {
    let (mut client, server) = duplex(64);
    let watch = watched(server);
    let began = Instant::now();
    watch.close().await;
    assert_eq!(began.elapsed(), LINGER_MAX.1, "silence");
    let (client_sends, began) = (client.write_all(&[b'x'; 1 << 16]), Instant::now());
    let watch = {
        let closing = watch.close();
        let (sent, ()) = tokio::join!(client_sends, closing);
        sent.expect("all was taken");
        watch
    };
    assert_eq!(began.elapsed(), LINGER_MAX.1);
    drop(watch);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_idle_while_the_stream_holds_something() {
    let (mut client, server) = duplex(8);
    let watch = watched(tokio::io::BufWriter::new(server));
    let mut line = watch.line();
    let informational = watch.begin().informational;
    let response = answer(&watch, informational);
    line.write_all(b"more than fits").await.expect("kept");
    drop(response);
    let flushed = timeout(Duration::from_secs(1), line.flush()).await;
    assert!(flushed.is_err());
    assert!(
        timeout(Duration::from_secs(1), line.read_u8())
            .await
            .is_err()
    );
    // As if its head had come this way.
    lock(&watch.0).framing.feed(&mut GET.to_vec());
    let seen = timeout(Duration::from_secs(1), event(&watch, None, true)).await;
    assert!(seen.is_err());
    let mut space = [0; 14];
    let reading = client.read_exact(&mut space);
    let (flushed, read) = tokio::join!(line.flush(), reading);
    flushed.expect("flushed");
    read.expect("read");
    assert_eq!(event(&watch, None, true).await, ConnectionEvent::Idle);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_of_a_head_is_given_at_the_end() {
    let (mut client, server) = duplex(64);
    let watch = watched(server);
    let mut line = watch.line();
    client
        .write_all(b"GET / HTTP/1.1\r\nx: 1\r\n")
        .await
        .expect("written");
    let mut read = [0; 20];
    line.read_exact(&mut read).await.expect("read");
    let mut space = [0; 64];
    let more = timeout(Duration::from_secs(1), line.read(&mut space)).await;
    assert!(more.is_err(), "a line end, or none");
    assert!(!idle(&watch).await, "a head has come");
    client.shutdown().await.expect("shutdown");
    let mut rest = Vec::new();
    line.read_to_end(&mut rest).await.expect("read");
    assert_eq!(
        ([&read[..], &rest].concat(), read.ends_with(b"x: 1")),
        (b"GET / HTTP/1.1\r\nx: 1\r\n".to_vec(), true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_head_is_read_whatever_room_there_is() {
    for room in 1..8 {
        let (mut client, server) = duplex(64);
        let watch = watched(server);
        let mut line = watch.line();
        let head = b"GET / HTTP/1.1\r\nx: 1\r\ny: 2\n\r\n";
        client.write_all(head).await.expect("written");
        client.shutdown().await.expect("shutdown");
        let (mut read, mut space) = (Vec::new(), vec![0; room]);
        loop {
            match line.read(&mut space).await.expect("read") {
                0 => break,
                count => read.extend_from_slice(&space[..count]),
            }
        }
        assert_eq!(read, head, "{room}");
    }
}
