//! HTTP/2: the streams of a connection, each in the hands of a task. The connection ends when it has carried nothing for
//! long.

mod checked;
mod open_streams;
mod stream_job;
mod task_pool;
mod stream;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use egret_config::decide::normalize::limits::HEAD_MAX;
use h2::Reason;
use h2::server::Connection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tracing::debug;

use crate::client::pool::{CONNECTION_WINDOW, STREAM_WINDOW};
use crate::codec::http2_keepalive::{Beat, Keepalive};
use crate::codec::http2_meter::{FLOODED, FramesMetered, Role};
use crate::failure::{ClientLimit, Failure};
use crate::http::downstream::DownstreamConnection;
use crate::http::serve::http2::checked::Checked;
use crate::http::serve::http2::open_streams::Streams;
use crate::http::serve::http2::stream::serve_each;
use crate::http::serve::http2::stream_job::StreamJob;
use crate::http::serve::http2::task_pool::TaskPool;
use crate::http::serve::refusal::overloaded;
use crate::http::serve::wire::set_bytes;
use crate::life::drain::Phase;
use crate::life::files::FdPermit;
use crate::proxy::Proxy;
use crate::report::metrics::limits::Limit;
use crate::report::reporter::{DownstreamWire, FactsGuard};

/// Requests under way at a time.
const STREAMS_MAX: u32 = 1024;

/// Bytes of a header block that the h2 crate reads. It answers what is larger itself and tells nobody, so this is more
/// than what is served: see [`HEAD_MAX`].
const READ_MAX: u32 = 2 * HEAD_MAX as u32;

/// Streams that are begun before other connections have their turn.
const TURN_MAX: usize = 8;

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
/// The client sent what is not HTTP/2, or too much that serves no purpose.
pub(super) async fn serve<S>(
    stream: S,
    downstream: &Rc<DownstreamConnection>,
    proxy: &Rc<Proxy>,
    permit: &mut FdPermit,
) -> Result<(), BadConnection>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let metered = FramesMetered::new(stream, Role::Server, set_bytes);
    let frames = metered.streams();
    let Err(error) = serve_streams(metered, downstream, proxy, permit).await else {
        return Ok(());
    };
    debug!(%error, "client connection ended");
    if frames.is_flooded() {
        proxy.limits.count(Limit::Http2Frames);
        return Err(BadConnection(FLOODED.to_owned()));
    }
    if error.is_library() {
        return Err(BadConnection(error.to_string()));
    }
    Ok(())
}

/// What is lacking for one more stream of a connection that has so many: a descriptor, or its part of the requests in flight.
/// As many as all connections have, so many are left for each: the one that has most is the first to be refused.
fn lacking(has_files: bool, streams: usize, proxy: &Proxy) -> Option<Failure> {
    if !has_files {
        return Some(overloaded());
    }
    let left = proxy.admission.requests_left()?;
    (streams > left).then(|| ClientLimit::Requests.into())
}

/// Why the connection of a client that breaks HTTP/2 was ended.
#[derive(Debug)]
pub(super) struct BadConnection(pub(super) String);

async fn serve_streams<S>(
    metered: FramesMetered<S, Box<FactsGuard>>,
    downstream: &Rc<DownstreamConnection>,
    proxy: &Rc<Proxy>,
    permit: &mut FdPermit,
) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let wire: Rc<dyn DownstreamWire> = metered.streams();
    let mut connection: Connection<Checked<_>, Bytes> = h2::server::Builder::new()
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(READ_MAX)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_pending_accept_reset_streams(RESET_MAX)
        .max_local_error_reset_streams(Some(ERRORS_MAX))
        .handshake(Checked::new(metered))
        .await?;
    let _employer = TaskPool::new();
    let streams = Rc::new(Streams::default());
    let pings = connection.ping_pong();
    let mut http2_keepalive = pings.map(|pings| Keepalive::new(pings, PING_INTERVAL));
    let mut guard = proxy.drain.guard();
    // A connection that comes while the process drains may send a first request.
    let mut waits_for_first = guard.phase() >= Phase::Draining;
    let mut draining = pin!(guard.draining());
    let (mut leaving, mut dismissed) = (false, false);
    let mut idle_since = Instant::now();
    poll_fn(|context| {
        let mut begun = 0;
        loop {
            if begun == TURN_MAX {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            match pin!(connection.accept()).poll(context) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    waits_for_first = false;
                    let job = StreamJob {
                        lacking: lacking(permit.resume(), streams.open.get(), proxy),
                        request,
                        respond,
                        downstream: Rc::clone(downstream),
                        proxy: Rc::clone(proxy),
                        open: Streams::begin(&streams),
                        wire: Rc::clone(&wire),
                    };
                    task_pool::assign(job, serve_each);
                    begun += 1;
                    continue;
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => {}
            }
            if streams.open.get() == 0 && !dismissed {
                permit.park();
                if permit.poll_dismissed(context).is_ready() {
                    dismissed = true;
                    connection.abrupt_shutdown(Reason::NO_ERROR);
                    continue;
                }
            }
            if !leaving && !waits_for_first && draining.as_mut().poll(context).is_ready() {
                leaving = true;
                connection.graceful_shutdown();
                continue;
            }
            let Some(beating) = &mut http2_keepalive else {
                return Poll::Pending;
            };
            match beating.poll(context) {
                Poll::Pending => return Poll::Pending,
                // The peer is gone: no GOAWAY.
                Poll::Ready(Beat::Lost) => return Poll::Ready(Ok(())),
                Poll::Ready(Beat::Due) => {
                    beating.send_ping(PING_INTERVAL);
                    task_pool::dismiss_half();
                    if streams.were_used() {
                        idle_since = Instant::now();
                    } else if !leaving && idle_since.elapsed() >= proxy.client_times.idle {
                        proxy.limits.count(Limit::IdleTime);
                        leaving = true;
                        connection.graceful_shutdown();
                    }
                }
            }
        }
    })
    .await
}
