//! Reads the first bytes of a connection and keeps them.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::ready;

use tokio::io::{AsyncRead, ReadBuf};

use crate::sniff::rewind::Rewind;

/// The bytes that are read at most. A longer request line or hello is judged by these bytes.
pub const SNIFFED_MAX: usize = 64 << 10;

/// The bytes of one read. The buffer is on the stack of the poll that reads, so waiting connections need none.
const READ: usize = 4 << 10;

/// Reads once; cancel safe.
pub(in crate::sniff) async fn read<S: AsyncRead + Unpin>(
    stream: &mut Rewind<S>,
) -> io::Result<usize> {
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
