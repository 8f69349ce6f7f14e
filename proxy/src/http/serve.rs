//! hyper's server on one client connection.

mod one;

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use egret_config::decide::call::HttpVersion;
use http::Version;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tracing::debug;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::caller::Caller;
use crate::http::exchange::exchange;
use crate::life::files::Held;
use crate::proxy::Proxy;
use crate::upstream::pool::CONNECTION_WINDOW;
use crate::upstream::pool::OnThisThread;
use crate::upstream::pool::STREAM_WINDOW;

/// Bytes of a request's header block; with more it is answered 431.
const HEAD_MAX: usize = 64 * 1024;

/// Requests of one HTTP/2 connection under way at a time.
const STREAMS_MAX: u32 = 1024;

/// Streams of one HTTP/2 connection that its client may open and reset before we looked at them; with more it is ended
/// (CVE-2023-44487).
const RESET_MAX: usize = 50;

/// Streams of one HTTP/2 connection that we may have to reset for the client's mistakes; with more it is ended.
const ERRORS_MAX: usize = 1024;

/// Serves a connection until either side ends it, or, once the process drains, to the end of the request under way.
pub async fn serve<S>(
    stream: S,
    version: HttpVersion,
    caller: Rc<Caller>,
    proxy: Rc<Proxy>,
    mut held: Held,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match version {
        HttpVersion::One => one::serve(stream, &caller, &proxy, &mut held).await,
        HttpVersion::Two => {
            // Boxed: it is far larger than what HTTP/1 needs.
            if let Err(error) = Box::pin(two(stream, &caller, &proxy)).await {
                debug!(%error, "client connection ended");
                report_unreadable(&error, &caller, &proxy);
            }
        }
    }
}

async fn two<S>(stream: S, caller: &Rc<Caller>, proxy: &Rc<Proxy>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let (caller, proxy) = (Rc::clone(caller), Rc::clone(proxy));
        async move { Ok::<_, Infallible>(exchange(request, &caller, &proxy).await) }
    });
    let serving = http2::Builder::new(OnThisThread)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_MAX as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_pending_accept_reset_streams(RESET_MAX)
        .max_local_error_reset_streams(ERRORS_MAX)
        .keep_alive_interval(Duration::from_secs(60))
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let mut guard = proxy.drain.guard();
    tokio::select! {
        ended = &mut serving => ended,
        () = guard.draining() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    }
}

/// A request that is not HTTP never becomes one of ours: hyper answers it. The log has it all the same.
fn report_unreadable(error: &hyper::Error, caller: &Caller, proxy: &Proxy) {
    let Some(cause) = unreadable(error) else {
        return;
    };
    let mut record = caller.record(proxy);
    record.protocol = Some(Version::HTTP_2);
    record.request_failed(&Failure::new(cause, error.to_string()));
    record.end();
}

/// What is wrong with a request that hyper could not read.
fn unreadable(error: &hyper::Error) -> Option<Cause> {
    if error.is_parse_too_large() {
        Some(Cause::TooLarge)
    } else if error.is_parse() {
        Some(Cause::BadRequest)
    } else {
        None
    }
}
