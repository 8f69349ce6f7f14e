//! Trailers on a connection of HTTP/1. Hyper sends only trailers that the head announces, and none to a client without
//! `te: trailers`. So the proxy writes them itself: a body keeps its trailers back and ends. Hyper then writes the last
//! chunk, and the stream below hyper replaces this chunk with one that has the trailers.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use egret_config::header_names::{
    AUTHENTICATION_INFO, EGRET_PREFIX, ENVOY_PREFIX, FORWARDED_PREFIX, KEEP_ALIVE,
    PROXY_AUTHENTICATION_INFO, PROXY_CONNECTION, REAL_IP, REQUEST_ID,
};
use http::{HeaderMap, HeaderName, Version, header};
use http_body::{Body, Frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::codec::chunks::{END_OF_LINE, LAST_CHUNK, LAST_SIZE};
use crate::lock::lock;
use crate::sys::gather;

/// Whether hyper sends a message with this body in chunks, so that it may have trailers.
pub fn may_follow(version: Version, headers: &HeaderMap, body: &impl Body) -> bool {
    version != Version::HTTP_10
        && !headers.contains_key(header::CONTENT_LENGTH)
        && body.size_hint().exact().is_none()
}

/// Whether a field may be a trailer. Fields that frame, route, authenticate or describe a message may not, since the message
/// was processed before they come (RFC 9110, 6.5.1). Neither may connection-specific fields, nor fields with which proxies
/// identify a client.
pub fn may_be_one(name: &HeaderName) -> bool {
    let text = name.as_str();
    if let Some(of_content) = text.strip_prefix("content-") {
        // These are for trailers (RFC 9530, 2).
        return matches!(of_content, "digest" | "md5");
    }
    let by_proxies = [FORWARDED_PREFIX, ENVOY_PREFIX, EGRET_PREFIX];
    !(FORBIDDEN.contains(name)
        || text.starts_with("if-")
        || by_proxies.iter().any(|prefix| text.starts_with(prefix)))
}

/// A frame of a body over HTTP/1, without forbidden trailers.
pub fn filtered(frame: Frame<Bytes>) -> Frame<Bytes> {
    if frame.is_data() {
        return frame;
    }
    match frame.into_trailers() {
        Ok(mut trailers) => {
            let names = trailers.keys().filter(|name| !may_be_one(name));
            for name in names.cloned().collect::<Vec<_>>() {
                trailers.remove(name);
            }
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

static FORBIDDEN: [HeaderName; 31] = [
    header::TRANSFER_ENCODING,
    header::HOST,
    header::TRAILER,
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::UPGRADE,
    header::TE,
    header::CACHE_CONTROL,
    header::EXPECT,
    header::MAX_FORWARDS,
    header::PRAGMA,
    header::RANGE,
    header::AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
    PROXY_AUTHENTICATION_INFO,
    header::PROXY_AUTHORIZATION,
    header::WWW_AUTHENTICATE,
    AUTHENTICATION_INFO,
    header::COOKIE,
    header::SET_COOKIE,
    header::AGE,
    header::EXPIRES,
    header::DATE,
    header::LOCATION,
    header::RETRY_AFTER,
    header::VARY,
    header::WARNING,
    header::FORWARDED,
    REAL_IP,
    REQUEST_ID,
];

/// The end of a body with its trailers, and how much of it was sent.
#[derive(Debug)]
pub struct Tail {
    bytes: Vec<u8>,
    sent: usize,
}

impl Tail {
    /// The end of a body with the allowed ones of these trailers; none without any.
    pub fn of(trailers: &HeaderMap) -> Option<Self> {
        let mut bytes = LAST_SIZE.to_vec();
        for (name, value) in trailers.iter().filter(|(name, _)| may_be_one(name)) {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(END_OF_LINE);
        }
        bytes.extend_from_slice(END_OF_LINE);
        (bytes.len() > LAST_CHUNK.len()).then_some(Self { bytes, sent: 0 })
    }
}

/// Writes `pieces` with the tail instead of the last chunk. Hyper passes all unwritten bytes again in the next call. The last
/// chunk is reported as written when the tail is.
pub fn poll_write<S: AsyncWrite + Unpin>(
    tail: &mut Option<Tail>,
    stream: &mut S,
    context: &mut Context<'_>,
    pieces: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let Some(own) = tail else {
        return gather::poll_write(Pin::new(stream), context, pieces);
    };
    let before = if own.sent > 0 {
        0
    } else if let Some(before) = before_last_chunk(pieces) {
        before
    } else {
        // Other bytes follow the last chunk.
        *tail = None;
        return Pin::new(stream).poll_write_vectored(context, pieces);
    };
    loop {
        let mut slices = first(pieces, before);
        slices.push(IoSlice::new(&own.bytes[own.sent..]));
        let written = ready!(Pin::new(&mut *stream).poll_write_vectored(context, &slices))?;
        let Some(of_tail) = written.checked_sub(before) else {
            return Poll::Ready(Ok(written));
        };
        own.sent += of_tail;
        if own.sent == own.bytes.len() {
            *tail = None;
            return Poll::Ready(Ok(before + LAST_CHUNK.len()));
        }
        if before > 0 || of_tail == 0 {
            return Poll::Ready(Ok(before));
        }
    }
}

/// The number of bytes before the last chunk, if the pieces end in it after another chunk or the head.
fn before_last_chunk(pieces: &[IoSlice<'_>]) -> Option<usize> {
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let before = total.checked_sub(LAST_CHUNK.len())?;
    let bytes = pieces.iter().rev().flat_map(|piece| piece.iter().rev());
    bytes
        .zip(LAST_CHUNK.iter().rev().chain(END_OF_LINE.iter().rev()))
        .all(|(byte, expected)| byte == expected)
        .then_some(before)
}

/// The first `count` bytes.
fn first<'p>(pieces: &'p [IoSlice<'_>], mut count: usize) -> Vec<IoSlice<'p>> {
    let mut slices = Vec::with_capacity(pieces.len() + 1);
    for piece in pieces {
        let here = piece.len().min(count);
        if here > 0 {
            slices.push(IoSlice::new(&piece[..here]));
        }
        count -= here;
    }
    slices
}

/// The slot where bodies on a connection put their trailers, one body at a time.
#[derive(Clone, Debug, Default)]
pub struct TrailerSlot(Arc<Mutex<Option<Tail>>>);

impl TrailerSlot {
    /// Puts the trailers of a body that ends now.
    pub fn put(&self, trailers: &HeaderMap) {
        *self.lock() = Tail::of(trailers);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Tail>> {
        lock(&self.0)
    }
}

/// A stream for hyper's writes, which adds the trailers in its slot.
#[derive(Debug)]
pub struct Trailing<S> {
    stream: S,
    slot: TrailerSlot,
}

impl<S> Trailing<S> {
    /// Wraps a stream. Also returns the slot for trailers.
    pub fn new(stream: S) -> (Self, TrailerSlot) {
        let slot = TrailerSlot::default();
        let own = Self {
            stream,
            slot: slot.clone(),
        };
        (own, slot)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Trailing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Trailing<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, slot } = self.get_mut();
        match &mut *slot.lock() {
            None => Pin::new(stream).poll_write(context, bytes),
            tail => poll_write(tail, stream, context, &[IoSlice::new(bytes)]),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, slot } = self.get_mut();
        poll_write(&mut slot.lock(), stream, context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
