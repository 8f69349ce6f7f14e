use egret_config::decide::call::ClientHello;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::sniff::client_hello::tests::{hello, in_records};

const SILENCE: Duration = Duration::from_millis(200);

/// The layer of the first bytes; `None` when there are no bytes.
async fn sniffed(server: DuplexStream) -> Option<(Rewind<DuplexStream>, Layer)> {
    let mut stream = Rewind::new(server);
    let layer = read_layer(&mut stream, Some(SILENCE)).await.expect("read");
    layer.map(|layer| (stream, layer))
}

/// Sends the bytes one by one or at once, then more; returns the layer and all bytes that can be read afterwards.
async fn sniff_in_chunks(bytes: &[u8], at_once: usize) -> (Layer, Vec<u8>) {
    let (mut client, server) = duplex(1);
    let sent = bytes.to_vec();
    let sender = tokio::spawn(async move {
        for chunk in sent.chunks(at_once) {
            client.write_all(chunk).await.expect("send");
        }
        client.write_all(b"and more").await.expect("send");
    });
    let (mut stream, layer) = sniffed(server).await.expect("not closed");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("read");
    sender.await.expect("sender");
    (layer, all)
}

#[tokio::test(start_paused = true)]
async fn no_byte_is_lost_however_they_come() {
    let name = |sni: &str| ClientHello {
        sni: Some(sni.into()),
        alpn: vec![],
    };
    let tls = hello("shop.example", &[]);
    for (bytes, layer) in [
        (
            &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..],
            Layer::Http(HttpVersion::Http1),
        ),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            Layer::Http(HttpVersion::Http2),
        ),
        (b"\0\x01\x02", Layer::Opaque),
        (&tls, Layer::Tls(name("shop.example"))),
        (&in_records(&tls, 100), Layer::Tls(name("shop.example"))),
    ] {
        for at_once in [1, 7, usize::MAX] {
            let (detected, all) = sniff_in_chunks(bytes, at_once).await;
            assert_eq!(detected, layer);
            assert_eq!(all, [bytes, b"and more"].concat());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_silent_and_can_be_read_later() {
    let (mut client, server) = duplex(64);
    let (mut stream, layer) = sniffed(server).await.expect("not closed");
    assert_eq!(layer, Layer::Silent);
    assert!(
        timeout(SILENCE, read_layer(&mut stream, None))
            .await
            .is_err()
    );
    client.write_all(b"GE").await.expect("send");
    assert!(
        timeout(SILENCE, read_layer(&mut stream, None))
            .await
            .is_err()
    );
    // A client that continues within the pause is read.
    client.write_all(b"T / HTTP/1.1\r\n").await.expect("send");
    let layer = read_layer(&mut stream, None).await.expect("read");
    assert_eq!(layer, Some(Layer::Http(HttpVersion::Http1)));
    assert_eq!(stream.sniffed(), b"GET / HTTP/1.1\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_without_a_byte_is_closed() {
    let (client, server) = duplex(64);
    drop(client);
    assert!(sniffed(server).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn half_a_request_line_is_opaque_at_the_end_or_when_time_is_up() {
    for leave in [true, false] {
        let (mut client, server) = duplex(64);
        client.write_all(b"GET /").await.expect("send");
        if leave {
            client.shutdown().await.expect("shutdown");
        }
        let (stream, layer) = sniffed(server).await.expect("not closed");
        assert_eq!(layer, Layer::Opaque);
        assert_eq!(stream.sniffed(), b"GET /");
    }
}

#[test]
fn longer_beginnings_are_judged_by_their_first_bytes() {
    let mut line = b"GET /".to_vec();
    line.resize(SNIFFED_MAX, b'a');
    assert_eq!(layer(&line), Some(Layer::Http(HttpVersion::Http1)));
    assert_eq!(layer(&line[..SNIFFED_MAX - 1]), None);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_be_no_method_is_opaque_within_a_second() {
    for token in ["ruok", "GET", "hello world", "PING"] {
        let (mut client, server) = duplex(64);
        client.write_all(token.as_bytes()).await.expect("send");
        let start = Instant::now();
        let (mut stream, layer) = sniffed(server).await.expect("not closed");
        assert_eq!(
            (layer, start.elapsed()),
            (Layer::Silent, SILENCE),
            "{token}"
        );
        let layer = read_layer(&mut stream, None).await.expect("read");
        assert_eq!(layer, Some(Layer::Opaque), "{token}");
        assert!(start.elapsed() <= Duration::from_secs(1), "{token}");
        assert_eq!(stream.sniffed(), token.as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_line_that_comes_slowly_is_http_all_the_same() {
    let (mut client, server) = duplex(64);
    let sender = tokio::spawn(async move {
        for byte in b"FOO / HTTP/1.1\r\n" {
            client.write_all(&[*byte]).await.expect("send");
            tokio::time::sleep(SILENCE / 2).await;
        }
        client
    });
    let (stream, layer) = sniffed(server).await.expect("not closed");
    assert_eq!(layer, Layer::Http(HttpVersion::Http1));
    assert_eq!(stream.sniffed(), b"FOO / HTTP/1.1\r");
    sender.await.expect("sender");
}

#[tokio::test(start_paused = true)]
async fn half_a_hello_is_waited_for() {
    let whole = hello("shop.example", &[]);
    let (mut client, server) = duplex(1024);
    client.write_all(&whole[..9]).await.expect("send");
    let sender = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        client.write_all(&whole[9..]).await.expect("send");
        client
    });
    let (_, layer) = sniffed(server).await.expect("not closed");
    assert!(matches!(layer, Layer::Tls(_)), "{layer:?}");
    sender.await.expect("sender");
}
