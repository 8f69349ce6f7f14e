//! Any bytes as the frames of an HTTP/2 connection: what is counted of each stream does not depend on how the bytes come, and
//! is no more than came.

use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use egret_proxy::codec::http2_meter::{FramesMetered, Role, Streams};
use egret_proxy::report::facts::WireBytes;
use tokio::io::{AsyncRead, ReadBuf, join, sink};

/// Streams that are looked at.
const IDS: u32 = 64;

pub(crate) fn check(bytes: &[u8]) {
    for role in [Role::Server, Role::Client] {
        let lengths = bytes.iter().map(|byte| 1 + usize::from(*byte) % 31);
        let whole = counted(bytes, role, [bytes.len().max(1)].into_iter());
        let single = counted(bytes, role, [1].into_iter().cycle().take(bytes.len()));
        let pieces = counted(bytes, role, lengths);
        // A flood ends the connection where it is noticed, which depends on how its bytes come.
        if whole.is_flooded() || single.is_flooded() || pieces.is_flooded() {
            continue;
        }
        let mut sum = 0;
        for id in 0..IDS {
            let expected = whole.take(id);
            assert_eq!(single.take(id), expected, "stream {id}, byte by byte");
            assert_eq!(pieces.take(id), expected, "stream {id}, in pieces");
            assert!(expected.header_received <= expected.received);
            assert_eq!((expected.sent, expected.header_sent), (0, 0));
            sum += expected.received;
        }
        assert!(sum <= bytes.len() as u64, "{sum} of {}", bytes.len());
    }
}

/// Reads a connection in pieces of these lengths, and then what is left.
fn counted(bytes: &[u8], role: Role, lengths: impl Iterator<Item = usize>) -> Rc<Streams<()>> {
    let metered = FramesMetered::new(join(bytes, sink()), role, |(), _: WireBytes| {});
    let streams = metered.streams();
    let mut metered = pin!(metered);
    let mut room = vec![0; bytes.len() + 1];
    let mut read = |length: usize| {
        let mut into = ReadBuf::new(&mut room[..length]);
        let context = &mut Context::from_waker(Waker::noop());
        // Now and then it is the turn of other connections.
        while metered.as_mut().poll_read(context, &mut into).is_pending() {}
    };
    for length in lengths {
        read(length.min(bytes.len() + 1));
    }
    read(bytes.len() + 1);
    streams
}
