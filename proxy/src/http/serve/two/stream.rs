//! HTTP/2 streams: the request of each served, its answer sent.

use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body::Body;
use tracing::debug;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::body::ResponseBody;
use crate::http::caller::Caller;
use crate::http::early::Early;
use crate::http::early::two::Waiting;
use crate::http::exchange::exchange;
use crate::http::headers::HEAD_MAX;
use crate::http::serve::date;
use crate::http::serve::refuse;
use crate::http::serve::two::Open;
use crate::http::serve::two::crew::Desk;
use crate::message::fields;
use crate::message::incoming::Incoming;
use crate::message::pump::Pump;
use crate::message::pump::Stopped;
use crate::proxy::Proxy;

/// A stream to be served.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request<RecvStream>,
    pub(super) respond: SendResponse<Bytes>,
    pub(super) caller: Rc<Caller>,
    pub(super) proxy: Rc<Proxy>,
    pub(super) open: Open,
}

/// Serves each stream that comes to its end, or until its client resets it.
pub(super) async fn serve_each(desk: Rc<Desk>) {
    while let Some(job) = desk.next().await {
        let Job {
            request,
            respond,
            caller,
            proxy,
            open: _open,
        } = job;
        let head_only = request.method() == Method::HEAD;
        let waiting = Waiting::on(respond);
        let interim = waiting.interim();
        let response = match small(&request) {
            Err(failure) => Some(refuse(&request, &failure, &caller, &proxy)),
            Ok(()) => {
                let length = fields::length(request.headers());
                let request = request.map(|stream| Incoming::two(stream, length, None));
                let early = Some(Early::Two(interim.clone()));
                let mut answering = pin!(exchange(request, early, &caller, &proxy));
                // A reset comes first: the request's body breaks off with it, which is no answer for anybody.
                poll_fn(|context| match waiting.poll_reset(context) {
                    Poll::Ready(()) => Poll::Ready(None),
                    Poll::Pending => answering.as_mut().poll(context).map(Some),
                })
                .await
            }
        };
        let (Some(response), Some(respond)) = (response, waiting.take()) else {
            continue;
        };
        match send(response, head_only, respond) {
            Ok(Some(mut pump)) => {
                if let Err(stopped) = (&mut pump).await {
                    if let Stopped::Peer(error) = &stopped {
                        interim.was_reset(error.reason());
                    }
                    debug!(?stopped, "answer not sent to its end");
                }
            }
            Ok(None) => {}
            Err(error) => debug!(%error, "answer not sent"),
        }
    }
}

/// Insists that a request's head is not too large.
fn small(request: &Request<RecvStream>) -> Result<(), Failure> {
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |path| path.as_str().len())
        + uri
            .authority()
            .map_or(0, |authority| authority.as_str().len());
    if target + fields::size(request.headers()) <= HEAD_MAX {
        return Ok(());
    }
    let words = format!("the request's head has more than {HEAD_MAX} bytes");
    Err(Failure::new(Cause::TooLarge, words))
}

/// Sends the head of an answer, and makes ready to send its body, if it has one.
fn send(
    response: Response<ResponseBody>,
    head_only: bool,
    mut respond: SendResponse<Bytes>,
) -> Result<Option<Pump<ResponseBody>>, h2::Error> {
    let (mut parts, body) = response.into_parts();
    fields::strip(&mut parts.headers);
    if !parts.headers.contains_key(header::DATE)
        && let Some(now) = date::now()
    {
        parts.headers.insert(header::DATE, now);
    }
    let bodyless = matches!(
        parts.status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    let ended = body.is_end_stream();
    if !ended
        && !bodyless
        && let Some(length) = body.size_hint().exact()
    {
        let length = HeaderValue::from(length);
        parts
            .headers
            .entry(header::CONTENT_LENGTH)
            .or_insert(length);
    }
    let whole = ended || bodyless || head_only;
    let stream = respond.send_response(Response::from_parts(parts, ()), whole)?;
    Ok((!whole).then(|| Pump::new(body, stream)))
}
