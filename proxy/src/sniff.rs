//! Detects the protocol of a connection from its first bytes, and gives all of them back to the reader.
//!
//! Reading continues until the protocol is known: HTTP/1 by its request line, HTTP/2 by its preface, TLS by its ClientHello,
//! anything else as soon as it can be none of them. No memory is allocated before the first byte.

pub mod client_hello;
pub mod http_preface;
pub mod proxy_header;
mod read;
pub mod rewind;

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use egret_config::decide::call::{HttpVersion, Layer};
use tokio::io::AsyncRead;
use tokio::time::{Instant, timeout, timeout_at};

use crate::life::stalled::Stall;
use crate::sniff::client_hello::Hello;
use crate::sniff::http_preface::Preface;
pub use crate::sniff::read::SNIFFED_MAX;
use crate::sniff::read::read;
use crate::sniff::rewind::Rewind;

/// How long bytes may stay undecided, for example `GET ` without the rest, before the connection counts as opaque. It is
/// long enough to type a request by hand.
const UNDECIDED_MAX: Duration = Duration::from_secs(15);

/// How long a client may pause after a token that may be no method, for example ZooKeeper's `ruok`, before the connection
/// counts as opaque. With the default detection timeout before it, a second.
const TOKEN_PAUSE_MAX: Duration = Duration::from_millis(800);

/// Reads the first bytes of a connection. A client that sends none within `silence_max` is [`Layer::Silent`], and so is
/// one that pauses as long after a token that may be no method: it may be waiting for an opaque server. Without
/// `silence_max` silence has no limit. `None` is the end of the stream before any byte, or of a client that sends them too
/// slowly while too many others do. Cancel safe: what was read is in
/// `stream`, and another call goes on from there.
///
/// # Errors
/// Those of reading, before any byte has come. Afterwards what has come decides.
pub async fn read_layer<S: AsyncRead + Unpin>(
    stream: &mut Rewind<S>,
    silence_max: Option<Duration>,
) -> io::Result<Option<Layer>> {
    if stream.sniffed().is_empty() {
        let first = match silence_max {
            Some(silence_max) => match timeout(silence_max, read(stream)).await {
                Ok(first) => first?,
                Err(_) => return Ok(Some(Layer::Silent)),
            },
            None => read(stream).await?,
        };
        if first == 0 {
            return Ok(None);
        }
    }
    let (mut end, mut stall) = (None, Stall::default());
    loop {
        if let Some(layer) = layer(stream.sniffed()) {
            return Ok(Some(layer));
        }
        let now = Instant::now();
        let end = *end.get_or_insert(now + UNDECIDED_MAX);
        let is_token =
            !http_preface::is_begun(stream.sniffed()) && !client_hello::is_begun(stream.sniffed());
        let pause = silence_max.map_or(TOKEN_PAUSE_MAX, |silence_max| {
            silence_max.min(TOKEN_PAUSE_MAX)
        });
        let limit = if is_token { end.min(now + pause) } else { end };
        let next = async {
            tokio::select! {
                biased;
                read = read(stream) => Some(read),
                () = poll_fn(|context| stall.poll_let_go(0, context)) => None,
            }
        };
        match timeout_at(limit, next).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(1..))) => {}
            Err(_) if is_token && silence_max.is_some() => return Ok(Some(Layer::Silent)),
            // The time limit, the end of the stream, or an error that the next read reports again: no more bytes come.
            _ => return Ok(Some(Layer::Opaque)),
        }
    }
}

/// The protocol of these first bytes; `None` when more are needed.
pub fn layer(bytes: &[u8]) -> Option<Layer> {
    let full = bytes.len() >= SNIFFED_MAX;
    match client_hello::parse(bytes) {
        Hello::Complete(hello) => return Some(Layer::Tls(hello)),
        Hello::More => return full.then_some(Layer::Opaque),
        Hello::Malformed(reason) => {
            tracing::debug!(reason, "malformed ClientHello");
            return Some(Layer::Opaque);
        }
        Hello::NotTls => {}
    }
    match http_preface::parse(bytes) {
        Preface::One => Some(Layer::Http(HttpVersion::Http1)),
        Preface::Two => Some(Layer::Http(HttpVersion::Http2)),
        Preface::Neither => Some(Layer::Opaque),
        Preface::More { method: true } if full => Some(Layer::Http(HttpVersion::Http1)),
        Preface::More { .. } => full.then_some(Layer::Opaque),
    }
}

#[cfg(test)]
mod tests;
