//! One request, from its head to the head of its answer: read, decide, act, answer.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use egret_config::decide;
use egret_config::decide::flag::Flag;
use egret_config::decide::local_reply;
use egret_config::decide::normalize::{hop, normalize};
use egret_config::decide::outcome::{CORS_RESPONSE, DIRECT_RESPONSE, OutcomeKind};
use egret_config::decide::verdict::{Answer, RequestDecision, RequestVerdict};
use egret_config::grpc::GrpcStatus;
use egret_config::log_format::TimePoint;
use egret_config::model::mesh::ProxyHeaders;
use egret_config::model::route::{Cors, HeaderChanges};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::client::body::{Received, RequestBody};
use crate::codec::incoming::Incoming;
use crate::dice;
use crate::failure::{Cause, Failure};
use crate::http::body::{ResponseBody, Source};
use crate::http::downstream::{DownstreamConnection, ExchangeContext};
use crate::http::fault::Aborted;
use crate::http::forward::Answered;
use crate::http::informational::InformationalSender;
use crate::http::outgoing::Outgoing;
use crate::http::{answer, connect, cors, date, deadline, fault, forward, headers, trace, upgrade};
use crate::proxy::Proxy;
use crate::report::call_destination::CallDestination;
use crate::report::facts::Part;
use crate::report::reporter::RequestWire;

/// Serves one request, whose bytes `wire` counts.
pub async fn exchange(
    request: Request<Incoming>,
    informational: Option<InformationalSender>,
    downstream: &DownstreamConnection,
    proxy: &Rc<Proxy>,
    wire: RequestWire,
) -> Response<ResponseBody> {
    let mut facts = downstream.facts(proxy, Some(wire));
    if let Some(InformationalSender::Http2(sender)) = &informational {
        facts.watch_stream(sender.stream());
    }
    let grpc = answer::is_grpc(request.headers());
    let snapshot = proxy.current.load();
    let head = *request.method() == Method::HEAD;
    let mut context = ExchangeContext {
        downstream,
        snapshot: &snapshot,
        proxy,
        facts,
        client_version: request.version(),
        head,
        received: Received::default(),
        tries: 0,
        grpc,
        deadline: deadline::of_client(grpc, request.headers()).map(|limit| Instant::now() + limit),
        trace: None,
    };

    let (mut outgoing, decision) = {
        // A block of its own, so that this does not take room until the response.
        let read = read(request, &mut context);
        context.facts.request.grpc = grpc;
        match read {
            Ok((outgoing, decision)) => (
                Outgoing {
                    informational,
                    ..outgoing
                },
                decision,
            ),
            Err(failure) => return refuse(&failure, ResponseEdits::default(), context),
        }
    };
    context.facts.watch_body(context.received.counter());
    if grpc {
        context.received.count_messages();
    }
    if context.facts.times.is_some() {
        context.received.note_time();
    }
    context.facts.decision.verdict = Some(OutcomeKind::of_exchange(&decision));
    context.facts.decision.route.clone_from(&decision.route);
    context.facts.set_reasons(&decision.trail);
    trace::begin(&mut outgoing, &decision, &mut context);
    debug!(
        destination = %CallDestination(&context.facts),
        verdict = OutcomeKind::of_exchange(&decision).name(),
        reasons = %decision.trail,
        "request decided"
    );
    let mut edits = ResponseEdits {
        changes: changes(&decision),
        cors: None,
    };
    match inject(&decision, &mut context).await {
        Some(Aborted::Grpc(status)) => return grpc_aborted(status, edits, context),
        Some(Aborted::Http(failure)) => return refuse(&failure, edits, context),
        None => {}
    }
    if let Some(cors) = decision.filters.and_then(|filters| filters.cors.as_ref()) {
        match cors::verdict(cors, &outgoing.parts.method, &outgoing.parts.headers) {
            cors::Verdict::Pass => {}
            cors::Verdict::Mark(origin) => edits.cors = Some((cors, origin)),
            cors::Verdict::Answer(response) => {
                set_cluster(&decision, &mut context);
                return preflight(response, context);
            }
        }
    }
    let answered = match decision.verdict {
        RequestVerdict::Passthrough => forward::pass(outgoing, &mut context).await,
        RequestVerdict::Forward(to) => forward::forward(outgoing, &to, &mut context).await,
        RequestVerdict::Answer(answer) => {
            return local_reply(answer::answered(&answer, context.grpc), edits, context);
        }
        RequestVerdict::Refuse(refusal) => Err(refusal.into()),
    };
    match answered {
        Ok(answered) => forward_response(answered, edits, context),
        Err(failure) => refuse(&failure, edits, context),
    }
}

/// What a route does to every answer to its requests, ours included.
#[derive(Default)]
struct ResponseEdits<'s> {
    changes: [Option<&'s HeaderChanges>; 2],
    /// The origin whose pages may read the answer.
    cors: Option<(&'s Cors, HeaderValue)>,
}

impl ResponseEdits<'_> {
    /// Edits a local reply. A route cannot remove its content type.
    fn apply_to_local_reply(self, headers: &mut HeaderMap, own: &ProxyHeaders) {
        let kind = headers.get(header::CONTENT_TYPE).cloned();
        self.apply(headers, own);
        if let Some(kind) = kind {
            headers.entry(header::CONTENT_TYPE).or_insert(kind);
        }
    }

    /// Edits a response and sets `server`. A route may remove our own headers, too, but not name another server.
    fn apply(self, headers: &mut HeaderMap, own: &ProxyHeaders) {
        headers::sign_response(headers, own);
        let mut apply = false;
        for changes in self.changes.into_iter().flatten() {
            headers::change(headers, &changes.response);
            apply |= !changes.response.set.is_empty() || !changes.response.add.is_empty();
        }
        if let Some((cors, origin)) = self.cors {
            cors::allow_origin(cors, origin, headers);
        }
        if apply && headers.contains_key(header::SERVER) {
            headers::sign_response(headers, own);
        }
    }
}

/// Normalizes a request and decides it.
fn read<'s>(
    request: Request<Incoming>,
    context: &mut ExchangeContext<'s>,
) -> Result<(Outgoing, RequestDecision<'s>), Failure> {
    let (downstream, snapshot) = (context.downstream.downstream(), context.snapshot);
    let (parts, body) = request.into_parts();
    match context.proxy.admission.request() {
        Ok(admitted) => context.facts.admit(admitted),
        Err(limit) => {
            context.facts.set_parts(&parts);
            return Err(limit.into());
        }
    }
    if parts.method == Method::CONNECT {
        context.facts.set_parts(&parts);
        return Err(connect::refuse(&parts, context));
    }
    let request = match normalize(parts, &downstream, snapshot, headers::new_request_id) {
        Ok(request) => request,
        Err(rejected) => {
            context.facts.set_parts(&rejected.parts);
            return Err(rejected.reason.into());
        }
    };
    context.facts.set_normalized(&request);
    context
        .facts
        .keep_headers(Part::Request, &request.parts.headers);
    let decision = decide::request(snapshot, &request.question(&downstream), &mut dice::roll);
    let body = RequestBody::of_client(body, request.parts.version);
    context.received = body.received();
    Ok((Outgoing::new(request, body), decision))
}

/// The header changes of a route that are left to do on its answers.
fn changes<'s>(decision: &RequestDecision<'s>) -> [Option<&'s HeaderChanges>; 2] {
    match &decision.verdict {
        RequestVerdict::Forward(to) => to.headers,
        RequestVerdict::Refuse(_) => {
            let filters = decision.filters;
            [filters.and_then(|filters| filters.headers.as_ref()), None]
        }
        RequestVerdict::Answer(
            Answer::Redirect { headers, .. } | Answer::Respond { headers, .. },
        ) => [*headers, None],
        RequestVerdict::Passthrough => [None, None],
    }
}

/// The faults of a rule, before anything else.
async fn inject(
    decision: &RequestDecision<'_>,
    context: &mut ExchangeContext<'_>,
) -> Option<Aborted> {
    let fault = decision.filters?.fault.as_ref()?;
    set_cluster(decision, context);
    fault::inject(fault, &mut context.facts.flags, &mut dice::roll).await
}

/// Sets the cluster that a request was decided to go to, though it may be answered here.
fn set_cluster(decision: &RequestDecision<'_>, context: &mut ExchangeContext<'_>) {
    let name = decision.trail.cluster;
    let cluster = name.and_then(|name| context.snapshot.clusters.get(name));
    context.facts.decision.cluster = name.map(Arc::from);
    context.facts.decision.service = cluster.map(|cluster| cluster.service.clone());
}

/// The answer of a fault that has a gRPC status.
fn grpc_aborted(
    status: GrpcStatus,
    edits: ResponseEdits<'_>,
    mut context: ExchangeContext<'_>,
) -> Response<ResponseBody> {
    context.facts.flags.raise(Flag::FI);
    context.facts.decision.verdict = Some(OutcomeKind::Fault);
    let mut response = answer::grpc_aborted(status, context.grpc);
    edits.apply_to_local_reply(response.headers_mut(), context.proxy_headers());
    let details = local_reply::fault_abort(200).details;
    context.facts.set_response(response.status(), details);
    finish(response, context)
}

/// An upstream's answer, on its way to the client.
fn forward_response(
    answered: Answered,
    edits: ResponseEdits<'_>,
    mut context: ExchangeContext<'_>,
) -> Response<ResponseBody> {
    let Answered {
        reply,
        deadline,
        upgrade,
    } = answered;
    let mut response = reply.response;
    context
        .facts
        .set_response(response.status(), "via_upstream");
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let upgrade = upgrade
        .filter(|_| switching)
        .map(|client| (client, hyper::upgrade::on(&mut response)));

    let (mut parts, incoming) = response.into_parts();
    // Whatever the upstream speaks: hyper knows what the client does.
    parts.version = Version::HTTP_11;
    let token = match &upgrade {
        Some(_) => parts.headers.get(header::UPGRADE).cloned(),
        None => None,
    };
    // What has no content may say all the same how it would be framed.
    let framing = match context.head || parts.status == StatusCode::NOT_MODIFIED {
        true => parts.headers.remove(header::TRANSFER_ENCODING),
        false => None,
    };
    hop::strip_response(&mut parts.headers);
    if let Some(framing) = framing {
        parts.headers.insert(header::TRANSFER_ENCODING, framing);
    }
    if let Some(cookie) = reply.cookie {
        parts.headers.append(header::SET_COOKIE, cookie);
    }
    // What is said before the whole question was heard is no measure of the upstream's time, nor is a consent to upgrade.
    if context.received.is_complete() && !switching {
        context.facts.response.upstream_service_time = Some(reply.took);
        if context.proxy_headers().debug {
            headers::set_service_time(&mut parts.headers, reply.took);
        }
    }
    edits.apply(&mut parts.headers, context.proxy_headers());
    let upgrade = upgrade.inspect(|_| {
        let token = token.unwrap_or(HeaderValue::from_static("websocket"));
        upgrade::renew(&mut parts.headers, token);
    });
    set_response_headers(&mut context, &parts.headers, None);
    context.facts.reached(TimePoint::DownstreamSendBegin);
    let body = match upgrade {
        Some((client, upstream)) => {
            spawn_local(upgrade::pass(client, upstream, reply.lease, context.facts));
            ResponseBody::silent()
        }
        None => {
            // A timer that the body looks at: the route's time limit goes on until its end.
            let limit = deadline.map(|deadline| Box::pin(sleep_until(deadline)));
            let source = Source::Upstream {
                incoming,
                lease: Some(Box::new(reply.lease)),
                limit,
            };
            // Only HTTP/2 has trailers that need not be announced.
            let trailers = context.client_version == Version::HTTP_2;
            let body = ResponseBody::new(source, context.facts, context.received);
            if context.grpc && trailers {
                body.for_grpc(context.deadline)
            } else {
                body
            }
        }
    };
    Response::from_parts(parts, body)
}

/// Our answer to a request that failed or is refused.
fn refuse(
    failure: &Failure,
    edits: ResponseEdits<'_>,
    mut context: ExchangeContext<'_>,
) -> Response<ResponseBody> {
    debug!(%failure, "request failed");
    context.facts.set_request_failure(failure);
    let mut response = answer::failed(failure, context.grpc, context.tries > 1);
    if answer::is_late(failure, context.deadline) {
        answer::tell_late(response.headers_mut());
    }
    if context.grpc && failure.status().is_some() {
        context.facts.response.code = Some(response.status());
    }
    if context.proxy_headers().debug && *failure.cause() == Cause::Overflow {
        answer::set_overloaded(response.headers_mut());
    }
    edits.apply_to_local_reply(response.headers_mut(), context.proxy_headers());
    finish(response, context)
}

/// Our answer because a route asks for it.
fn local_reply(
    mut response: Response<Bytes>,
    edits: ResponseEdits<'_>,
    mut context: ExchangeContext<'_>,
) -> Response<ResponseBody> {
    edits.apply(response.headers_mut(), context.proxy_headers());
    context
        .facts
        .set_response(response.status(), DIRECT_RESPONSE);
    finish(response, context)
}

/// Our answer to a question of a browser.
fn preflight(
    mut response: Response<Bytes>,
    mut context: ExchangeContext<'_>,
) -> Response<ResponseBody> {
    headers::sign_response(response.headers_mut(), context.proxy_headers());
    context.facts.decision.verdict = Some(OutcomeKind::DirectResponse);
    context.facts.set_response(response.status(), CORS_RESPONSE);
    finish(response, context)
}

/// Sets the facts of a response's head, with what is added to it where it is sent: the date, and the length of a body of
/// ours.
fn set_response_headers(
    context: &mut ExchangeContext<'_>,
    headers: &HeaderMap,
    length: Option<usize>,
) {
    let is_complete = headers.contains_key(header::DATE) && length.is_none();
    if is_complete || context.facts.needs().headers().is_none() {
        return context.facts.set_response_headers(headers);
    }
    let mut sent = headers.clone();
    if let (false, Some(now)) = (sent.contains_key(header::DATE), date::now()) {
        sent.insert(header::DATE, now);
    }
    if let Some(length) = length {
        sent.entry(header::CONTENT_LENGTH)
            .or_insert(HeaderValue::from(length));
    }
    context.facts.set_response_headers(&sent);
}

fn finish(
    mut response: Response<Bytes>,
    mut context: ExchangeContext<'_>,
) -> Response<ResponseBody> {
    let length = response.body().len();
    set_response_headers(
        &mut context,
        response.headers(),
        Some(length).filter(|length| *length > 0),
    );
    context.facts.reached(TimePoint::DownstreamSendBegin);
    if context.facts.needs().local_body() {
        context.facts.response.local_body = Some(response.body().clone());
    }
    if context.received.is_unread() {
        // Nobody reads the rest of the request, as with Envoy. HTTP/2 ends the stream alone.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response.map(|bytes| ResponseBody::new(Source::Ours(bytes), context.facts, context.received))
}
