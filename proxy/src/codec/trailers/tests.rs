use http::HeaderValue;
use http_body_util::{Empty, Full, StreamBody};
use tokio::io::AsyncWriteExt;

use super::*;

type Data = Bytes;

fn trailers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

/// Accepts `room` bytes at a time, and is not ready every other time.
struct Narrow {
    received: Vec<u8>,
    room: usize,
    vectored: bool,
    ready: bool,
}

impl AsyncWrite for Narrow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.ready = !self.ready;
        if !self.ready {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let count = bytes.len().min(self.room);
        self.received.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| piece.iter())
            .copied()
            .collect();
        let first = pieces.iter().find(|piece| !piece.is_empty());
        let bytes = if self.vectored {
            &all[..]
        } else {
            first.map_or(&[][..], |first| first)
        };
        self.poll_write(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Writes as hyper does: unwritten bytes are passed again, in pieces of this size. Returns what the stream received.
async fn sent(left: &HeaderMap, bytes: &str, size: usize, room: usize, vectored: bool) -> String {
    let (mut stream, slot) = Trailing::new(Narrow {
        received: Vec::new(),
        room,
        vectored,
        ready: false,
    });
    slot.put(left);
    let mut rest = bytes.as_bytes();
    while !rest.is_empty() {
        let pieces: Vec<_> = rest.chunks(size).map(IoSlice::new).collect();
        let count = stream.write_vectored(&pieces).await.expect("written");
        assert_ne!(count, 0);
        rest = &rest[count..];
    }
    // Later bytes are written unchanged.
    stream.write_all(b"0\r\n\r\n").await.expect("written");
    let all = String::from_utf8(stream.stream.received).expect("utf-8");
    all.strip_suffix("0\r\n\r\n")
        .expect("what came next")
        .to_owned()
}

#[tokio::test]
async fn the_last_chunk_gets_them_however_it_is_written() {
    let left = trailers(&[("x-sum", "1"), ("x-end", "2")]);
    let tail = "0\r\nx-sum: 1\r\nx-end: 2\r\n\r\n";
    for before in [
        "",
        "\n",
        "\r\n",
        "HTTP/1.1 200 OK\r\n\r\n2\r\nhi\r\n",
        "a: 1\r\n\r\n",
    ] {
        let bytes = format!("{before}0\r\n\r\n");
        for room in 1..bytes.len() + tail.len() + 2 {
            for size in [1, 2, 3, 7, 100] {
                for vectored in [true, false] {
                    let sent = sent(&left, &bytes, size, room, vectored).await;
                    assert_eq!(sent, format!("{before}{tail}"), "{room} {size} {vectored}");
                }
            }
        }
    }
}

#[tokio::test]
async fn nothing_else_gets_them() {
    let left = trailers(&[("x-sum", "1")]);
    for bytes in [
        "2\r\nhi\r\n",
        "0\r\n\r",
        "x-timeout: 15000\r\n\r\n",
        "10\r\n\r\n",
        "0\r\n\r\nGET / HTTP/1.1\r\nx-timeout: 15000\r\n\r\n",
    ] {
        for room in [1, 100] {
            assert_eq!(sent(&left, bytes, 4, room, true).await, bytes);
        }
    }
    // Forbidden trailers are left out.
    let left = trailers(&[("content-length", "1"), ("host", "a.test")]);
    assert_eq!(sent(&left, "0\r\n\r\n", 4, 100, true).await, "0\r\n\r\n");
}

#[tokio::test]
async fn bytes_after_a_partly_written_tail_wait() {
    let (mut stream, slot) = Trailing::new(Narrow {
        received: Vec::new(),
        room: 9,
        vectored: true,
        ready: false,
    });
    slot.put(&trailers(&[("x-sum", "1")]));
    let count = stream.write(b"hi\r\n0\r\n\r\n").await.expect("written");
    assert_eq!(count, 4, "the last chunk is under way");
    let count = stream.write(b"0\r\n\r\nnext").await.expect("written");
    assert_eq!(count, 5);
    let count = stream.write(b"next").await.expect("written");
    assert_eq!(count, 4);
    assert_eq!(stream.stream.received, b"hi\r\n0\r\nx-sum: 1\r\n\r\nnext");
}

#[test]
fn fields_that_act_before_the_body_are_no_trailers() {
    for name in [
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "host",
        "trailer",
        "te",
        "connection",
        "authorization",
        "cookie",
        "set-cookie",
        "if-match",
        "x-forwarded-for",
        "x-envoy-attempt-count",
    ] {
        assert!(!may_be_one(&HeaderName::from_static(name)), "{name}");
    }
    for name in [
        "x-sum",
        "content-digest",
        "grpc-status",
        "etag",
        "server-timing",
        "contentious",
    ] {
        assert!(may_be_one(&HeaderName::from_static(name)), "{name}");
    }
    let left = trailers(&[("x-a", "1"), ("host", "b"), ("x-a", "2")]);
    let tail = Tail::of(&left).expect("some");
    assert_eq!(tail.bytes, b"0\r\nx-a: 1\r\nx-a: 2\r\n\r\n");
    assert!(Tail::of(&HeaderMap::new()).is_none());
}

#[test]
fn only_messages_in_chunks_have_them() {
    let frames = StreamBody::new(futures_util::stream::pending::<
        Result<Frame<Data>, io::Error>,
    >());
    let (none, length) = (HeaderMap::new(), trailers(&[("content-length", "1")]));
    assert!(may_follow(Version::HTTP_11, &none, &frames));
    assert!(!may_follow(Version::HTTP_10, &none, &frames));
    assert!(!may_follow(Version::HTTP_11, &length, &frames));
    assert!(!may_follow(Version::HTTP_11, &none, &Empty::<Data>::new()));
    assert!(!may_follow(
        Version::HTTP_11,
        &none,
        &Full::new(Data::from("x"))
    ));
}
