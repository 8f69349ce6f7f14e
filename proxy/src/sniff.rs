//! Finds out what a connection carries from its first bytes, and gives every byte back.
//!
//! Reading goes on until the bytes decide: HTTP/1 by its request line, HTTP/2 by its preface, TLS by its ClientHello,
//! anything else as soon as it can be none of them. No memory is taken before the first byte has come.

pub mod client_hello;
pub mod http_preface;
pub mod proxy_header;
pub mod rewind;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;

use egret_config::decide::call::HttpVersion;
use egret_config::decide::call::Layer;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::timeout;

use crate::sniff::client_hello::Hello;
use crate::sniff::http_preface::Preface;
use crate::sniff::rewind::Rewind;

/// Bytes read at most to find out. A request line or a hello longer than this decides as far as it goes.
pub const SNIFFED_MAX: usize = 64 << 10;

/// Bytes read at once. Stands on the stack of the one poll that reads, so waiting connections do not pay for it.
const READ: usize = 4 << 10;

/// How long bytes may stay undecided, as `GET ` without the rest, before the connection counts as opaque. Long enough
/// for a person who types a request by hand.
const UNDECIDED_MAX: Duration = Duration::from_secs(15);

/// Reads the first bytes of a connection. A client that sends none within `silence_max` is [`Layer::Silent`]; without
/// `silence_max` silence has no limit. `None` is the end of the stream before any byte. Cancel safe: what was read is in
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
    let decided = async {
        loop {
            match layer(stream.sniffed()) {
                Some(layer) => return layer,
                // The end, or an error that whoever reads next meets again: what has come is all there is.
                None if !matches!(read(stream).await, Ok(1..)) => return Layer::Opaque,
                None => {}
            }
        }
    };
    Ok(Some(
        timeout(UNDECIDED_MAX, decided)
            .await
            .unwrap_or(Layer::Opaque),
    ))
}

/// What these first bytes are; `None` when more are needed to tell.
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
        Preface::One => Some(Layer::Http(HttpVersion::One)),
        Preface::Two => Some(Layer::Http(HttpVersion::Two)),
        Preface::Neither => Some(Layer::Opaque),
        Preface::More { method: true } if full => Some(Layer::Http(HttpVersion::One)),
        Preface::More { .. } => full.then_some(Layer::Opaque),
    }
}

/// Reads once; cancel safe.
async fn read<S: AsyncRead + Unpin>(stream: &mut Rewind<S>) -> io::Result<usize> {
    poll_fn(|cx| {
        let mut room = [0; READ];
        let mut read = ReadBuf::new(&mut room);
        let (inner, sniffed) = stream.parts_mut();
        ready!(Pin::new(inner).poll_read(cx, &mut read))?;
        sniffed.extend_from_slice(read.filled());
        Ok(read.filled().len()).into()
    })
    .await
}

#[cfg(test)]
mod tests;
