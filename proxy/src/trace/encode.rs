//! The request that carries a batch of spans, and what its answer says.

use std::time::Duration;

use bytes::Bytes;
use egret_config::header_names::{GRPC_STATUS, GRPC_TIMEOUT};
use egret_config::model::mesh::{SecretValue, TracerProtocol};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use prost::Message;

use crate::client::body::RequestBody;
use crate::report::access_log::environment::Environment;
use crate::report::spans::plan::SpanPlan;
use crate::report::spans::record::QueuedSpan;
use crate::trace::{otlp, zipkin};

/// How long a collector may take where nothing is said about it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A batch as it is sent.
#[derive(Clone, Debug)]
pub(in crate::trace) struct Batch {
    head: Head,
    body: Bytes,
    /// How long the collector may take.
    pub(in crate::trace) timeout: Duration,
    /// As gRPC has it.
    pub(in crate::trace) grpc: bool,
}

#[derive(Clone, Debug)]
struct Head {
    path: PathAndQuery,
    host: Box<str>,
    headers: HeaderMap,
}

/// What a collector's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::trace) enum Answer {
    /// It took the spans, but for so many.
    Taken(u64),
    /// It refused them, and may take them later.
    Later,
    /// It refused them.
    Refused,
}

impl Batch {
    /// The batch of these spans, by their plan.
    pub(in crate::trace) fn of(plan: &SpanPlan, spans: &[QueuedSpan]) -> Self {
        let protocol = &plan.tracing.protocol;
        let (path, kind, body, timeout, secrets) = match protocol {
            TracerProtocol::OtlpGrpc { timeout, metadata } => {
                let body = otlp::framed(&otlp::request(plan, spans));
                (otlp::GRPC_PATH, "application/grpc", body, timeout, metadata)
            }
            TracerProtocol::OtlpHttp {
                path,
                timeout,
                headers,
            } => {
                let body = otlp::request(plan, spans).encode_to_vec().into();
                (&**path, "application/x-protobuf", body, timeout, headers)
            }
            TracerProtocol::Zipkin {
                path,
                timeout,
                headers,
                ..
            } => {
                let body = zipkin::body(plan, spans).into();
                (&**path, "application/json", body, timeout, headers)
            }
        };
        let grpc = matches!(protocol, TracerProtocol::OtlpGrpc { .. });
        let mut headers = HeaderMap::new();
        let agent = concat!("egret/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        add_secrets(&mut headers, secrets);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        if grpc {
            headers.remove(header::CONTENT_LENGTH);
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
            if let Some(timeout) = timeout {
                headers.insert(GRPC_TIMEOUT, grpc_timeout(*timeout));
            }
        }
        Self {
            head: Head {
                // Loading lets nothing else through.
                path: PathAndQuery::try_from(path).unwrap_or(PathAndQuery::from_static("/")),
                host: (*plan.tracing.authority).into(),
                headers,
            },
            body,
            timeout: timeout
                .filter(|timeout| !timeout.is_zero())
                .unwrap_or(TIMEOUT),
            grpc,
        }
    }

    /// The request, in the form of HTTP/1 or HTTP/2; `None` for a host that has no place in one.
    pub(in crate::trace) fn request(&self, http2: bool, tls: bool) -> Option<Request<RequestBody>> {
        let mut request = Request::new(RequestBody::whole(self.body.clone(), None));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = self.head.headers.clone();
        let path = self.head.path.clone();
        if http2 {
            let mut uri = http::uri::Parts::default();
            uri.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
            uri.authority = Some(Authority::try_from(&*self.head.host).ok()?);
            uri.path_and_query = Some(path);
            *request.uri_mut() = Uri::from_parts(uri).ok()?;
            *request.version_mut() = Version::HTTP_2;
        } else {
            let host = HeaderValue::from_str(&self.head.host).ok()?;
            request.headers_mut().insert(header::HOST, host);
            *request.uri_mut() = Uri::from(path);
            *request.version_mut() = Version::HTTP_11;
        }
        Some(request)
    }

    /// What an answer means. `trailers` are those of its body.
    pub(in crate::trace) fn answer(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        trailers: &HeaderMap,
    ) -> Answer {
        if self.grpc && status == StatusCode::OK {
            let said = trailers.get(GRPC_STATUS).or(headers.get(GRPC_STATUS));
            return match said.map(HeaderValue::as_bytes) {
                Some(b"0") => Answer::Taken(otlp::rejected(body, true)),
                // Those that OpenTelemetry lets be sent again.
                Some(b"1" | b"4" | b"8" | b"10" | b"11" | b"14" | b"15") | None => Answer::Later,
                Some(_) => Answer::Refused,
            };
        }
        let is_otlp = self.head.headers[header::CONTENT_TYPE] == "application/x-protobuf";
        match status {
            _ if status.is_success() && is_otlp => Answer::Taken(otlp::rejected(body, false)),
            _ if status.is_success() => Answer::Taken(0),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Answer::Later,
            _ if status.is_server_error() => Answer::Later,
            _ => Answer::Refused,
        }
    }
}

/// Adds headers of the configuration, whose values are shown nowhere. One whose variable is not set is left out.
fn add_secrets(headers: &mut HeaderMap, secrets: &[(std::sync::Arc<str>, SecretValue)]) {
    for (name, value) in secrets {
        let value = match value {
            SecretValue::Literal(value) => HeaderValue::from_str(value),
            SecretValue::Environment(name) => match Environment::value(name) {
                Some(value) => HeaderValue::from_str(&value),
                None => continue,
            },
        };
        if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
            value.set_sensitive(true);
            headers.append(name, value);
        }
    }
}

/// A time limit as gRPC has it: at most eight digits.
fn grpc_timeout(timeout: Duration) -> HeaderValue {
    let millis = timeout.as_millis();
    let text = match millis {
        0..=99_999_999 => format!("{millis}m"),
        _ => format!("{}S", timeout.as_secs().min(99_999_999)),
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("10S"))
}
