//! Receives the response to a query on a socket of its own.

use std::cell::RefCell;
use std::io;

use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::dns::verify;

/// Bytes of a message (RFC 1035, 4.2.2).
pub(super) const MESSAGE_MAX: usize = u16::MAX as usize;

thread_local! {
    /// The receive buffer, shared so that waiting queries need none of their own.
    static RECEIVED: RefCell<Vec<u8>> = RefCell::new(vec![0; MESSAGE_MAX]);
}

/// Waits for the response to `question` on a socket that is connected to the server, and returns what `take` makes of it.
/// Other datagrams are dropped.
///
/// # Errors
/// The socket's, as when the server's port is closed.
pub(super) async fn receive<T>(
    socket: &UdpSocket,
    question: &[u8],
    mut take: impl FnMut(&[u8]) -> T,
) -> io::Result<T> {
    loop {
        let ready = socket.ready(Interest::READABLE | Interest::ERROR).await?;
        if ready.is_error() {
            let error = || match socket.take_error()? {
                Some(error) => Err(error),
                None => Err(io::Error::from(WOULD_BLOCK)),
            };
            ready_only::<()>(socket.try_io(Interest::ERROR, error))?;
        }
        let received = RECEIVED.with_borrow_mut(|buffer| {
            let length = ready_only(socket.try_recv(buffer))?;
            Ok::<_, io::Error>(length.and_then(|length| {
                let response = buffer.get(..length)?;
                verify::answers(question, response).then(|| take(response))
            }))
        })?;
        if let Some(result) = received {
            return Ok(result);
        }
    }
}

const WOULD_BLOCK: io::ErrorKind = io::ErrorKind::WouldBlock;

/// `None` when there is nothing yet.
fn ready_only<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == WOULD_BLOCK => Ok(None),
        Err(error) => Err(error),
    }
}
