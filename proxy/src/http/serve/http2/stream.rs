//! HTTP/2 streams: the request of each served, its answer sent.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use egret_config::decide::normalize::limits::{HEAD_MAX, head_too_large};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use tracing::debug;

use crate::codec::body_sender::{BodySender, Stopped};
use crate::codec::fields;
use crate::codec::incoming::Incoming;
use crate::failure::Failure;
use crate::http::body::ResponseBody;
use crate::http::date;
use crate::http::exchange::exchange;
use crate::http::informational::InformationalSender;
use crate::http::informational::http2::PendingResponse;
use crate::http::serve::http2::stream_job::StreamJob;
use crate::http::serve::http2::task_pool::Worker;
use crate::http::serve::refusal::{refuse, report_malformed};
use crate::report::reporter::RequestWire;

/// Serves each stream that comes to its end, or until its client resets it.
pub(super) async fn serve_each(worker: Rc<Worker>) {
    while let Some(job) = worker.next().await {
        let StreamJob {
            request,
            mut respond,
            downstream,
            proxy,
            open: _open,
            wire,
            lacking,
        } = job;
        let wire = RequestWire {
            connection: wire,
            request: u32::from(respond.stream_id()).into(),
            began: None,
        };
        if has_user(&request) {
            respond.send_reset(Reason::PROTOCOL_ERROR);
            report_malformed(
                &request,
                "`:authority` names a user",
                &downstream,
                &proxy,
                wire,
            );
            continue;
        }
        let head_only = request.method() == Method::HEAD;
        let waiting = PendingResponse::on(respond);
        let sender = waiting.sender();
        let servable = match lacking {
            None => small(&request),
            Some(failure) => Err(failure),
        };
        let response = match servable {
            Err(failure) => Some(refuse(&request, &failure, &downstream, &proxy, wire)),
            Ok(()) => {
                let length = fields::length(request.headers());
                let request = request.map(|stream| Incoming::two(stream, length, None));
                let informational = Some(InformationalSender::Http2(sender.clone()));
                let mut answering =
                    pin!(exchange(request, informational, &downstream, &proxy, wire));
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
            Ok(Some(mut body_sender)) => {
                if let Err(stopped) = (&mut body_sender).await {
                    if let Stopped::Peer(error) = &stopped {
                        sender.was_reset(error.reason());
                    }
                    debug!(?stopped, "answer not sent to its end");
                }
            }
            Ok(None) => {}
            Err(error) => debug!(%error, "answer not sent"),
        }
    }
}

/// Whether `:authority` has user information, which makes a request malformed (RFC 9113, 8.3.1).
fn has_user<B>(request: &Request<B>) -> bool {
    let authority = request.uri().authority();
    authority.is_some_and(|authority| authority.as_str().contains('@'))
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
    Err(head_too_large().into())
}

/// Sends the head of an answer, and makes ready to send its body, if it has one.
fn send(
    response: Response<ResponseBody>,
    head_only: bool,
    mut respond: SendResponse<Bytes>,
) -> Result<Option<BodySender<ResponseBody>>, h2::Error> {
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
    Ok((!whole).then(|| BodySender::new(body, stream).with_stall()))
}
