//! How the connection ends: with a last answer to what hyper could not read, and so that the client gets all of it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::http::framing::Flaw;
use crate::http::http1_io::monitor::ConnectionMonitor;
use crate::lock::lock;

/// How long a client may go on sending after our end, and be silent meanwhile. Closing at once would reset the
/// connection, and take an answer away that the client has not read yet. The silence is Envoy's delayed close.
pub(in crate::http::http1_io) const LINGER_MAX: (Duration, Duration) =
    (Duration::from_secs(5), Duration::from_secs(1));

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> ConnectionMonitor<S> {
    /// The number of the request that hyper could not read.
    pub fn unread_number(&self) -> u64 {
        lock(&self.0).begun + 1
    }

    /// What is wrong with the request that hyper could not read, if it is that.
    pub fn unread_flaw(&self) -> Option<Flaw> {
        let state = lock(&self.0);
        state.framing.flaw(state.begun + 1)
    }

    /// Whether hyper wanted to answer what it cannot read, and nothing was sent yet.
    pub fn may_refuse(&self) -> bool {
        !lock(&self.0).unasked.is_empty()
    }

    /// Writes the last answer, in place of hyper's own.
    ///
    /// # Errors
    /// Those of writing.
    pub async fn refuse(&self, answer: &[u8]) -> io::Result<()> {
        let mut written = 0;
        lock(&self.0).expect_response();
        poll_fn(|context| {
            let mut state = lock(&self.0);
            while written < answer.len() {
                match ready!(Pin::new(&mut state.stream).poll_write(context, &answer[written..]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => written += count,
                }
            }
            Pin::new(&mut state.stream).poll_flush(context)
        })
        .await
    }

    /// Ends a connection that idles, without waiting for its client.
    pub async fn hang_up(&self) {
        let once = |context: &mut Context<'_>| {
            Poll::Ready(Pin::new(&mut lock(&self.0).stream).poll_shutdown(context))
        };
        // Nothing is on its way, so nothing is lost.
        let _ = poll_fn(once).await;
    }

    /// Ends the connection so that the client gets all that was sent: our end first, then whatever the client still
    /// sends is read and forgotten for a while.
    pub async fn close(&self) {
        let (upgraded, ended) = {
            let state = lock(&self.0);
            (state.upgraded, state.ended.is_some())
        };
        if upgraded {
            return;
        }
        if ended {
            // Nothing more comes. TLS has a last word, which is not waited for.
            return self.hang_up().await;
        }
        let (most, silence) = LINGER_MAX;
        // A client that stays is left.
        let _ = timeout(most, async {
            poll_fn(|context| Pin::new(&mut lock(&self.0).stream).poll_shutdown(context)).await?;
            while let Ok(Ok(1..)) = timeout(
                silence,
                poll_fn(|context| {
                    let mut state = lock(&self.0);
                    state.ahead.clear();
                    state.poll_ahead(context)
                }),
            )
            .await
            {}
            Ok::<_, io::Error>(())
        })
        .await;
    }
}
