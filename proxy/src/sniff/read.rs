//! Reads what a connection begins with, and keeps it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::ready;

use tokio::io::{AsyncRead, ReadBuf};

use crate::sniff::rewind::Rewind;

/// Bytes read at most to find out. A request line or a hello longer than this decides as far as it goes.
pub const SNIFFED_MAX: usize = 64 << 10;

/// Bytes read at once. Stands on the stack of the one poll that reads, so waiting connections do not pay for it.
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
