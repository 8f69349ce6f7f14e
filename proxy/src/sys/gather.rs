//! Bytes in several pieces, written at once.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// Bytes that are copied together sooner than written as a list of pieces, which costs the kernel more.
const COPIED_MAX: usize = 512;

/// Writes pieces to a stream that takes lists of them. One piece, and few bytes, are written as they are.
pub fn poll_write<S: AsyncWrite>(
    stream: Pin<&mut S>,
    context: &mut Context<'_>,
    pieces: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    if let [piece] = pieces {
        return stream.poll_write(context, piece);
    }
    let total = pieces.iter().map(|piece| piece.len()).sum();
    if total > COPIED_MAX {
        return stream.poll_write_vectored(context, pieces);
    }
    let mut all = [0; COPIED_MAX];
    let mut rest = &mut all[..];
    for piece in pieces {
        let (target, after) = rest.split_at_mut(piece.len());
        target.copy_from_slice(piece);
        rest = after;
    }
    stream.poll_write(context, &all[..total])
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn all_pieces_arrive_in_order() {
        for (sizes, written) in [
            (&[3][..], 3),
            (&[2, 0, 3], 5),
            (&[COPIED_MAX - 1, 1], COPIED_MAX),
            (&[], 0),
        ] {
            let (mut near, mut far) = tokio::io::duplex(4096);
            let bytes: Vec<u8> = (0..written).map(|at| at as u8).collect();
            let mut rest = &bytes[..];
            let pieces: Vec<_> = sizes
                .iter()
                .map(|size| {
                    let (piece, after) = rest.split_at(*size);
                    rest = after;
                    IoSlice::new(piece)
                })
                .collect();
            let writing =
                std::future::poll_fn(|context| poll_write(Pin::new(&mut near), context, &pieces));
            assert_eq!(writing.await.expect("written"), written);
            drop(near);
            let mut read = Vec::new();
            far.read_to_end(&mut read).await.expect("read");
            assert_eq!(read, bytes);
        }
    }
}
