//! HTTP/2: hyper serves all of a connection, which ends when it has carried nothing for long.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use tokio::time::sleep;

use crate::http::caller::Caller;
use crate::http::exchange::exchange;
use crate::http::guarded::Guarded;
use crate::http::headers::HEAD_MAX;
use crate::http::serve::IDLE_MAX;
use crate::proxy::Proxy;
use crate::upstream::pool::CONNECTION_WINDOW;
use crate::upstream::pool::OnThisThread;
use crate::upstream::pool::STREAM_WINDOW;

/// Requests under way at a time.
const STREAMS_MAX: u32 = 1024;

/// Streams that a client may open and reset before we looked at them; with more the connection is ended
/// (CVE-2023-44487).
const RESET_MAX: usize = 50;

/// Streams that we may have to reset for the client's mistakes; with more the connection is ended.
const ERRORS_MAX: usize = 1024;

/// How often a connection's client is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(60);

/// Serves until either side ends the connection, or, once the process drains, to the end of the requests under way.
///
/// # Errors
/// What the client sent that is not HTTP/2, and errors of its connection.
pub(super) async fn serve<S>(stream: S, caller: &Rc<Caller>, proxy: &Rc<Proxy>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let streams = Rc::new(Streams::default());
    let service = service_fn(|request| {
        let (caller, proxy) = (Rc::clone(caller), Rc::clone(proxy));
        let held = Streams::begin(&streams);
        async move {
            let response = exchange(request.map(crate::message::incoming::Incoming::One), &caller, &proxy).await;
            Ok::<_, Infallible>(response.map(|body| Guarded::new(body, held)))
        }
    });
    let serving = http2::Builder::new(OnThisThread)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_MAX as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_pending_accept_reset_streams(RESET_MAX)
        .max_local_error_reset_streams(ERRORS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let mut guard = proxy.drain.guard();
    tokio::select! {
        ended = &mut serving => return ended,
        () = guard.draining() => {}
        () = streams.idle() => {}
    }
    serving.as_mut().graceful_shutdown();
    serving.await
}

/// The streams of a connection: how many there are, and since when there are none.
#[derive(Debug)]
struct Streams {
    open: Cell<usize>,
    used: Cell<Instant>,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            open: Cell::new(0),
            used: Cell::new(Instant::now()),
        }
    }
}

impl Streams {
    fn begin(this: &Rc<Self>) -> Open {
        this.open.set(this.open.get() + 1);
        Open(Rc::clone(this))
    }

    /// Returns when there was none for as long as may be. Looks now and then: not a timer for each stream.
    async fn idle(&self) {
        loop {
            let since = match self.open.get() {
                0 => self.used.get().elapsed(),
                _ => Duration::ZERO,
            };
            match IDLE_MAX.checked_sub(since) {
                Some(rest) if !rest.is_zero() => sleep(rest).await,
                _ => return,
            }
        }
    }
}

/// A stream, from its request to the end of its answer.
#[derive(Debug)]
struct Open(Rc<Streams>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.used.set(Instant::now());
    }
}
