//! A tunnel through an HTTP proxy. After CONNECT the connection carries the target's bytes; with POST the bodies of the
//! request and of its response carry them.

use bytes::{Bytes, BytesMut};
use egret_config::model::policy::Tunnel;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::dial::post_tunnel::Framing;
use crate::failure::{Cause, Failure};

/// Bytes of the proxy's answer at most.
const ANSWER_MAX: usize = 16 << 10;

/// A tunnel just opened.
#[derive(Debug)]
pub struct Consent {
    /// The bytes after the head of the proxy's response.
    pub early: Bytes,
    /// How the answer to a POST ends; `None` for CONNECT, after which the connection is the target's.
    pub framing: Option<Framing>,
}

/// Requests a tunnel on a connection to the proxy.
///
/// # Errors
/// [`Cause::Connect`]: the proxy refused, closed, or did not speak HTTP.
pub async fn open<S>(stream: &mut S, tunnel: &Tunnel) -> Result<Consent, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let target = target(tunnel);
    let failed = |why: String| {
        let message = format!("no tunnel to `{target}`: {why}");
        Failure::new(Cause::Connect(message.as_str().into()), message)
    };
    let request = if tunnel.post {
        format!("POST / HTTP/1.1\r\nhost: {target}\r\ntransfer-encoding: chunked\r\n\r\n")
    } else {
        format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n")
    };
    let broken = |error: std::io::Error| failed(format!("the proxy broke off: {error}"));
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut answer = BytesMut::with_capacity(1024);
    loop {
        if let Some(end) = end_of_head(&answer) {
            let head = answer.split_to(end);
            let status =
                status(&head).ok_or_else(|| failed("the proxy's answer is not HTTP".into()))?;
            match status {
                // Another response follows. 101 is not one: no upgrade was requested.
                100 | 102..=199 => continue,
                200..=299 => {}
                status => return Err(failed(format!("the proxy answered {status}"))),
            }
            let framing = tunnel.post.then(|| framing(&head));
            return Ok(Consent {
                early: answer.freeze(),
                framing,
            });
        }
        if answer.len() >= ANSWER_MAX {
            return Err(failed("the proxy's answer is too long".into()));
        }
        if stream.read_buf(&mut answer).await.map_err(broken)? == 0 {
            return Err(failed("the proxy closed the connection".into()));
        }
    }
}

/// The framing of the body after this head.
fn framing(head: &[u8]) -> Framing {
    let mut length = None;
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Framing::Chunked;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            length = std::str::from_utf8(value)
                .ok()
                .and_then(|value| value.parse().ok());
        }
    }
    length.map_or(Framing::Close, Framing::Length)
}

fn target(tunnel: &Tunnel) -> String {
    let (host, port) = (&tunnel.target_host, tunnel.target_port);
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Where a head ends, its empty line included.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut parts = std::str::from_utf8(line).ok()?.split(' ');
    let version = parts.next()?;
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    parts.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    fn tunnel(host: &str) -> Tunnel {
        Tunnel {
            post: false,
            target_host: host.into(),
            target_port: 443,
        }
    }

    /// The result of a tunnel with a proxy that sends this, in pieces, and closes.
    async fn outcome(host: &str, response: &[&[u8]]) -> (String, Result<Bytes, String>) {
        let (mut client, mut proxy) = duplex(16);
        let tunnel = tunnel(host);
        let proxying = async {
            let mut request = Vec::new();
            while end_of_head(&request).is_none() {
                proxy.read_buf(&mut request).await.expect("read");
            }
            for piece in response {
                // We stop listening after a refusal.
                let _ = proxy.write_all(piece).await;
            }
            drop(proxy);
            String::from_utf8(request).expect("text")
        };
        let opening = async {
            let outcome = open(&mut client, &tunnel).await;
            drop(client);
            outcome
                .map(|consent| consent.early)
                .map_err(|failure| failure.to_string())
        };
        tokio::join!(proxying, opening)
    }

    #[tokio::test]
    async fn bytes_after_the_response_are_the_targets() {
        let (request, early) = outcome(
            "a.test",
            &[
                b"HTTP/1.1 200 Connection",
                b" established\r\nx: y\r\n\r",
                b"\n220 hi",
            ],
        )
        .await;
        assert_eq!(
            request,
            "CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n"
        );
        let early = early.expect("tunnel");
        assert!(b"220 hi".starts_with(&early), "{early:?}");
        let (request, _) = outcome("fd00::1", &[]).await;
        assert!(request.starts_with("CONNECT [fd00::1]:443 "), "{request}");
    }

    #[tokio::test]
    async fn the_framing_of_a_post_response_is_read() {
        for (response, expected, rest) in [
            (
                &b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n"[..],
                Framing::Chunked,
                &b"2\r\n"[..],
            ),
            (
                b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n",
                Framing::Length(7),
                b"",
            ),
            (b"HTTP/1.0 200 OK\r\n\r\nx", Framing::Close, b"x"),
        ] {
            let (mut client, mut proxy) = duplex(1 << 10);
            let mut tunnel = tunnel("a.test");
            tunnel.post = true;
            proxy.write_all(response).await.expect("write");
            let consent = open(&mut client, &tunnel).await.expect("tunnel");
            assert_eq!(consent.framing, Some(expected));
            assert_eq!(consent.early, rest);
            drop(client);
            let mut request = String::new();
            proxy.read_to_string(&mut request).await.expect("read");
            let head = "POST / HTTP/1.1\r\nhost: a.test:443\r\ntransfer-encoding: chunked\r\n\r\n";
            assert_eq!(request, head);
        }
    }

    #[tokio::test]
    async fn refusals_say_why() {
        let long = vec![b'x'; ANSWER_MAX + 1];
        for (response, why) in [
            (
                &b"HTTP/1.1 403 Forbidden\r\n\r\n"[..],
                "the proxy answered 403",
            ),
            (b"", "closed"),
            (
                b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
                "the proxy answered 101",
            ),
            (b"HTTP/1.1 100 Continue\r\n\r\n", "closed"),
            (b"HTTP/1.1 200 OK\r\n", "closed"),
            (b"220 smtp\r\n\r\n", "not HTTP"),
            (&long, "too long"),
        ] {
            let (_, outcome) = outcome("a.test", &[response]).await;
            let message = outcome.expect_err("no tunnel");
            assert!(
                message.contains(why) && message.contains("a.test:443"),
                "{message}"
            );
        }
    }
}
