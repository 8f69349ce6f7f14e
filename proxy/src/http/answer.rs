//! The responses we make ourselves: redirects, direct responses, and the words for what cannot be done.

use std::borrow::Cow;

use bytes::Bytes;
use egret_config::decide::verdict::Answer;
use egret_config::decide::verdict::Refusal;
use egret_config::model::route::HeaderChanges;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::headers;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Whether a request speaks gRPC, whose clients read trailers and not statuses. gRPC-Web is not: its clients are pages,
/// which read neither.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// The answer that a route asks for; to a gRPC client as it understands it.
pub fn answered(answer: &Answer<'_>, grpc: bool) -> Response<Bytes> {
    let (mut response, changes) = match answer {
        Answer::Redirect {
            status,
            location,
            headers,
        } => {
            let mut response = bare(*status, Bytes::new());
            if let Ok(location) = HeaderValue::from_str(location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            (response, headers)
        }
        Answer::Respond { response, headers } => {
            let body = Bytes::copy_from_slice(&response.body);
            let text = !body.is_empty();
            let mut response = bare(response.status, body);
            if text {
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            }
            (response, headers)
        }
    };
    if grpc {
        response = as_grpc(response);
    }
    if let Some(HeaderChanges {
        response: operations,
        ..
    }) = changes
    {
        headers::change(response.headers_mut(), operations);
    }
    response
}

/// The answer to a call that failed or is refused. `retried` tells whether it was tried more than once.
pub fn failed(failure: &Failure, grpc: bool, retried: bool) -> Response<Bytes> {
    let words = words(failure, retried);
    let status = failure.status().unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = bare(status.as_u16(), bytes_of(words));
    if grpc {
        response = as_grpc(response);
    } else {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        if matches!(
            failure.cause(),
            Cause::BadRequest(_)
                | Cause::TooLarge
                | Cause::UpgradeRefused
                | Cause::Insecure
                | Cause::Coding
        ) {
            // What follows on such a connection cannot be trusted to be another request.
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
    response.headers_mut().insert(
        headers::VERDICT,
        HeaderValue::from_static(reason(failure.cause())),
    );
    response
}

/// The answer of a fault that has a gRPC status: 200 either way, with words for a client that does not speak gRPC.
pub fn grpc_aborted(code: u16, grpc: bool) -> Response<Bytes> {
    let words = "fault filter abort";
    let mut response = bare(
        200,
        Bytes::from_static(if grpc { b"" } else { words.as_bytes() }),
    );
    let kind = if grpc {
        "application/grpc"
    } else {
        "text/plain"
    };
    let map = response.headers_mut();
    map.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if grpc {
        map.insert(GRPC_STATUS, HeaderValue::from(code));
        map.insert(GRPC_MESSAGE, HeaderValue::from_static(words));
    }
    map.insert(headers::VERDICT, HeaderValue::from_static("fault"));
    response
}

/// What a gRPC client gets for the rest of an answer that broke off.
pub fn broken_off(failure: &Failure) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("14"));
    trailers.insert(
        headers::VERDICT,
        HeaderValue::from_static(reason(failure.cause())),
    );
    tell(&mut trailers, words(failure, false).as_bytes());
    trailers
}

/// What a gRPC client understands in place of a response of ours: 200 without a body, and the true status in the
/// headers, with the body for its message. A `location` stays.
fn as_grpc(response: Response<Bytes>) -> Response<Bytes> {
    let code = match response.status().as_u16() {
        400 => "13",
        401 => "16",
        403 => "7",
        404 => "12",
        429 | 502..=504 => "14",
        _ => "2",
    };
    let (mut parts, body) = response.into_parts();
    parts.status = StatusCode::OK;
    let map = &mut parts.headers;
    map.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    map.insert(GRPC_STATUS, HeaderValue::from_static(code));
    tell(map, &body);
    Response::from_parts(parts, Bytes::new())
}

/// Puts a `grpc-message` in, if there is anything to say.
fn tell(headers: &mut HeaderMap, words: &[u8]) {
    if let Ok(words) = HeaderValue::from_maybe_shared(percent_encoded(words.trim_ascii_end()))
        && !words.is_empty()
    {
        headers.insert(GRPC_MESSAGE, words);
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

fn bytes_of(words: Cow<'static, str>) -> Bytes {
    match words {
        Cow::Borrowed(words) => Bytes::from_static(words.as_bytes()),
        Cow::Owned(words) => Bytes::from(words),
    }
}

fn bare(status: u16, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// The body. Envoy's words where it has any, so that what users search for is found; otherwise one short line.
fn words(failure: &Failure, retried: bool) -> Cow<'static, str> {
    let words = match failure.cause() {
        Cause::Refused(Refusal::Blackhole) => {
            "no service is registered for this host and the outbound policy is REGISTRY_ONLY"
        }
        Cause::Refused(Refusal::OwnListener) => "this is the proxy's own port",
        Cause::Refused(Refusal::NoRoute) => "no route matches this request",
        Cause::Refused(Refusal::NoCluster(_)) => "the route's destination does not exist",
        Cause::Refused(Refusal::NoChain) => "no server for this name",
        Cause::UpgradeRefused => "this upgrade is not allowed",
        Cause::Insecure => "an https URL was asked for on a connection without TLS",
        Cause::Coding => "this transfer coding is not known here",
        Cause::TooLarge => "the request's headers are too large",
        Cause::ResetAfter | Cause::StreamResetAfter | Cause::ProtocolAfter => {
            "the upstream broke off in the middle of the answer"
        }
        _ => match failure.words_for_caller() {
            "" => "the proxy failed",
            words => words,
        },
    };
    if retried {
        return words
            .replace(
                "headers. reset reason:",
                "headers. retried and the latest reset reason:",
            )
            .into();
    }
    words.into()
}

/// Says that more was asked than a cluster's limits allow, for callers that then ask less.
pub fn tell_overloaded(headers: &mut HeaderMap) {
    headers.insert(OVERLOADED, HeaderValue::from_static("true"));
}

const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");

/// The reason code in `x-egret-verdict`.
pub fn reason(cause: &Cause) -> &'static str {
    match cause {
        Cause::Refused(refusal) => match refusal {
            Refusal::Blackhole => "blackhole",
            Refusal::OwnListener => "own_listener",
            Refusal::NoRoute => "no_route",
            Refusal::NoCluster(_) => "no_cluster",
            Refusal::NoChain => "no_chain",
        },
        Cause::ClientGone => "client_gone",
        Cause::BadRequest(_) => "bad_request",
        Cause::UpgradeRefused => "upgrade_refused",
        Cause::Insecure => "insecure",
        Cause::Coding => "transfer_coding",
        Cause::TooLarge => "too_large",
        Cause::BadConnection => "bad_connection",
        Cause::ProxyHeader => "proxy_header",
        Cause::ClientTls => "client_tls",
        Cause::NoEndpoint => "no_endpoint",
        Cause::NoAddress => "no_address",
        Cause::Overflow => "overflow",
        Cause::Connect(_) => "connect_failed",
        Cause::ConnectTimeout => "connect_timeout",
        Cause::UpstreamTls(_) => "upstream_tls",
        Cause::StreamRefused => "upstream_refused",
        Cause::ResetBefore | Cause::ResetAfter | Cause::StreamReset | Cause::StreamResetAfter => {
            "upstream_reset"
        }
        Cause::UpstreamProtocol | Cause::ProtocolAfter => "upstream_protocol",
        Cause::Timeout => "timeout",
        Cause::TryTimeout => "try_timeout",
        Cause::Idle => "idle",
        Cause::FaultAbort(_) => "fault",
        Cause::Drained => "draining",
        Cause::Overloaded => "overloaded",
        Cause::Internal => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let words = String::from_utf8_lossy(response.body());
            assert!(
                words.contains(body) && !words.contains("operator"),
                "{words}"
            );
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
