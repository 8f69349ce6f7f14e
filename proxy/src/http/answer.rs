//! The responses we make ourselves: redirects, direct responses, and the messages of failures.

use std::borrow::Cow;

use bytes::Bytes;
use egret_config::decide::local_reply;
use egret_config::decide::verdict::Answer;
use egret_config::grpc::GrpcStatus;
use egret_config::header_names::{GRPC_MESSAGE, GRPC_STATUS, OVERLOADED, VERDICT};
use egret_config::headers::value_of;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tokio::time::Instant;

use crate::failure::{Blame, Failure};

/// Whether a request speaks gRPC, whose clients read trailers and not statuses. gRPC-Web is not: its clients are pages,
/// which read neither.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    value_of(headers, &header::CONTENT_TYPE)
        .and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// The answer that a route asks for, without what the route does to headers; to a gRPC client as it understands it.
pub fn answered(answer: &Answer<'_>, grpc: bool) -> Response<Bytes> {
    let response = match answer {
        Answer::Redirect {
            status, location, ..
        } => {
            let mut response = bare(*status, Bytes::new());
            if let Ok(location) = HeaderValue::from_str(location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        }
        Answer::Respond { response, .. } => {
            let body = Bytes::copy_from_slice(&response.body);
            let text = !body.is_empty();
            let mut response = bare(response.status, body);
            if text {
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            }
            response
        }
    };
    if grpc { as_grpc(response) } else { response }
}

/// The answer to a call that failed or is refused. `retried` is whether it was tried more than once.
pub fn failed(failure: &Failure, grpc: bool, retried: bool) -> Response<Bytes> {
    let reply = failure.reply();
    let body = bytes_of(body(failure, retried));
    let mut response = if grpc {
        grpc_only(reply.grpc_status, &body)
    } else {
        let mut response = bare(reply.sent_status, body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        if reply.closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    };
    let verdict = HeaderValue::from_static(reply.code);
    response.headers_mut().insert(VERDICT, verdict);
    response
}

/// The answer of a fault that has a gRPC status: 200 either way, with a message for a client that does not speak gRPC.
pub fn grpc_aborted(status: GrpcStatus, grpc: bool) -> Response<Bytes> {
    let reply = local_reply::fault_abort(200);
    let (kind, body) = if grpc {
        ("application/grpc", "")
    } else {
        ("text/plain", reply.body)
    };
    let mut response = bare(200, Bytes::from_static(body.as_bytes()));
    let map = response.headers_mut();
    map.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if grpc {
        map.insert(GRPC_STATUS, HeaderValue::from_static(status.text()));
        map.insert(GRPC_MESSAGE, HeaderValue::from_static(reply.body));
    }
    map.insert(VERDICT, HeaderValue::from_static(reply.code));
    response
}

/// Whether a gRPC call failed at an upstream when the time was over that its client gave it. Its upstream has that
/// deadline, too: which of the two ends the call first is chance.
pub fn is_late(failure: &Failure, deadline: Option<Instant>) -> bool {
    deadline
        .is_some_and(|deadline| failure.blame() == Blame::Upstream && Instant::now() >= deadline)
}

/// Sets DEADLINE_EXCEEDED in place of any other status of gRPC.
pub fn tell_late(headers: &mut HeaderMap) {
    headers.insert(
        GRPC_STATUS,
        HeaderValue::from_static(GrpcStatus::DeadlineExceeded.text()),
    );
}

/// What a gRPC client gets for the rest of an answer that broke off.
pub fn broken_off(failure: &Failure) -> HeaderMap {
    let reply = failure.reply();
    let mut trailers = HeaderMap::with_capacity(3);
    trailers.insert(
        GRPC_STATUS,
        HeaderValue::from_static(reply.grpc_status.text()),
    );
    trailers.insert(VERDICT, HeaderValue::from_static(reply.code));
    set_grpc_message(&mut trailers, body(failure, false).as_bytes());
    trailers
}

/// What a gRPC client understands in place of a response of ours: 200 without a body, and the true status in the
/// headers, with the body for its message. A `location` stays.
fn as_grpc(response: Response<Bytes>) -> Response<Bytes> {
    let status = GrpcStatus::of_http(response.status().as_u16());
    let (parts, body) = response.into_parts();
    let mut response = grpc_only(status, &body);
    let own = std::mem::replace(response.headers_mut(), parts.headers);
    response.headers_mut().extend(own);
    response
}

/// A response to a gRPC client: its status and message, nothing else.
fn grpc_only(status: GrpcStatus, message: &[u8]) -> Response<Bytes> {
    let mut response = bare(200, Bytes::new());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(GRPC_STATUS, HeaderValue::from_static(status.text()));
    set_grpc_message(headers, message);
    response
}

/// Sets `grpc-message`, unless the message is empty.
fn set_grpc_message(headers: &mut HeaderMap, message: &[u8]) {
    if let Ok(message) = HeaderValue::from_maybe_shared(percent_encoded(message.trim_ascii_end()))
        && !message.is_empty()
    {
        headers.insert(GRPC_MESSAGE, message);
    }
}

/// A `grpc-message`: printable ASCII stays, the rest is escaped.
fn percent_encoded(message: &[u8]) -> Bytes {
    let mut encoded = Vec::with_capacity(message.len());
    for byte in message {
        match byte {
            b' '..=b'~' if *byte != b'%' => encoded.push(*byte),
            _ => encoded.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    encoded.into()
}

fn bytes_of(text: Cow<'static, str>) -> Bytes {
    match text {
        Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    }
}

fn bare(status: u16, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// The body. Envoy's text where it has any, so that what users search for is found; otherwise one short line.
fn body(failure: &Failure, retried: bool) -> Cow<'static, str> {
    if let Some(message) = failure.client_message() {
        return format!("{message}\n").into();
    }
    let body = failure.reply().body;
    if retried {
        return body
            .replace(
                "headers. reset reason:",
                "headers. retried and the latest reset reason:",
            )
            .into();
    }
    body.into()
}

/// Sets `x-envoy-overloaded`: a limit of the cluster was reached.
pub fn set_overloaded(headers: &mut HeaderMap) {
    headers.insert(OVERLOADED, HeaderValue::from_static("true"));
}

#[cfg(test)]
mod tests {
    use egret_config::decide::verdict::Refusal;

    use super::*;
    use crate::failure::Cause;

    fn header(response: &Response<Bytes>, name: &str) -> String {
        response
            .headers()
            .get(name)
            .map_or_else(String::new, |value| {
                value.to_str().expect("text").to_owned()
            })
    }

    #[test]
    fn a_refusal_tells_why() {
        for (cause, status, code, body) in [
            (
                Cause::Refused(Refusal::Blackhole),
                502,
                "blackhole",
                "REGISTRY_ONLY",
            ),
            (
                Cause::Refused(Refusal::NoRoute),
                404,
                "no_route",
                "no route",
            ),
            (Cause::NoEndpoint, 503, "no_endpoint", "no healthy upstream"),
            (Cause::Timeout, 504, "timeout", "upstream request timeout"),
        ] {
            let response = failed(&Failure::new(cause, "for the operator"), false, false);
            assert_eq!(response.status(), status);
            assert_eq!(header(&response, "x-egret-verdict"), code);
            let text = String::from_utf8_lossy(response.body());
            assert!(text.contains(body) && !text.contains("operator"), "{text}");
        }
    }

    #[test]
    fn envoys_words_for_a_failed_connection() {
        let failure = Failure::new(Cause::Connect("x".into()), "");
        assert_eq!(
            failed(&failure, false, false).body(),
            "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"
        );
        assert_eq!(
            failed(&failure, false, true).body(),
            "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: remote connection failure"
        );
    }

    #[test]
    fn grpc_is_told_in_its_own_way() {
        let response = failed(&Failure::new(Cause::NoEndpoint, ""), true, false);
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "grpc-status"), "14");
        assert_eq!(header(&response, "grpc-message"), "no healthy upstream");
        assert_eq!(header(&response, "x-egret-verdict"), "no_endpoint");
    }

    #[test]
    fn grpc_is_known_by_its_type() {
        for (kind, is) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc; charset=utf-8", true),
            ("application/grpc-web+proto", false),
            ("application/json", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_grpc(&headers), is, "{kind}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn a_redirect_has_its_location() {
        let answer = Answer::Redirect {
            status: 301,
            location: "https://a.test/x".into(),
            headers: None,
        };
        let response = answered(&answer, false);
        assert_eq!(response.status(), 301);
        assert_eq!(header(&response, "location"), "https://a.test/x");
        let response = answered(&answer, true);
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "grpc-status"), "2");
    }
}
