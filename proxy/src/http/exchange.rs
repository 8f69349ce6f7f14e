//! One request, from its head to the head of its answer: read, decide, act, answer.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use egret_config::decide;
use egret_config::decide::call;
use egret_config::decide::verdict::Refusal;
use egret_config::decide::verdict::RequestDecision;
use egret_config::decide::verdict::RequestVerdict;
use egret_config::model::route::Cors;
use egret_config::model::route::HeaderChanges;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::Mode;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use http::header;
use tokio::task::spawn_local;
use tokio::time::sleep_until;
use tracing::debug;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::failure::flags::Flag;
use crate::http::answer;
use crate::http::body::ResponseBody;
use crate::http::body::Source;
use crate::http::caller::Caller;
use crate::http::caller::Told;
use crate::http::cors;
use crate::http::early::Early;
use crate::http::fault;
use crate::http::fault::Aborted;
use crate::http::forward;
use crate::http::forward::Answered;
use crate::http::headers;
use crate::http::headers::Edge;
use crate::http::outgoing::Outgoing;
use crate::http::rewrite;
use crate::http::upgrade;
use crate::http::upgrade::Wish;
use crate::message::incoming::Incoming;
use crate::proxy::Proxy;
use crate::upstream::body::Received;
use crate::upstream::body::RequestBody;

/// Serves one request.
pub async fn exchange(
    request: Request<Incoming>,
    early: Option<Early>,
    caller: &Caller,
    proxy: &Rc<Proxy>,
) -> Response<ResponseBody> {
    let mut record = Box::new(caller.record(proxy));
    record.saw_request(&request);
    if let Some(Early::Two(interim)) = &early {
        record.stream = Some(interim.stream());
    }
    let grpc = answer::is_grpc(request.headers());
    let snapshot = proxy.current.load();
    let mut told = Told {
        record,
        received: Received::default(),
        tries: 0,
        grpc,
        own: &snapshot.mesh.proxy_headers,
    };

    let outgoing = match read(request, caller, &snapshot, &mut told) {
        Ok(outgoing) => Outgoing { early, ..outgoing },
        Err(failure) => return refuse(&failure, Marks::default(), told),
    };
    let decision = decide(&outgoing, caller, &snapshot);
    told.record.counter = told.received.counter();
    told.record.took_route(decision.route);
    told.record.decided(&decision.trail);
    let mut marks = Marks {
        changes: changes(&decision),
        cors: None,
    };
    match inject(&decision, &mut told).await {
        Some(Aborted::Grpc(code)) => return grpc_aborted(code, marks, told),
        Some(Aborted::Http(failure)) => return refuse(&failure, marks, told),
        None => {}
    }
    if let Some(cors) = decision.rule.and_then(|rule| rule.cors.as_ref()) {
        match cors::verdict(cors, &outgoing.parts.method, &outgoing.parts.headers) {
            cors::Verdict::Pass => {}
            cors::Verdict::Mark(origin) => marks.cors = Some((cors, origin)),
            cors::Verdict::Answer(response) => {
                told.record.upstream_cluster = decision.trail.cluster.map(Arc::from);
                return preflight(response, told);
            }
        }
    }
    let answered = match decision.verdict {
        RequestVerdict::Pass if snapshot.is_bound(caller.arrival.to) => {
            Err(Refusal::OwnListener.into())
        }
        RequestVerdict::Pass => forward::pass(outgoing, caller, proxy, &snapshot, &mut told).await,
        RequestVerdict::Forward(to) => {
            forward::forward(outgoing, &to, caller, proxy, &snapshot, &mut told).await
        }
        RequestVerdict::Answer(answer) => {
            let mut response = answer::answered(&answer, told.grpc);
            marks.put(response.headers_mut());
            return ours(response, told);
        }
        RequestVerdict::Refuse(refusal) => Err(refusal.into()),
    };
    match answered {
        Ok(answered) => pass_on(answered, marks, told),
        Err(failure) => refuse(&failure, marks, told),
    }
}

/// What a route does to every answer to its requests, ours included.
#[derive(Default)]
struct Marks<'s> {
    changes: [Option<&'s HeaderChanges>; 2],
    /// The origin whose pages may read the answer.
    cors: Option<(&'s Cors, HeaderValue)>,
}

impl Marks<'_> {
    /// Marks an answer of ours. What kind of body it has is not for the route to take out.
    fn put_on_ours(self, headers: &mut HeaderMap) {
        let kind = headers.get(header::CONTENT_TYPE).cloned();
        self.put(headers);
        if let Some(kind) = kind {
            headers.entry(header::CONTENT_TYPE).or_insert(kind);
        }
    }

    fn put(self, headers: &mut HeaderMap) {
        for changes in self.changes.into_iter().flatten() {
            headers::change(headers, &changes.response);
        }
        if let Some((cors, origin)) = self.cors {
            cors::mark(cors, origin, headers);
        }
    }
}

/// Makes of a request what may be sent on: one host, a regular path, no headers of this hop, an id.
fn read(
    mut request: Request<Incoming>,
    caller: &Caller,
    snapshot: &Snapshot,
    told: &mut Told<'_>,
) -> Result<Outgoing, Failure> {
    if *request.method() == Method::CONNECT {
        return Err(Failure::new(
            Cause::Refused(Refusal::NoRoute),
            "no route allows CONNECT",
        ));
    }
    headers::few(request.headers())?;
    headers::known_coding(request.headers())?;
    let upgrade = match upgrade::wish(request.headers())? {
        Wish::WebSocket => Some(hyper::upgrade::on(&mut request)),
        Wish::None => None,
    };
    let (mut parts, body) = request.into_parts();
    if parts.version < Version::HTTP_11 && parts.uri.authority().is_none() {
        headers::ensure_host(&mut parts.headers, caller.arrival.to);
    }
    let secure = caller.terminated.is_some();
    let authority = rewrite::take_authority(&parts.uri, parts.version, secure, &mut parts.headers)?;
    let how = snapshot.mesh.path_normalization;
    let path = rewrite::take_path(&parts.method, &parts.uri, how)?;
    headers::strip_request(&mut parts.headers);
    if told.own.request_id {
        headers::ensure_request_id(&mut parts.headers);
    }
    let shown = caller.shown.as_ref();
    match snapshot.workload.mode {
        Mode::Sidecar => {
            headers::forward_client_cert(&mut parts.headers, told.own.client_cert, shown);
            headers::from_sidecar(&mut parts.headers, caller.scheme());
        }
        Mode::Gateway => {
            let topology = &snapshot.mesh.topology;
            headers::forward_client_cert(&mut parts.headers, topology.client_cert, shown);
            let arrival = caller.arrival;
            let edge = Edge {
                scheme: caller.scheme(),
                client: arrival.client.ip(),
                port: told.own.forwarded_port.then_some(caller.dialled.port()),
                topology,
            };
            headers::from_gateway(&mut parts.headers, edge);
        }
    }
    told.record.read_as(&authority, &path, &parts.headers);
    let body = RequestBody::of_client(body, parts.version);
    told.received = body.received();
    Ok(Outgoing {
        parts,
        authority,
        path,
        body,
        upgrade,
        early: None,
    })
}

fn decide<'s>(outgoing: &Outgoing, caller: &Caller, snapshot: &'s Snapshot) -> RequestDecision<'s> {
    let headers = &outgoing.parts.headers;
    let scheme = headers
        .get(headers::FORWARDED_PROTO)
        .and_then(|scheme| scheme.to_str().ok());
    let question = call::Request {
        arrival: caller.arrival,
        terminated: caller.terminated.as_ref(),
        method: outgoing.parts.method.as_str(),
        scheme: scheme.unwrap_or(caller.scheme()),
        authority: outgoing.authority.to_str().unwrap_or_default(),
        path: match outgoing.path.as_str() {
            // Asterisk-form is about the server as a whole; rules see its root.
            "*" => "/",
            path => path,
        },
        headers,
    };
    decide::request(snapshot, &question, &mut |sides| {
        fastrand::u64(..sides.max(1))
    })
}

/// The header changes of a route that are left to do on its answers.
fn changes<'s>(decision: &RequestDecision<'s>) -> [Option<&'s HeaderChanges>; 2] {
    match &decision.verdict {
        RequestVerdict::Forward(to) => to.headers,
        RequestVerdict::Refuse(_) => [decision.rule.map(|rule| &rule.headers), None],
        // What answers itself has made them.
        RequestVerdict::Pass | RequestVerdict::Answer(_) => [None, None],
    }
}

/// The faults of a rule, before anything else.
async fn inject(decision: &RequestDecision<'_>, told: &mut Told<'_>) -> Option<Aborted> {
    let fault = decision.rule?.fault.as_ref()?;
    told.record.upstream_cluster = decision.trail.cluster.map(Arc::from);
    fault::inject(fault, &mut told.record.response_flags, |sides| {
        fastrand::u32(..sides)
    })
    .await
}

/// The answer of a fault that has a gRPC status.
fn grpc_aborted(code: u16, marks: Marks<'_>, mut told: Told<'_>) -> Response<ResponseBody> {
    told.record.response_flags.raise(Flag::FI);
    let mut response = answer::grpc_aborted(code, told.grpc);
    marks.put_on_ours(response.headers_mut());
    told.record.response_code = Some(response.status());
    told.record.response_code_details = Some("fault_filter_abort".into());
    finish(response, told)
}

/// An upstream's answer, on its way to the client.
fn pass_on(answered: Answered, marks: Marks<'_>, mut told: Told<'_>) -> Response<ResponseBody> {
    let Answered {
        reply,
        deadline,
        upgrade,
    } = answered;
    let mut response = reply.response;
    told.record.response_code = Some(response.status());
    told.record.response_code_details = Some("via_upstream".into());
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let upgrade = upgrade
        .filter(|_| switching)
        .map(|client| (client, hyper::upgrade::on(&mut response)));

    let (mut parts, incoming) = response.into_parts();
    // Whatever the upstream speaks: hyper knows what the client does.
    parts.version = Version::HTTP_11;
    headers::strip_response(&mut parts.headers);
    if let Some(cookie) = reply.cookie {
        parts.headers.append(header::SET_COOKIE, cookie);
    }
    // What is said before the whole question was heard is no measure of the upstream's time.
    if told.received.is_complete() {
        told.record.upstream_service_time = Some(reply.took);
        if told.own.debug {
            headers::tell_service_time(&mut parts.headers, reply.took);
        }
    }
    marks.put(&mut parts.headers);
    headers::sign_response(&mut parts.headers, told.own);
    let body = match upgrade {
        Some((client, upstream)) => {
            upgrade::renew(&mut parts.headers);
            spawn_local(upgrade::pass(client, upstream, told.record));
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
            let trailers = told.record.protocol == Some(Version::HTTP_2);
            let body = ResponseBody::new(source, told.record, told.received);
            if told.grpc && trailers {
                body.for_grpc()
            } else {
                body
            }
        }
    };
    Response::from_parts(parts, body)
}

/// Our answer to a request that failed or is refused.
fn refuse(failure: &Failure, marks: Marks<'_>, mut told: Told<'_>) -> Response<ResponseBody> {
    debug!(%failure, "request failed");
    told.record.request_failed(failure);
    let mut response = answer::failed(failure, told.grpc, told.tries > 1);
    if told.grpc && told.record.response_code.is_some() {
        told.record.response_code = Some(response.status());
    }
    marks.put_on_ours(response.headers_mut());
    if told.own.debug && *failure.cause() == Cause::Overflow {
        answer::tell_overloaded(response.headers_mut());
    }
    finish(response, told)
}

/// Our answer because a route asks for it.
fn ours(response: Response<Bytes>, mut told: Told<'_>) -> Response<ResponseBody> {
    told.record.response_code = Some(response.status());
    told.record.response_code_details = Some("direct_response".into());
    finish(response, told)
}

/// Our answer to a question of a browser.
fn preflight(response: Response<Bytes>, mut told: Told<'_>) -> Response<ResponseBody> {
    told.record.response_code = Some(response.status());
    told.record.response_code_details = Some("cors_response".into());
    finish(response, told)
}

fn finish(mut response: Response<Bytes>, told: Told<'_>) -> Response<ResponseBody> {
    headers::sign_response(response.headers_mut(), told.own);
    response.map(|bytes| ResponseBody::new(Source::Ours(bytes), told.record, told.received))
}
