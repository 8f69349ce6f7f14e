//! The facts of a call as expressions ask for them, by Envoy's rules.

use std::borrow::Cow;
use std::time::SystemTime;

use egret_config::address::EndpointAddress;
use egret_config::expression::{Attribute, Attributes, Value};
use egret_config::grpc::GrpcStatus;
use http::header::REFERER;
use http::{HeaderName, HeaderValue, Version};

use crate::report::facts::{AuthorityFact, Facts, Part};
use crate::report::now::Now;

/// The facts of a call, at the moment at which they are reported.
#[derive(Clone, Copy, Debug)]
pub struct CallAttributes<'c> {
    facts: &'c Facts,
    now: Now,
}

impl<'c> CallAttributes<'c> {
    /// Those of this call.
    pub fn of(facts: &'c Facts, now: Now) -> Self {
        Self { facts, now }
    }

    fn request(&self, attribute: &Attribute) -> Option<Value<'c>> {
        let facts = self.facts;
        let request = &facts.request;
        // The head of the request; a byte stream has none.
        let path = || request.rewritten_path.as_ref().or(request.path.as_ref());
        match attribute {
            Attribute::RequestTime => Some(timestamp(self.now.time_of(facts.began))),
            Attribute::RequestDuration => Some(self.now.since(facts.began).into()),
            Attribute::RequestSize => Some(size(facts.bytes_received)),
            Attribute::RequestTotalSize => Some(size(
                facts.downstream.wire.received.max(facts.bytes_received),
            )),
            Attribute::RequestProtocol => request.protocol.map(|version| protocol(version).into()),
            Attribute::RequestPath => path().map(|path| path.as_str().into()),
            Attribute::RequestUrlPath => path().map(|path| path.path().into()),
            Attribute::RequestQuery => path().map(|path| path.query().unwrap_or_default().into()),
            Attribute::RequestHost => request
                .authority
                .as_ref()
                .map(AuthorityFact::as_bytes)
                .map(text),
            Attribute::RequestMethod => request
                .method
                .as_ref()
                .map(|method| text(method.as_str().as_bytes())),
            Attribute::RequestScheme => facts.is_request().then(|| match facts.downstream.tls {
                Some(_) => "https".into(),
                None => "http".into(),
            }),
            Attribute::RequestUserAgent => value(request.user_agent.as_ref()),
            Attribute::RequestId => value(request.request_id.as_ref()),
            Attribute::RequestReferer => self.header(Part::Request, &REFERER),
            Attribute::RequestHeader(name) => self.header(Part::Request, name),
            _ => None,
        }
    }

    fn response(&self, attribute: &Attribute) -> Option<Value<'c>> {
        let facts = self.facts;
        let response = &facts.response;
        match attribute {
            Attribute::ResponseCode => response.code.map(|code| Value::Int(code.as_u16().into())),
            Attribute::ResponseCodeDetails => response.details.as_deref().map(Value::from),
            Attribute::ResponseFlags => {
                let bits = facts.flags.iter().fold(0, |bits, flag| bits | flag.bit());
                Some(size(bits))
            }
            Attribute::ResponseGrpcStatus if facts.request.grpc => {
                let reported = response.grpc_status.map(i64::from);
                let code = || Some(GrpcStatus::of_http(response.code?.as_u16()) as i64);
                reported.or_else(code).map(Value::Int)
            }
            Attribute::ResponseSize => Some(size(facts.bytes_sent)),
            Attribute::ResponseTotalSize => {
                Some(size(facts.downstream.wire.sent.max(facts.bytes_sent)))
            }
            Attribute::ResponseHeader(name) => self.header(Part::Response, name),
            Attribute::ResponseTrailer(name) => self.header(Part::Trailers, name),
            _ => None,
        }
    }

    fn peers(&self, attribute: &Attribute) -> Option<Value<'c>> {
        let facts = self.facts;
        let downstream = &facts.downstream;
        let last = facts.attempts.last();
        let port = |port: u16| Value::Int(port.into());
        match attribute {
            Attribute::ConnectionMtls => Some(Value::Bool(downstream.has_client_certificate())),
            Attribute::ConnectionRequestedServerName => Some(
                downstream
                    .requested_server_name
                    .as_deref()
                    .unwrap_or_default()
                    .into(),
            ),
            Attribute::ConnectionTlsVersion => downstream.tls.as_ref()?.version.map(Value::from),
            Attribute::ConnectionId => Some(Value::Uint(downstream.connection_id)),
            Attribute::ConnectionTerminationDetails => {
                downstream.termination_details.as_deref().map(Value::from)
            }
            Attribute::SourceAddress => downstream
                .remote_address
                .map(|address| address.to_string().into()),
            Attribute::SourcePort => downstream
                .remote_address
                .map(|address| port(address.port())),
            Attribute::DestinationAddress => downstream
                .local_address
                .map(|address| address.to_string().into()),
            Attribute::DestinationPort => {
                downstream.local_address.map(|address| port(address.port()))
            }
            Attribute::UpstreamAddress => last.map(|attempt| attempt.endpoint.to_string().into()),
            Attribute::UpstreamPort => match last?.endpoint {
                EndpointAddress::Ip(address) => Some(port(address.port())),
                EndpointAddress::Unix(_) => None,
            },
            Attribute::UpstreamLocalAddress => last?
                .local_address()
                .map(|address| address.to_string().into()),
            Attribute::UpstreamTlsVersion => last?
                .connection
                .as_ref()?
                .tls
                .as_ref()?
                .version
                .map(Value::from),
            Attribute::UpstreamTransportFailureReason => Some(
                facts
                    .response
                    .transport_failure
                    .as_deref()
                    .unwrap_or_default()
                    .into(),
            ),
            Attribute::UpstreamRequestAttemptCount => {
                Some(Value::Uint(facts.attempts.iter().count() as u64))
            }
            Attribute::XdsClusterName => facts.decision.cluster.as_deref().map(Value::from),
            Attribute::XdsRouteName => facts.decision.route.as_deref().map(Value::from),
            _ => None,
        }
    }

    fn header(&self, part: Part, name: &HeaderName) -> Option<Value<'c>> {
        value(self.facts.captured.as_ref()?.get(part, name, true))
    }
}

impl Attributes for CallAttributes<'_> {
    fn get(&self, attribute: &Attribute) -> Option<Value<'_>> {
        self.request(attribute)
            .or_else(|| self.response(attribute))
            .or_else(|| self.peers(attribute))
    }
}

fn text(bytes: &[u8]) -> Value<'_> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => text.into(),
        Cow::Owned(text) => text.into(),
    }
}

fn value(header: Option<&HeaderValue>) -> Option<Value<'_>> {
    header.map(|header| text(header.as_bytes()))
}

fn size(bytes: u64) -> Value<'static> {
    Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn timestamp(at: SystemTime) -> Value<'static> {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Value::Timestamp(i128::try_from(since.as_nanos()).unwrap_or_default())
}

/// The name of a version of HTTP.
pub fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/3",
    }
}
