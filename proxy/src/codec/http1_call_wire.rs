//! Counts the bytes of each call on a connection of HTTP/1 to an endpoint, where a format asks for them.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::codec::metered::Meter;
use crate::lock::lock;
use crate::report::facts::CallWire;

/// A connection that counts the bytes of one call at a time.
#[derive(Debug)]
pub struct Http1CallStream<S> {
    stream: S,
    call: Arc<CurrentCall>,
}

/// The call that a connection carries.
#[derive(Debug, Default)]
pub struct CurrentCall {
    /// Whether its bytes are counted. Otherwise the lock is not used.
    is_counted: AtomicBool,
    counted: Mutex<Option<CountedCall>>,
}

#[derive(Debug)]
struct CountedCall {
    wire: Arc<CallWire>,
    read: Meter,
    written: Meter,
}

impl CurrentCall {
    /// The connection carries another call from now on. Its bytes are added to `wire`; without one they are not counted.
    pub fn begin(&self, wire: Option<&Arc<CallWire>>) {
        if wire.is_none() && !self.is_counted.load(Ordering::Relaxed) {
            return;
        }
        self.is_counted.store(wire.is_some(), Ordering::Relaxed);
        *lock(&self.counted) = wire.map(|wire| {
            let (mut read, mut written) = (Meter::default(), Meter::default());
            read.expect_head();
            written.expect_request();
            CountedCall {
                wire: Arc::clone(wire),
                read,
                written,
            }
        });
    }

    fn count(&self, count: impl FnOnce(&mut CountedCall)) {
        if !self.is_counted.load(Ordering::Relaxed) {
            return;
        }
        if let Some(call) = &mut *lock(&self.counted) {
            count(call);
        }
    }
}

impl CountedCall {
    fn read(&mut self, bytes: &[u8]) {
        // Envoy counts one byte less of each field than there is: a name, a value, a colon, a blank and one more.
        let fields = |read: &Meter| read.field_bytes() - read.fields();
        let before = fields(&self.read);
        self.read.count(bytes);
        let fields = fields(&self.read) - before;
        self.wire.add_received(bytes.len() as u64, fields);
    }

    fn wrote(&mut self, pieces: &[IoSlice<'_>], count: usize) {
        let before = self.written.field_bytes();
        self.written.count_pieces(pieces, count);
        let fields = self.written.field_bytes() - before;
        self.wire.add_sent(count as u64, fields);
    }
}

impl<S> Http1CallStream<S> {
    /// A connection, and the call that it carries: none yet.
    pub fn new(stream: S) -> (Self, Arc<CurrentCall>) {
        let call = Arc::<CurrentCall>::default();
        let this = Self {
            stream,
            call: Arc::clone(&call),
        };
        (this, call)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Http1CallStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        self.call.count(|call| call.read(&into.filled()[before..]));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Http1CallStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.call
            .count(|call| call.wrote(&[IoSlice::new(bytes)], count));
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, pieces))?;
        self.call.count(|call| call.wrote(pieces, count));
        Poll::Ready(Ok(count))
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
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::report::facts::WireBytes;

    #[tokio::test]
    async fn the_bytes_of_each_call_are_its_own() {
        let (near, mut far) = tokio::io::duplex(1024);
        let (mut near, current) = Http1CallStream::new(near);
        near.write_all(b"not asked for").await.expect("written");
        let calls = [
            ("GET /1xx HTTP/1.1\r\nhost: a\r\n\r\n", "body", 9),
            ("PUT / HTTP/1.1\r\n\r\n", "", 0),
        ];
        let wires = calls.map(|_| Arc::<CallWire>::default());
        let response = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nhi";
        for ((head, body, _), wire) in calls.iter().zip(&wires) {
            current.begin(Some(wire));
            near.write_all(head.as_bytes()).await.expect("written");
            near.write_all(body.as_bytes()).await.expect("written");
            far.write_all(response).await.expect("written");
            let mut read = [0; 27];
            near.read_exact(&mut read).await.expect("read");
            assert_eq!(&read, response);
        }
        current.begin(None);
        near.write_all(b"not asked for").await.expect("written");
        for ((head, body, fields), wire) in calls.iter().zip(&wires) {
            let expected = WireBytes {
                received: 27,
                sent: (head.len() + body.len()) as u64,
                header_received: 5,
                header_sent: *fields,
            };
            assert_eq!(wire.bytes(), expected);
        }
    }
}
