//! The facts of a call that expressions ask for, by Envoy's names.

use http::HeaderName;

use crate::expression::value::Value;

/// Where the values of attributes come from: the facts of one call.
pub trait Attributes {
    /// The value of an attribute; `None` where the call has none.
    fn get(&self, attribute: &Attribute) -> Option<Value<'_>>;
}

/// Declares [`Attribute`]: the attributes without a key, each with Envoy's name.
macro_rules! attributes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A fact of a call (Envoy's "Attributes").
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Attribute {
            $($(#[$doc])* $variant,)*
            /// `request.headers[NAME]`: text; the values of a repeated header are joined by commas.
            RequestHeader(HeaderName),
            /// `response.headers[NAME]`: text, as that of a request.
            ResponseHeader(HeaderName),
            /// `response.trailers[NAME]`: text, as that of a request.
            ResponseTrailer(HeaderName),
        }

        /// The attributes without a key, with their names.
        const NAMED: &[(&str, Attribute)] = &[$(($name, Attribute::$variant)),*];
    };
}

attributes! {
    /// Text: the path with its query.
    RequestPath = "request.path",
    /// Text: the path without its query.
    RequestUrlPath = "request.url_path",
    /// Text: the authority.
    RequestHost = "request.host",
    /// Text: `http` or `https`.
    RequestScheme = "request.scheme",
    /// Text.
    RequestMethod = "request.method",
    /// Text: the header `referer`.
    RequestReferer = "request.referer",
    /// Text: the header `user-agent`.
    RequestUserAgent = "request.useragent",
    /// Timestamp: when the first byte arrived.
    RequestTime = "request.time",
    /// Text: the header `x-request-id`.
    RequestId = "request.id",
    /// Text: `HTTP/1.1` and the like.
    RequestProtocol = "request.protocol",
    /// Text: the query without `?`.
    RequestQuery = "request.query",
    /// Integer: bytes of the body.
    RequestSize = "request.size",
    /// Integer: bytes of head and body.
    RequestTotalSize = "request.total_size",
    /// Duration: from the first byte of the request to the last byte of the response.
    RequestDuration = "request.duration",
    /// Integer; absent when no answer was sent.
    ResponseCode = "response.code",
    /// Text.
    ResponseCodeDetails = "response.code_details",
    /// Integer: Envoy's bit set of response flags.
    ResponseFlags = "response.flags",
    /// Integer: the code of a gRPC call.
    ResponseGrpcStatus = "response.grpc_status",
    /// Integer: bytes of the body.
    ResponseSize = "response.size",
    /// Integer: bytes of head, body and trailers.
    ResponseTotalSize = "response.total_size",
    /// Boolean: whether the client showed a certificate.
    ConnectionMtls = "connection.mtls",
    /// Text: the SNI.
    ConnectionRequestedServerName = "connection.requested_server_name",
    /// Text: `TLSv1.3` and the like, of the client's connection.
    ConnectionTlsVersion = "connection.tls_version",
    /// Unsigned integer.
    ConnectionId = "connection.id",
    /// Text: why the client's connection was ended.
    ConnectionTerminationDetails = "connection.termination_details",
    /// Text: the client's address with its port.
    SourceAddress = "source.address",
    /// Integer.
    SourcePort = "source.port",
    /// Text: the local address with its port.
    DestinationAddress = "destination.address",
    /// Integer.
    DestinationPort = "destination.port",
    /// Text: the address of the endpoint with its port.
    UpstreamAddress = "upstream.address",
    /// Integer.
    UpstreamPort = "upstream.port",
    /// Text.
    UpstreamTlsVersion = "upstream.tls_version",
    /// Text: the proxy's address of the connection to the endpoint.
    UpstreamLocalAddress = "upstream.local_address",
    /// Text.
    UpstreamTransportFailureReason = "upstream.transport_failure_reason",
    /// Unsigned integer: 0 where no endpoint was tried.
    UpstreamRequestAttemptCount = "upstream.request_attempt_count",
    /// Text.
    XdsClusterName = "xds.cluster_name",
    /// Text.
    XdsRouteName = "xds.route_name",
    /// Text.
    XdsVirtualHostName = "xds.virtual_host_name",
    /// Text: `sidecar~IP~POD.NS~NS.svc.cluster.local`.
    XdsNodeId = "xds.node.id",
    /// Text: `APP.NS`.
    XdsNodeCluster = "xds.node.cluster",
}

/// The maps whose keys are names of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderMap {
    /// `request.headers`.
    Request,
    /// `response.headers`.
    Response,
    /// `response.trailers`.
    Trailers,
}

impl HeaderMap {
    /// The map of a dotted name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "request.headers" => Some(Self::Request),
            "response.headers" => Some(Self::Response),
            "response.trailers" => Some(Self::Trailers),
            _ => None,
        }
    }

    /// The attribute of a key.
    pub(super) fn attribute(self, name: HeaderName) -> Attribute {
        match self {
            Self::Request => Attribute::RequestHeader(name),
            Self::Response => Attribute::ResponseHeader(name),
            Self::Trailers => Attribute::ResponseTrailer(name),
        }
    }
}

impl Attribute {
    /// The attribute of a dotted name without a key.
    pub(super) fn named(name: &str) -> Option<Self> {
        let entry = NAMED.iter().find(|(known, _)| *known == name);
        entry.map(|(_, attribute)| attribute.clone())
    }

    /// Whether attributes have names that go on behind this one, as `xds.node`.
    pub(super) fn is_group(name: &str) -> bool {
        let goes_on = |known: &str| {
            known
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        NAMED.iter().any(|(known, _)| goes_on(known))
    }
}
