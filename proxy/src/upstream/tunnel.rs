//! A tunnel through an HTTP proxy: CONNECT, and after its consent the connection is the target's.

use bytes::Bytes;
use bytes::BytesMut;
use egret_config::model::policy::Tunnel;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;

use crate::failure::Cause;
use crate::failure::Failure;

/// Bytes of the proxy's answer at most.
const ANSWER_MAX: usize = 16 << 10;

/// Asks for a tunnel on a connection to the proxy. What came behind its consent is the target's and comes back.
///
/// # Errors
/// [`Cause::Connect`]: the proxy refused, closed, or did not speak HTTP.
pub async fn open<S>(stream: &mut S, tunnel: &Tunnel) -> Result<Bytes, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let target = target(tunnel);
    let failed = |why: String| {
        let words = format!("no tunnel to `{target}`: {why}");
        Failure::new(Cause::Connect(words.as_str().into()), words)
    };
    if tunnel.post {
        return Err(failed(
            "`protocol: POST` needs HTTP/2, CONNECT works".into(),
        ));
    }
    let request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
    let broken = |error: std::io::Error| failed(format!("the proxy broke off: {error}"));
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut answer = BytesMut::with_capacity(1024);
    loop {
        if let Some(end) = end_of_head(&answer) {
            let status = status(&answer[..end])
                .ok_or_else(|| failed("the proxy's answer is not HTTP".into()))?;
            if !(200..300).contains(&status) {
                return Err(failed(format!("the proxy answered {status}")));
            }
            return Ok(answer.split_off(end).freeze());
        }
        if answer.len() >= ANSWER_MAX {
            return Err(failed("the proxy's answer is too long".into()));
        }
        if stream.read_buf(&mut answer).await.map_err(broken)? == 0 {
            return Err(failed("the proxy closed the connection".into()));
        }
    }
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
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let version = words.next()?;
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    words.next()?.parse().ok()
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

    /// What comes of a tunnel whose proxy says this, in pieces, and closes.
    async fn outcome(host: &str, said: &[&[u8]]) -> (String, Result<Bytes, String>) {
        let (mut ours, mut proxy) = duplex(16);
        let tunnel = tunnel(host);
        let proxying = async {
            let mut asked = Vec::new();
            while end_of_head(&asked).is_none() {
                proxy.read_buf(&mut asked).await.expect("read");
            }
            for piece in said {
                // We stop listening after a refusal.
                let _ = proxy.write_all(piece).await;
            }
            drop(proxy);
            String::from_utf8(asked).expect("text")
        };
        let opening = async {
            let outcome = open(&mut ours, &tunnel).await;
            drop(ours);
            outcome.map_err(|failure| failure.to_string())
        };
        tokio::join!(proxying, opening)
    }

    #[tokio::test]
    async fn what_follows_the_consent_is_the_targets() {
        let (asked, early) = outcome(
            "a.test",
            &[
                b"HTTP/1.1 200 Connection",
                b" established\r\nx: y\r\n\r",
                b"\n220 hi",
            ],
        )
        .await;
        assert_eq!(
            asked,
            "CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n"
        );
        let early = early.expect("tunnel");
        assert!(b"220 hi".starts_with(&early), "{early:?}");
        let (asked, _) = outcome("fd00::1", &[]).await;
        assert!(asked.starts_with("CONNECT [fd00::1]:443 "), "{asked}");
    }

    #[tokio::test]
    async fn refusals_say_why() {
        let long = vec![b'x'; ANSWER_MAX + 1];
        for (said, why) in [
            (
                &b"HTTP/1.1 403 Forbidden\r\n\r\n"[..],
                "the proxy answered 403",
            ),
            (b"", "closed"),
            (b"HTTP/1.1 200 OK\r\n", "closed"),
            (b"220 smtp\r\n\r\n", "not HTTP"),
            (&long, "too long"),
        ] {
            let (_, outcome) = outcome("a.test", &[said]).await;
            let words = outcome.expect_err("no tunnel");
            assert!(
                words.contains(why) && words.contains("a.test:443"),
                "{words}"
            );
        }
    }
}
