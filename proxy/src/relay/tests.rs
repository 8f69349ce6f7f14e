use std::future::pending;
use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::report::stream_bytes::ByteCount;

/// A connection over loopback, both ends.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let (dialled, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (dialled.expect("connect"), accepted.expect("accept").0)
}

#[tokio::test]
async fn an_end_is_passed_on_and_the_other_direction_goes_on() {
    let (mut client, mut client_side) = connection().await;
    let (mut upstream_side, mut upstream) = connection().await;
    let counts = StreamBytes::default();
    let talk = async {
        client.write_all(b"question").await.expect("write");
        client.shutdown().await.expect("shutdown");
        let mut question = Vec::new();
        upstream.read_to_end(&mut question).await.expect("read");
        assert_eq!(question, b"question");
        upstream.write_all(b"a longer answer").await.expect("write");
        drop(upstream);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("read");
        assert_eq!(answer, b"a longer answer");
    };
    let (end, ()) = tokio::join!(
        relay(&mut client_side, &mut upstream_side, None, &counts),
        talk
    );
    assert!(
        matches!(
            end,
            End::Closed {
                first: Side::Client
            }
        ),
        "{end:?}"
    );
    assert_eq!(
        (counts.from_client.get(), counts.from_upstream.get()),
        (8, 15)
    );
}

#[tokio::test]
async fn much_passes_unchanged_both_ways_at_once() {
    const MUCH: usize = 5 << 20;
    let (client, mut client_side) = connection().await;
    let (mut upstream_side, upstream) = connection().await;
    let counts = StreamBytes::default();
    let blob: Vec<u8> = (0..MUCH).map(|index| (index % 251) as u8).collect();
    let body_sender = async |stream: TcpStream| {
        let (mut read, mut write) = stream.into_split();
        let send = async {
            write.write_all(&blob).await.expect("write");
            write.shutdown().await.expect("shutdown");
        };
        let mut received = Vec::new();
        let (_, result) = tokio::join!(send, read.read_to_end(&mut received));
        result.expect("read");
        assert!(received == blob);
    };
    let (end, (), ()) = tokio::join!(
        relay(&mut client_side, &mut upstream_side, None, &counts),
        body_sender(client),
        body_sender(upstream)
    );
    assert!(matches!(end, End::Closed { .. }), "{end:?}");
    assert_eq!(
        (counts.from_client.get(), counts.from_upstream.get()),
        (MUCH as u64, MUCH as u64)
    );
}

#[tokio::test]
async fn a_reset_names_the_side_it_came_from() {
    for by in [Side::Client, Side::Upstream] {
        let (client, mut client_side) = connection().await;
        let (mut upstream_side, upstream) = connection().await;
        let (resets, _stays) = match by {
            Side::Client => (client, upstream),
            Side::Upstream => (upstream, client),
        };
        socket2::SockRef::from(&resets)
            .set_linger(Some(Duration::ZERO))
            .expect("linger");
        drop(resets);
        let end = relay(
            &mut client_side,
            &mut upstream_side,
            None,
            &StreamBytes::default(),
        )
        .await;
        let End::Broken {
            by: broken_side,
            error,
        } = end
        else {
            panic!("{end:?}")
        };
        assert_eq!(
            (broken_side, error.kind()),
            (by, ErrorKind::ConnectionReset)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn silence_on_both_sides_ends_at_the_idle_limit_and_bytes_put_it_off() {
    let (mut client, mut client_side) = duplex(64);
    let (mut upstream_side, _upstream) = duplex(64);
    let start = Instant::now();
    let talk = async {
        tokio::time::advance(Duration::from_secs(40)).await;
        client.write_all(b"x").await.expect("write");
        pending::<()>().await;
    };
    let counts = StreamBytes::default();
    tokio::select! {
        end = relay(&mut client_side, &mut upstream_side, Some(Duration::from_secs(60)), &counts) => {
            assert!(matches!(end, End::Idle), "{end:?}");
        }
        () = talk => {}
    }
    assert_eq!(start.elapsed().as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_silence_lasts_and_a_cut_relay_is_counted() {
    let (mut client, mut client_side) = duplex(64);
    let (mut upstream_side, _upstream) = duplex(64);
    client.write_all(b"abc").await.expect("write");
    let counts = StreamBytes::default();
    let day = Duration::from_secs(86_400);
    assert!(
        timeout(
            day,
            relay(&mut client_side, &mut upstream_side, None, &counts)
        )
        .await
        .is_err()
    );
    assert_eq!(counts.from_client.get(), 3);
}

#[tokio::test]
async fn buffers_grow_while_they_are_filled_and_are_given_back() {
    let (mut client, mut client_side) = duplex(1 << 20);
    let (mut upstream_side, mut upstream) = duplex(2 << 20);
    let count = ByteCount::default();
    let mut copy = Copy::new();
    let mut poll = async |copy: &mut Copy| {
        poll_fn(|cx| {
            assert!(
                copy.poll(cx, &mut client_side, &mut upstream_side, &count)
                    .is_pending()
            );
            Poll::Ready(())
        })
        .await;
    };
    client.write_all(b"little").await.expect("write");
    poll(&mut copy).await;
    assert!(!copy.holds_idle_buffer());
    client.write_all(&[0; 1 << 20]).await.expect("write");
    poll(&mut copy).await;
    assert!(copy.holds_idle_buffer());
    copy.shrink();
    assert!(!copy.holds_idle_buffer());
    let mut passed = vec![0; 6 + (1 << 20)];
    upstream.read_exact(&mut passed).await.expect("read");
}
