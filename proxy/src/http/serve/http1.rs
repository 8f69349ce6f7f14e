//! HTTP/1: hyper serves while there is something to do, and is let go when there is not. A connection that waits for
//! its client's next request holds its socket and little else.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use egret_config::decide::bad_request::BadRequestKind;
use egret_config::decide::normalize::limits;
use egret_config::decide::normalize::limits::HEAD_MAX;
use futures_util::future::Either;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use crate::codec::incoming::Incoming as Message;
use crate::failure::{Cause, Failure};
use crate::http::body::ResponseBody;
use crate::http::downstream::DownstreamConnection;
use crate::http::exchange::exchange;
use crate::http::framing::{Flaw, target};
use crate::http::http1_io::informational::written;
use crate::http::http1_io::{ConnectionEvent, ConnectionMonitor};
use crate::http::informational::InformationalSender;
use crate::http::serve::refusal::{overloaded, refusal, refuse};
use crate::http::serve::wire::Http1Wire;
use crate::http::{date, http1_io};
use crate::life::drain::{Guard, Phase};
use crate::life::files::FdPermit;
use crate::life::stalled::Stall;
use crate::proxy::Proxy;
use crate::report::metrics::limits::Limit;

/// A connection whose client speaks again within this is lively: hyper waits with it for as long.
const LIVELY: Duration = Duration::from_millis(250);

/// Serves until either side ends the connection. Once the process drains, the next answer is the last one; a connection that
/// idles then waits for one more request, until idle connections are closed.
pub(super) async fn serve<S>(
    stream: S,
    downstream: &DownstreamConnection,
    proxy: &Rc<Proxy>,
    permit: &mut FdPermit,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let monitor = http1_io::watched(stream);
    let mut guard = proxy.drain.guard();
    // A connection that comes while idle ones are closed gets one answer.
    let is_late = guard.phase() >= Phase::Closing;
    let mut serving = Serving {
        monitor: &monitor,
        wire: Http1Wire::of(&monitor),
        downstream,
        proxy,
        lively: false,
        room: true,
        leaving: Cell::new(false),
        is_late,
    };
    loop {
        // Boxed, to be let go.
        if let After::Over = Box::pin(serving.busy(&mut guard)).await {
            serving.wire.report();
            return;
        }
        permit.park();
        let since = Instant::now();
        let closes = !serving.waits_for_first();
        let has_input = tokio::select! {
            biased;
            has_input = timeout(proxy.client_times.idle, monitor.wait_for_input()) => {
                has_input.unwrap_or_else(|_| {
                    proxy.limits.count(Limit::IdleTime);
                    false
                })
            }
            () = poll_fn(|context| permit.poll_dismissed(context)) => return monitor.hang_up().await,
            () = guard.closing(), if closes => false,
        };
        if !has_input {
            return monitor.close().await;
        }
        serving.lively = since.elapsed() < LIVELY;
        serving.room = permit.resume();
    }
}

/// What serves the requests of a connection.
struct Serving<'c, S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    monitor: &'c ConnectionMonitor<S>,
    wire: Rc<Http1Wire<S>>,
    downstream: &'c DownstreamConnection,
    proxy: &'c Rc<Proxy>,
    /// The client speaks soon after it was answered.
    lively: bool,
    /// There are descriptors for the requests that come.
    room: bool,
    /// The next answer is the last one.
    leaving: Cell<bool>,
    /// The connection came while idle ones were closed.
    is_late: bool,
}

/// How a connection goes on.
enum After {
    /// When the client sends again.
    Idle,
    /// Not at all.
    Over,
}

impl<S> Serving<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    /// Whether the connection, though idle ones are closed, stays for its first request.
    fn waits_for_first(&self) -> bool {
        self.is_late && !self.monitor.has_begun()
    }

    /// Serves the requests that come, until there are none.
    async fn busy(&self, guard: &mut Guard) -> After {
        let monitor = self.monitor;
        // What this returns is kept by hyper as long as it serves, hence boxed.
        let service = service_fn(|request| Box::pin(self.answer_to(request)));
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            // Hyper's limit counts the time between requests, too; ours does not.
            .header_read_timeout(None)
            .half_close(true)
            .preserve_header_case(true)
            .max_buf_size(HEAD_MAX)
            .serve_connection(TokioIo::new(monitor.line()), service);
        let mut serving = pin!(serving.with_upgrades());
        let head_max = self.proxy.client_times.head;
        let (mut idle_matters, mut stall) = (!self.lively, Stall::default());
        // Not a timer for each request: it is looked now and then whether there was one.
        let mut look = pin!(sleep(LIVELY));
        let mut phase = Phase::Running;
        loop {
            tokio::select! {
                biased;
                ended = &mut serving => {
                    self.wire.report();
                    self.end(ended).await;
                    return After::Over;
                }
                seen = self.next_event(head_max, idle_matters, &mut stall) => {
                    if seen == ConnectionEvent::Idle {
                        return After::Idle;
                    }
                    if seen == ConnectionEvent::Slow {
                        self.proxy.limits.count(Limit::HeadTime);
                    }
                    debug!(?seen, "client connection ended");
                    return After::Over;
                }
                reached = guard.beyond(phase), if phase < Phase::Closing => {
                    phase = reached;
                    self.leaving.set(phase >= Phase::Draining);
                    // Hyper ends a connection at once on which nothing was read yet.
                    if phase >= Phase::Closing && !self.waits_for_first() {
                        serving.as_mut().graceful_shutdown();
                    }
                }
                () = &mut look, if !idle_matters => {
                    idle_matters = !monitor.was_used();
                    look.as_mut().reset(Instant::now() + LIVELY);
                }
            }
        }
    }

    /// The next event of the connection. What is written by now is reported meanwhile.
    async fn next_event(
        &self,
        head_max: Option<Duration>,
        idle_matters: bool,
        stall: &mut Stall,
    ) -> ConnectionEvent {
        let mut event = pin!(self.monitor.next_event(head_max, idle_matters, stall));
        poll_fn(|context| {
            self.wire.report_sent();
            event.as_mut().poll(context)
        })
        .await
    }

    async fn answer_to(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<http1_io::informational::Busy<ResponseBody>>, Infallible> {
        let (monitor, downstream, proxy) = (self.monitor, self.downstream, self.proxy);
        self.wire.report();
        let begun = monitor.begin();
        let wire = self.wire.request(begun.number, begun.began);
        let version = request.version();
        let mut wrong = begun.flaw.map(Failure::from);
        if !self.room {
            wrong = Some(overloaded());
        }
        if !begun.odd.is_empty() {
            match target::restored(request.uri(), &begun.odd) {
                Some(target) => *request.uri_mut() = target,
                None => {
                    let message = "the request's target, escaped, is too long";
                    wrong = Some(Failure::new(
                        Cause::BadRequest(BadRequestKind::TooLarge),
                        message,
                    ));
                }
            }
        }
        let answering = match wrong {
            Some(wrong) => Either::Left(ready(refuse(&request, &wrong, downstream, proxy, wire))),
            None => {
                let informational = (version == Version::HTTP_11)
                    .then(|| InformationalSender::Http1(begun.informational.clone()));
                Either::Right(exchange(
                    request.map(Message::Http1),
                    informational,
                    downstream,
                    proxy,
                    wire,
                ))
            }
        };
        let mut response = answering.await;
        // An answer before the request's end is the last one, as with Envoy: of ours, nobody reads the rest.
        let is_last = monitor.is_in_body() || self.leaving.get() || !self.room;
        if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Ok(monitor.answered(response, version, begun.informational))
    }

    /// Ends a connection that hyper is done with.
    async fn end(&self, ended: hyper::Result<()>) {
        let (monitor, proxy) = (self.monitor, self.proxy);
        let Err(error) = ended else {
            return monitor.close().await;
        };
        debug!(%error, "client connection ended");
        let failure = match monitor.unread_flaw() {
            Some(flaw) if error.is_parse() => Failure::from(flaw),
            _ => match unreadable(&error) {
                Some(cause) => Failure::new(cause, error.to_string()),
                // What came behind a request is not the next one.
                None if error.is_incomplete_message() && monitor.has_served() => {
                    Failure::new(Cause::BadRequest(BadRequestKind::Syntax), error.to_string())
                }
                None => return,
            },
        };
        // A request that is not HTTP never becomes one of ours. The log has it all the same.
        let wire = self.wire.request(monitor.unread_number(), None);
        let mut facts = self.downstream.facts(proxy, Some(wire));
        facts.request.protocol = Some(Version::HTTP_11);
        facts.set_request_failure(&failure);
        if monitor.may_refuse() || error.is_incomplete_message() {
            let (parts, body) = refusal(&failure, false, proxy).into_parts();
            let mut headers = parts.headers;
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            if let Some(now) = date::now() {
                headers.insert(header::DATE, now);
            }
            let mut answer = written(parts.status, &headers);
            answer.extend_from_slice(&body);
            if monitor.refuse(&answer).await.is_ok() {
                facts.bytes_sent = body.len() as u64;
            }
        }
        facts.end();
        monitor.close().await;
    }
}

/// What is wrong with a request that hyper could not read.
fn unreadable(error: &hyper::Error) -> Option<Cause> {
    if error.is_parse_too_large() {
        Some(Cause::BadRequest(BadRequestKind::TooLarge))
    } else if error.is_parse() {
        Some(Cause::BadRequest(BadRequestKind::Syntax))
    } else {
        None
    }
}

impl From<Flaw> for Failure {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::LengthAndCoding => limits::length_and_coding().into(),
            Flaw::Lengths => limits::two_lengths().into(),
            Flaw::Coding => Self::new(
                Cause::BadRequest(BadRequestKind::Coding),
                "the request's last transfer coding is not chunked",
            ),
        }
    }
}
