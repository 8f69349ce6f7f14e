//! The operators without an argument: a row for each.

/// What the values of an operator are in typed JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A string.
    Text,
    /// A number.
    Number,
    /// A number, a boolean or a string.
    Any,
    /// Nothing: Envoy has the operator, but there is no such fact here.
    Never,
}

/// A row of a table of operators.
#[derive(Clone, Copy, Debug)]
pub struct Row<T: 'static> {
    /// The operator's name between the percent signs.
    pub name: &'static str,
    /// Its value.
    pub operator: T,
    /// What its values are in typed JSON.
    pub kind: ValueKind,
    /// Its meaning, for the documentation.
    pub about: &'static str,
}

/// A part of the tables.
#[derive(Clone, Copy, Debug)]
pub struct Section<T: 'static> {
    /// Its title in the documentation.
    pub title: &'static str,
    /// Its rows.
    pub rows: &'static [Row<T>],
}

/// Declares [`Fact`] and [`FACTS`].
macro_rules! facts {
    ($($title:literal { $($variant:ident = $name:literal, $kind:ident, $about:literal;)* })*) => {
        /// An operator without an argument.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Fact {
            $($(#[doc = concat!("`%", $name, "%`: ", $about, ".")] $variant,)*)*
            /// What Envoy has and egret does not.
            Unknown,
        }

        /// The operators without an argument.
        pub const FACTS: &[Section<Fact>] = &[$(Section {
            title: $title,
            rows: &[$(Row {
                name: $name,
                operator: Fact::$variant,
                kind: ValueKind::$kind,
                about: $about,
            }),*],
        }),*];
    };
}

facts! {
    "Request" {
        Protocol = "PROTOCOL", Text, "the client's version of HTTP";
        StreamId = "STREAM_ID", Text, "`x-request-id`; for byte streams a UUID of their own";
        UniqueId = "UNIQUE_ID", Text, "a UUID for each line";
        TraceId = "TRACE_ID", Text, "the id of the trace that the call's span belongs to";
        SpanId = "SPAN_ID", Text, "the id of the call's span";
        RouteName = "ROUTE_NAME", Text, "the name of the route";
    }
    "Outcome" {
        ResponseCode = "RESPONSE_CODE", Number, "the status that the client got; 0 when none was sent, and for byte streams";
        ResponseFlags = "RESPONSE_FLAGS", Text, "Envoy's flags, separated by commas; `-` for none";
        ResponseFlagsLong = "RESPONSE_FLAGS_LONG", Text, "the same flags by their long names";
        ConnectionTerminationDetails = "CONNECTION_TERMINATION_DETAILS", Text, "why egret closed the client's connection";
        UpstreamTransportFailureReason = "UPSTREAM_TRANSPORT_FAILURE_REASON", Text,
            "why the upstream has no address, cannot be connected to, or TLS with it failed";
        DownstreamTransportFailureReason = "DOWNSTREAM_TRANSPORT_FAILURE_REASON", Text, "why TLS with the client failed";
        LocalReplyBody = "LOCAL_REPLY_BODY", Text, "the body of a response that egret made itself; empty otherwise";
        GrpcStatusNumber = "GRPC_STATUS_NUMBER", Number, "the status of a gRPC call, as a number";
        UpstreamRequestAttemptCount = "UPSTREAM_REQUEST_ATTEMPT_COUNT", Number, "how many endpoints were tried; 0 where none was";
        UpstreamProtocol = "UPSTREAM_PROTOCOL", Text, "the version of HTTP on the connection to the endpoint";
    }
    "Sizes" {
        BytesReceived = "BYTES_RECEIVED", Number, "body bytes from the client; all bytes for byte streams";
        BytesSent = "BYTES_SENT", Number, "body bytes to the client; all bytes for byte streams";
        DownstreamWireBytesReceived = "DOWNSTREAM_WIRE_BYTES_RECEIVED", Number, "bytes from the client, with heads and framing";
        DownstreamWireBytesSent = "DOWNSTREAM_WIRE_BYTES_SENT", Number, "bytes to the client, with heads and framing";
        DownstreamHeaderBytesReceived = "DOWNSTREAM_HEADER_BYTES_RECEIVED", Number, "those of them that are header fields";
        DownstreamHeaderBytesSent = "DOWNSTREAM_HEADER_BYTES_SENT", Number, "those of them that are header fields";
        UpstreamWireBytesReceived = "UPSTREAM_WIRE_BYTES_RECEIVED", Number, "bytes from the endpoint, with heads and framing";
        UpstreamWireBytesSent = "UPSTREAM_WIRE_BYTES_SENT", Number, "bytes to the endpoint, with heads and framing";
        UpstreamHeaderBytesReceived = "UPSTREAM_HEADER_BYTES_RECEIVED", Number, "those of them that are header fields";
        UpstreamHeaderBytesSent = "UPSTREAM_HEADER_BYTES_SENT", Number, "those of them that are header fields";
        RequestHeadersBytes = "REQUEST_HEADERS_BYTES", Number, "names and values of the request's headers as sent upstream";
        ResponseHeadersBytes = "RESPONSE_HEADERS_BYTES", Number, "names and values of the response's headers";
        ResponseTrailersBytes = "RESPONSE_TRAILERS_BYTES", Number, "names and values of the response's trailers";
    }
    "Times" {
        Duration = "DURATION", Number, "milliseconds from the first byte of the request to the last one of the response";
        RequestDuration = "REQUEST_DURATION", Number, "milliseconds until the request was received";
        RequestTxDuration = "REQUEST_TX_DURATION", Number, "milliseconds until the request was sent upstream";
        ResponseDuration = "RESPONSE_DURATION", Number, "milliseconds until the first byte of the upstream's response";
        ResponseTxDuration = "RESPONSE_TX_DURATION", Number,
            "milliseconds from the first byte of the upstream's response to the last one sent to the client";
        UpstreamConnectionPoolReadyDuration = "UPSTREAM_CONNECTION_POOL_READY_DURATION", Number,
            "milliseconds from the first attempt until there was a connection to an endpoint";
        DownstreamHandshakeDuration = "DOWNSTREAM_HANDSHAKE_DURATION", Number, "milliseconds until TLS with the client was set up";
    }
    "Peers" {
        DownstreamRemoteAddress = "DOWNSTREAM_REMOTE_ADDRESS", Text, "the client's address: the peer's, or the one that a PROXY header names";
        DownstreamRemotePort = "DOWNSTREAM_REMOTE_PORT", Number, "its port";
        DownstreamDirectRemoteAddress = "DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Text, "the peer's address, whatever a PROXY header names";
        DownstreamDirectRemotePort = "DOWNSTREAM_DIRECT_REMOTE_PORT", Number, "its port";
        DownstreamLocalAddress = "DOWNSTREAM_LOCAL_ADDRESS", Text,
            "the address that the client connected to: on a sidecar the original destination";
        DownstreamLocalPort = "DOWNSTREAM_LOCAL_PORT", Number, "its port";
        DownstreamDirectLocalAddress = "DOWNSTREAM_DIRECT_LOCAL_ADDRESS", Text,
            "the address that the client connected to, whatever a PROXY header names";
        DownstreamDirectLocalPort = "DOWNSTREAM_DIRECT_LOCAL_PORT", Number, "its port";
        UpstreamHost = "UPSTREAM_HOST", Text, "the endpoint of the last attempt, also of one that failed";
        UpstreamHostName = "UPSTREAM_HOST_NAME", Text, "the DNS name of that endpoint; its address where it has none";
        UpstreamHostNameWithoutPort = "UPSTREAM_HOST_NAME_WITHOUT_PORT", Text, "the same without a port";
        UpstreamHostsAttempted = "UPSTREAM_HOSTS_ATTEMPTED", Text, "the endpoints of all attempts, separated by commas";
        UpstreamHostsAttemptedWithoutPort = "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT", Text, "the same without ports";
        UpstreamHostNamesAttempted = "UPSTREAM_HOST_NAMES_ATTEMPTED", Text, "the names of these endpoints";
        UpstreamHostNamesAttemptedWithoutPort = "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT", Text, "the same without ports";
        UpstreamRemoteAddress = "UPSTREAM_REMOTE_ADDRESS", Text, "the endpoint that was connected to";
        UpstreamRemotePort = "UPSTREAM_REMOTE_PORT", Number, "its port";
        UpstreamLocalAddress = "UPSTREAM_LOCAL_ADDRESS", Text, "egret's address on the connection to the endpoint";
        UpstreamLocalPort = "UPSTREAM_LOCAL_PORT", Number, "its port";
        UpstreamCluster = "UPSTREAM_CLUSTER", Text, "the cluster";
        UpstreamClusterRaw = "UPSTREAM_CLUSTER_RAW", Text,
            "the cluster, `outbound|PORT|SUBSET|HOST`, PassthroughCluster or BlackHoleCluster";
        UpstreamServerName = "UPSTREAM_SERVER_NAME", Text, "the SNI that was sent to the endpoint";
        UpstreamConnectionId = "UPSTREAM_CONNECTION_ID", Number, "the number of the connection to the endpoint; 0 where there was none";
        ConnectionId = "CONNECTION_ID", Number, "the number of the client's connection";
        Hostname = "HOSTNAME", Text, "the name of this machine or pod";
        AccessLogType = "ACCESS_LOG_TYPE", Text,
            "`DownstreamEnd` for requests, `TcpConnectionEnd` for byte streams, `NotSet` where no filter chain matched";
    }
    "TLS" {
        DownstreamTlsVersion = "DOWNSTREAM_TLS_VERSION", Text, "the version of TLS that egret ended, as `TLSv1.3`";
        DownstreamTlsCipher = "DOWNSTREAM_TLS_CIPHER", Text, "its cipher suite";
        DownstreamPeerUriSan = "DOWNSTREAM_PEER_URI_SAN", Text, "the URIs in the client's certificate, separated by commas";
        DownstreamPeerDnsSan = "DOWNSTREAM_PEER_DNS_SAN", Text, "the DNS names in the client's certificate";
        DownstreamLocalUriSan = "DOWNSTREAM_LOCAL_URI_SAN", Text, "the URIs in the certificate that egret showed the client";
        DownstreamLocalDnsSan = "DOWNSTREAM_LOCAL_DNS_SAN", Text, "the DNS names in that certificate";
        UpstreamTlsVersion = "UPSTREAM_TLS_VERSION", Text, "the version of TLS that egret originated";
        UpstreamTlsCipher = "UPSTREAM_TLS_CIPHER", Text, "its cipher suite";
        UpstreamPeerUriSan = "UPSTREAM_PEER_URI_SAN", Text, "the URIs in the endpoint's certificate";
        UpstreamPeerDnsSan = "UPSTREAM_PEER_DNS_SAN", Text, "the DNS names in the endpoint's certificate";
        UpstreamLocalUriSan = "UPSTREAM_LOCAL_URI_SAN", Text, "the URIs in the certificate that egret showed the endpoint";
        UpstreamLocalDnsSan = "UPSTREAM_LOCAL_DNS_SAN", Text, "the DNS names in that certificate";
    }
    "egret's own" {
        EgretVerdict = "EGRET_VERDICT", Text, "what the configuration decided: `route`, `passthrough`, `blackhole` and the others of `explain`";
        EgretReasons = "EGRET_REASONS", Text, "the listener, virtual host, rule and policy that decided";
    }
}

/// Operators without an argument that Envoy 1.40 has and that have no value here.
pub const UNKNOWN: &[&str] = &[
    "BYTES_RETRANSMITTED",
    "CUSTOM_FLAGS",
    "DOWNSTREAM_CX_RTT",
    "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID",
    "DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID",
    "DOWNSTREAM_LOCAL_CLOSE_REASON",
    "DOWNSTREAM_LOCAL_EMAIL_SAN",
    "DOWNSTREAM_LOCAL_IP_SAN",
    "DOWNSTREAM_LOCAL_OTHERNAME_SAN",
    "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256",
    "DOWNSTREAM_PEER_CHAIN_SERIALS",
    "DOWNSTREAM_PEER_EMAIL_SAN",
    "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_IP_SAN",
    "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_ISSUER_SERIAL",
    "DOWNSTREAM_PEER_OTHERNAME_SAN",
    "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_TLS_GROUP",
    "DOWNSTREAM_TLS_SESSION_ID",
    "FILTER_CHAIN_NAME",
    "LISTENER_NAME",
    "PACKETS_RETRANSMITTED",
    "ROUNDTRIP_DURATION",
    "ROUTE_RESOLUTION_COUNT",
    "ROUTE_RESOLUTION_TIME_US",
    "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT",
    "UPSTREAM_CONNECTION_IDS_ATTEMPTED",
    "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
    "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    "UPSTREAM_DETECTED_CLOSE_TYPE",
    "UPSTREAM_LOCAL_CLOSE_REASON",
    "UPSTREAM_LOCAL_IP_SAN",
    "UPSTREAM_PEER_CERT",
    "UPSTREAM_PEER_IP_SAN",
    "UPSTREAM_PEER_ISSUER",
    "UPSTREAM_PEER_SUBJECT",
    "UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID",
    "UPSTREAM_TLS_GROUP",
    "UPSTREAM_TLS_SESSION_ID",
    "VIRTUAL_CLUSTER_NAME",
];

impl Fact {
    /// The fact of an operator that takes no argument.
    pub(in crate::log_format) fn named(name: &str) -> Option<Self> {
        let mut rows = FACTS.iter().flat_map(|section| section.rows);
        let known = rows.find(|row| row.name == name).map(|row| row.operator);
        known.or_else(|| UNKNOWN.contains(&name).then_some(Self::Unknown))
    }
}
