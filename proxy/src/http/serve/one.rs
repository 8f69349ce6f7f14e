//! HTTP/1: hyper serves while there is something to do, and is let go when there is not. A connection that waits for
//! its client's next request holds its socket and little else.

use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use egret_config::snapshot::workload::Mode;
use futures_util::future::Either;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use http::header;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tracing::debug;

use crate::failure::Bad;
use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::body::ResponseBody;
use crate::http::caller::Caller;
use crate::http::early::Early;
use crate::http::exchange::exchange;
use crate::http::framing::Flaw;
use crate::http::framing::target;
use crate::http::headers::HEAD_MAX;
use crate::http::line;
use crate::http::line::Seen;
use crate::http::line::Watch;
use crate::http::line::interim::written;
use crate::http::serve::IDLE_MAX;
use crate::http::serve::date;
use crate::http::serve::refusal;
use crate::http::serve::refuse;
use crate::life::drain::Guard;
use crate::life::files::Held;
use crate::message::incoming::Incoming as Message;
use crate::proxy::Proxy;

/// How long a client of a gateway may take for the head of a request, from its first byte.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);

/// A connection whose client speaks again within this is lively: hyper waits with it for as long.
const LIVELY: Duration = Duration::from_millis(250);

/// Serves until either side ends the connection, or, once the process drains, to the end of the request under way.
pub(super) async fn serve<S>(stream: S, caller: &Caller, proxy: &Rc<Proxy>, held: &mut Held)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let watch = line::watched(stream);
    let mut guard = proxy.drain.guard();
    let mut lively = false;
    loop {
        // Boxed, to be let go.
        if let After::Over = Box::pin(busy(&watch, lively, caller, proxy, &mut guard)).await {
            return;
        }
        held.rest();
        let since = Instant::now();
        let spoken = tokio::select! {
            biased;
            spoken = timeout(IDLE_MAX, watch.spoken()) => spoken.unwrap_or(false),
            () = guard.draining() => false,
        };
        if !spoken {
            return watch.close().await;
        }
        lively = since.elapsed() < LIVELY;
        held.work().await;
    }
}

/// How a connection goes on.
enum After {
    /// With the client's next word.
    Idle,
    /// Not at all.
    Over,
}

/// Serves the requests that come, until there are none.
async fn busy<S>(
    watch: &Watch<S>,
    lively: bool,
    caller: &Caller,
    proxy: &Rc<Proxy>,
    guard: &mut Guard,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // What this returns is kept by hyper as long as it serves, hence boxed.
    let service = service_fn(|request| Box::pin(answer_to(request, watch, caller, proxy)));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        // Hyper's limit counts the time between requests, too; ours does not.
        .header_read_timeout(None)
        .half_close(true)
        .preserve_header_case(true)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(watch.line()), service);
    let mut serving = pin!(serving.with_upgrades());
    // The application beside us is not hurried.
    let head_max = match proxy.current.load().workload.mode {
        Mode::Sidecar => None,
        Mode::Gateway => Some(HEAD_TIME_MAX),
    };
    let mut idle_matters = !lively;
    // Not a timer for each request: it is looked now and then whether there was one.
    let mut look = pin!(sleep(LIVELY));
    let mut draining = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut serving => {
                end(ended, watch, caller, proxy).await;
                return After::Over;
            }
            seen = watch.sees(head_max, idle_matters) => {
                if seen == Seen::Idle {
                    return After::Idle;
                }
                debug!(?seen, "client connection ended");
                return After::Over;
            }
            () = guard.draining(), if !draining => {
                draining = true;
                serving.as_mut().graceful_shutdown();
            }
            () = &mut look, if !idle_matters => {
                idle_matters = !watch.was_used();
                look.as_mut().reset(Instant::now() + LIVELY);
            }
        }
    }
}

async fn answer_to<S>(
    mut request: Request<Incoming>,
    watch: &Watch<S>,
    caller: &Caller,
    proxy: &Rc<Proxy>,
) -> Result<Response<line::interim::Busy<ResponseBody>>, Infallible>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let begun = watch.begin();
    let version = request.version();
    let mut wrong = begun.flaw.map(Failure::from);
    if !begun.odd.is_empty() {
        match target::restored(request.uri(), &begun.odd) {
            Some(target) => *request.uri_mut() = target,
            None => {
                let words = "the request's target, escaped, is too long";
                wrong = Some(Failure::new(Cause::TooLarge, words));
            }
        }
    }
    let answering = match wrong {
        Some(wrong) => Either::Left(ready(refuse(&request, &wrong, caller, proxy))),
        None => {
            let early = (version == Version::HTTP_11).then(|| Early::One(begun.early.clone()));
            Either::Right(exchange(request.map(Message::One), early, caller, proxy))
        }
    };
    let mut response = answering.await;
    if watch.is_in_body() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // An answer before the request's end is the last one, as with Envoy: of ours, nobody reads the rest.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    Ok(watch.answered(response, version, begun.early))
}

/// Ends a connection that hyper is done with.
async fn end<S>(ended: hyper::Result<()>, watch: &Watch<S>, caller: &Caller, proxy: &Rc<Proxy>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Err(error) = ended else {
        return watch.close().await;
    };
    debug!(%error, "client connection ended");
    let failure = match watch.unread_flaw() {
        Some(flaw) if error.is_parse() => Failure::from(flaw),
        _ => match unreadable(&error) {
            Some(cause) => Failure::new(cause, error.to_string()),
            None => return,
        },
    };
    // A request that is not HTTP never becomes one of ours. The log has it all the same.
    let mut record = caller.record(proxy);
    record.protocol = Some(Version::HTTP_11);
    record.request_failed(&failure);
    if watch.may_refuse() {
        let (parts, body) = refusal(&failure, false, proxy).into_parts();
        let mut headers = parts.headers;
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        if let Some(now) = date::now() {
            headers.insert(header::DATE, now);
        }
        let mut answer = written(parts.status, &headers);
        answer.extend_from_slice(&body);
        if watch.refuse(&answer).await.is_ok() {
            record.bytes_sent = body.len() as u64;
        }
    }
    record.end();
    watch.close().await;
}

/// What is wrong with a request that hyper could not read.
fn unreadable(error: &hyper::Error) -> Option<Cause> {
    if error.is_parse_too_large() {
        Some(Cause::TooLarge)
    } else if error.is_parse() {
        Some(Cause::BadRequest(Bad::Syntax))
    } else {
        None
    }
}

impl From<Flaw> for Failure {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::LengthAndCoding => Self::new(
                Cause::BadRequest(Bad::Framing),
                "the request has both Content-Length and Transfer-Encoding",
            ),
            Flaw::Lengths => Self::new(
                Cause::BadRequest(Bad::Syntax),
                "the request says its length twice",
            ),
            Flaw::Coding => Self::new(
                Cause::Coding,
                "the request's last transfer coding is not chunked",
            ),
        }
    }
}
