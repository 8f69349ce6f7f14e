//! hyper's server on one client connection.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use egret_config::decide::call::HttpVersion;
use hyper::server::conn::http1;
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
use crate::proxy::Proxy;
use crate::upstream::pool::CONNECTION_WINDOW;
use crate::upstream::pool::OnThisThread;
use crate::upstream::pool::STREAM_WINDOW;

/// Header lines of a request; with more it is answered 431.
const HEADERS_MAX: usize = 100;

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
pub async fn serve<S>(stream: S, version: HttpVersion, caller: Rc<Caller>, proxy: Rc<Proxy>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let service = service_fn(|request| {
        let (caller, proxy) = (Rc::clone(&caller), Rc::clone(&proxy));
        async move { Ok::<_, Infallible>(exchange(request, &caller, &proxy).await) }
    });
    let mut guard = proxy.drain.guard();
    let ended = match version {
        HttpVersion::One => {
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                // The client is the application beside us or a pod that keeps connections open: neither is hurried.
                .header_read_timeout(None)
                .half_close(true)
                .preserve_header_case(true)
                .max_headers(HEADERS_MAX)
                .max_buf_size(HEAD_MAX)
                .serve_connection(io, service);
            let mut serving = pin!(serving.with_upgrades());
            tokio::select! {
                ended = &mut serving => ended,
                () = guard.draining() => {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            }
        }
        HttpVersion::Two => {
            let serving = http2::Builder::new(OnThisThread)
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS_MAX)
                .max_header_list_size(HEAD_MAX as u32)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_pending_accept_reset_streams(RESET_MAX)
                .max_local_error_reset_streams(ERRORS_MAX)
                .keep_alive_interval(Duration::from_secs(60))
                .serve_connection(io, service);
            let mut serving = pin!(serving);
            tokio::select! {
                ended = &mut serving => ended,
                () = guard.draining() => {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            }
        }
    };
    if let Err(error) = ended {
        debug!(%error, "client connection ended");
        report_unreadable(&error, version, &caller, &proxy);
    }
}

/// A request that is not HTTP never becomes one of ours: hyper answers it. The log has it all the same.
fn report_unreadable(error: &hyper::Error, version: HttpVersion, caller: &Caller, proxy: &Proxy) {
    let cause = match () {
        () if error.is_parse_too_large() => Cause::TooLarge,
        () if error.is_parse() => Cause::BadRequest,
        () => return,
    };
    let mut record = caller.record(proxy);
    record.protocol = Some(match version {
        HttpVersion::One => http::Version::HTTP_11,
        HttpVersion::Two => http::Version::HTTP_2,
    });
    record.request_failed(&Failure::new(cause, error.to_string()));
    record.end();
}
