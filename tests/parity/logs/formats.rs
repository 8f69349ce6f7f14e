//! A format with every operator, in the words of both configurations.

use serde_json::{Map, Value};

use crate::compare::Names;

/// The operators, without their percent signs.
const OPERATORS: &[&str] = &[
    "REQ(:METHOD)",
    "REQ(:PATH)",
    "REQ(X-ENVOY-ORIGINAL-PATH?:PATH)",
    "REQ(X-ENVOY-ORIGINAL-PATH?:PATH):4",
    "REQ(:AUTHORITY)",
    "REQ(:SCHEME)",
    "REQ(X-NONE)",
    "REQ(X-NONE?CONTENT-LENGTH)",
    "REQ(X-REQUEST-ID)",
    "REQ(X-FORWARDED-PROTO)",
    "REQ(X-ENVOY-ATTEMPT-COUNT)",
    "REQ_WITHOUT_QUERY(:PATH)",
    "REQ_WITHOUT_QUERY(X-NONE?:PATH):3",
    "RESP(:STATUS)",
    "RESP(CONTENT-LENGTH)",
    "RESP(CONTENT-TYPE)",
    "RESP(LOCATION)",
    SERVICE_TIME,
    "RESP(GRPC-STATUS)",
    "TRAILER(X-SUM)",
    "TRAILER(GRPC-STATUS)",
    "REQUEST_HEADER(:PATH?:AUTHORITY):5",
    "RESPONSE_HEADER(:STATUS)",
    "RESPONSE_TRAILER(X-SUM)",
    "PROTOCOL",
    "PATH",
    "PATH(WQ)",
    "PATH(NQ)",
    "PATH(WQ:ORIG)",
    "PATH(WQ:PATH)",
    "PATH(NQ:ORIG_OR_PATH):5",
    "QUERY_PARAM(a)",
    "QUERY_PARAM(q):1",
    "QUERY_PARAMS",
    "QUERY_PARAMS(DECODED)",
    "REQUESTED_SERVER_NAME",
    "REQUESTED_SERVER_NAME(SNI_FIRST)",
    "REQUESTED_SERVER_NAME(HOST_FIRST)",
    "REQUESTED_SERVER_NAME(HOST_FIRST:ORIG)",
    "STREAM_ID",
    "UNIQUE_ID",
    "TRACE_ID",
    "SPAN_ID",
    "ROUTE_NAME",
    "VIRTUAL_CLUSTER_NAME",
    "RESPONSE_CODE",
    "RESPONSE_CODE_DETAILS",
    "RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)",
    "RESPONSE_FLAGS",
    "RESPONSE_FLAGS_LONG",
    "CONNECTION_TERMINATION_DETAILS",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "LOCAL_REPLY_BODY",
    "GRPC_STATUS",
    "GRPC_STATUS(CAMEL_STRING)",
    "GRPC_STATUS(SNAKE_STRING)",
    "GRPC_STATUS(NUMBER)",
    "GRPC_STATUS_NUMBER",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    "UPSTREAM_PROTOCOL",
    "BYTES_RECEIVED",
    "BYTES_SENT",
    "UPSTREAM_WIRE_BYTES_SENT",
    "UPSTREAM_WIRE_BYTES_RECEIVED",
    "UPSTREAM_HEADER_BYTES_SENT",
    "UPSTREAM_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_WIRE_BYTES_SENT",
    "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    "DOWNSTREAM_HEADER_BYTES_SENT",
    "DOWNSTREAM_HEADER_BYTES_RECEIVED",
    "REQUEST_HEADERS_BYTES",
    "RESPONSE_HEADERS_BYTES",
    "RESPONSE_TRAILERS_BYTES",
    "START_TIME",
    "START_TIME(%Y/%m/%dT%H:%M:%S%z %s %3f %6f %9f)",
    "START_TIME_LOCAL",
    "EMIT_TIME",
    "EMIT_TIME_LOCAL(%s.%3f)",
    "DURATION",
    "REQUEST_DURATION",
    "REQUEST_TX_DURATION",
    "RESPONSE_DURATION",
    "RESPONSE_TX_DURATION",
    "ROUNDTRIP_DURATION",
    "UPSTREAM_CONNECTION_POOL_READY_DURATION",
    "DOWNSTREAM_HANDSHAKE_DURATION",
    "COMMON_DURATION(DS_RX_BEG:DS_TX_END:ns)",
    "COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)",
    "COMMON_DURATION(US_CX_BEG:US_CX_END:ms)",
    "COMMON_DURATION(DS_RX_BEG:DS_RX_END)",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16)",
    "DOWNSTREAM_REMOTE_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_PORT",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_PORT",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_LOCAL_PORT",
    "UPSTREAM_HOST",
    "UPSTREAM_HOST_NAME",
    "UPSTREAM_HOST_NAME_WITHOUT_PORT",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(24)",
    "UPSTREAM_REMOTE_PORT",
    "UPSTREAM_LOCAL_ADDRESS",
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_LOCAL_PORT",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_HOSTS_ATTEMPTED",
    "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT",
    "UPSTREAM_HOST_NAMES_ATTEMPTED",
    "UPSTREAM_CONNECTION_ID",
    "CONNECTION_ID",
    "HOSTNAME",
    "ENVIRONMENT(NO_SUCH_VARIABLE)",
    "ACCESS_LOG_TYPE",
    "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_SESSION_ID",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_PEER_CERT_V_START",
    "UPSTREAM_TLS_VERSION",
    "UPSTREAM_PEER_SUBJECT",
    "DYNAMIC_METADATA(a.b)",
    "CLUSTER_METADATA(a.b)",
    "UPSTREAM_METADATA(a.b)",
    "FILTER_STATE(a)",
    "FILTER_CHAIN_NAME",
    "TLS_JA3_FINGERPRINT",
    "COALESCE({\"operators\":[\"ROUTE_NAME\", {\"command\":\"REQ\",\"param\":\":authority\"}]})",
    "COALESCE({\"operators\":[{\"command\":\"REQ\",\"param\":\"x-none\"}, \"PROTOCOL\"]})",
    "CEL(request.method)",
    "CEL(response.code)",
    "CEL(request.headers['x-none'])",
    "CEL(response.flags)",
    "CEL(size(request.path) > 3)",
    "CEL(request.path):3",
    "CEL(connection.mtls)",
    "CEL(request.protocol)",
    "CEL(destination.port)",
    "CEL(upstream.address)",
];

/// Answers are signed as Envoy signs them, so that their sizes can be the same.
const SIGNED: &str = "defaultConfig: {proxyHeaders: {server: {value: istio-envoy}}}";

/// How long the upstream took. Its digits are among the bytes of the response.
const SERVICE_TIME: &str = "RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)";

/// The operators that count these bytes.
const OF_RESPONSE: &[&str] = &[
    "DOWNSTREAM_WIRE_BYTES_SENT",
    "DOWNSTREAM_HEADER_BYTES_SENT",
    "RESPONSE_HEADERS_BYTES",
];

/// Between two fields of a text.
const SEPARATOR: &str = " ;; ";

/// What Envoy needs for `REQ_WITHOUT_QUERY`.
const FORMATTERS: &str = "formatters: [{name: envoy.formatter.req_without_query, typed_config: \
     {\"@type\": type.googleapis.com/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery}}]";

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Text,
}

impl Encoding {
    /// The bootstrap of Envoy, whose access logs have this format.
    pub(super) fn of_envoy(self, bootstrap: &str) -> String {
        let format = match self {
            Self::Json => format!("json_format: {}", json()),
            Self::Text => {
                let text = Value::String(text() + "\n");
                format!("text_format_source: {{inline_string: {text}}}")
            }
        };
        let mut made = String::new();
        let mut inside = None;
        for line in bootstrap.lines() {
            let indent = line.len() - line.trim_start().len();
            if inside.is_some_and(|outer| indent > outer) {
                continue;
            }
            inside = None;
            if line.trim() == "json_format:" {
                inside = Some(indent);
                let indent = " ".repeat(indent);
                made.push_str(&format!("{indent}{format}\n{indent}{FORMATTERS}\n"));
            } else {
                made.push_str(&format!("{line}\n"));
            }
        }
        made
    }

    /// Istio's objects, whose mesh has this format.
    pub(super) fn of_istio(self, objects: &str) -> String {
        let (encoding, format) = match self {
            Self::Json => ("JSON", json().to_string()),
            Self::Text => ("TEXT", text()),
        };
        let format = format.replace('\'', "''");
        let settings =
            format!("accessLogEncoding: {encoding}\n    accessLogFormat: '{format}'\n    {SIGNED}");
        objects.replacen("accessLogEncoding: JSON", &settings, 1)
    }

    /// The fields of a line, by operator. The digits of the upstream's time are left out, and out of the sizes that have
    /// them.
    pub(super) fn fields(self, line: &str) -> Vec<(&'static str, String)> {
        let mut fields = self.raw_fields(line);
        let time = fields
            .iter_mut()
            .find(|(operator, _)| *operator == SERVICE_TIME);
        let digits = time.map_or(0, |(_, time)| {
            let digits = time.chars().filter(char::is_ascii_digit).count() as u64;
            time.retain(|character| !character.is_ascii_digit());
            digits
        });
        for (_, size) in fields
            .iter_mut()
            .filter(|(name, _)| OF_RESPONSE.contains(name))
        {
            if let Ok(bytes) = size.parse::<u64>() {
                *size = bytes.saturating_sub(digits).to_string();
            }
        }
        fields
    }

    fn raw_fields(self, line: &str) -> Vec<(&'static str, String)> {
        match self {
            Self::Json => {
                let line: Value = serde_json::from_str(line).unwrap_or_default();
                let field = |operator: &'static str| (operator, line[operator].to_string());
                OPERATORS.iter().map(|operator| field(operator)).collect()
            }
            Self::Text => {
                let values = line.split(SEPARATOR).map(str::to_owned);
                OPERATORS.iter().copied().zip(values).collect()
            }
        }
    }
}

fn json() -> Value {
    let fields = OPERATORS.iter().map(|operator| {
        let value = Value::String(format!("%{operator}%"));
        ((*operator).to_owned(), value)
    });
    Value::Object(fields.collect::<Map<_, _>>())
}

fn text() -> String {
    let fields = OPERATORS.iter().map(|operator| format!("%{operator}%"));
    fields.collect::<Vec<_>>().join(SEPARATOR)
}

/// A value, by its shape where it cannot be the same both ways.
pub(super) fn usual(operator: &str, value: String, names: &Names) -> String {
    let bare = value.trim_matches('"');
    if operator.contains("_TIME") {
        return shape(&value);
    }
    if operator.contains("DURATION") || operator.ends_with("CONNECTION_ID") {
        return match bare.parse::<i64>() {
            Ok(0) if operator.ends_with("_ID") => value,
            Ok(_) => shape_of_number(&value),
            Err(_) => value,
        };
    }
    if ["STREAM_ID", "UNIQUE_ID", "REQ(X-REQUEST-ID)"].contains(&operator) {
        return shape(&value);
    }
    if operator.ends_with("_PORT") && bare.parse::<u16>().is_ok_and(|port| port >= 10_000) {
        return "a port".to_owned();
    }
    match value.starts_with('"') {
        true => format!("\"{}\"", names.address(bare)),
        false => names.address(bare),
    }
}

fn shape_of_number(value: &str) -> String {
    value
        .replace(|character: char| character.is_ascii_digit(), "")
        .replace('-', "")
        + "a number"
}

/// Each digit and each letter of a number as `9`.
fn shape(value: &str) -> String {
    let digit = |character: char| match character {
        '0'..='9' | 'a'..='f' => '9',
        other => other,
    };
    value.chars().map(digit).collect()
}
