//! Keys of the access log, in the order of the JSON format.

use egret_proxy::report::access_log::format;
use egret_proxy::report::access_log::format::Now;
use egret_proxy::report::facts::Facts;
use serde_json::{Map, Value};

use crate::{header, row};

/// A key, Envoy's operator for it, and what it is.
const KEYS: &[(&str, &str, &str)] = &[
    (
        "start_time",
        "%START_TIME%",
        "when the request's head was read or the connection was accepted; RFC 3339, UTC, milliseconds",
    ),
    ("method", "%REQ(:METHOD)%", "the request's method"),
    (
        "path",
        "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "path and query before any rewrite",
    ),
    ("protocol", "%PROTOCOL%", "the client's version of HTTP"),
    (
        "response_code",
        "%RESPONSE_CODE%",
        "the status that the client got; 0 when none was sent, and for byte streams",
    ),
    (
        "response_flags",
        "%RESPONSE_FLAGS%",
        "Envoy's flags, separated by commas; `-` for none",
    ),
    (
        "response_code_details",
        "%RESPONSE_CODE_DETAILS%",
        "why the response is what it is; `via_upstream` for an upstream's own",
    ),
    (
        "connection_termination_details",
        "%CONNECTION_TERMINATION_DETAILS%",
        "why egret closed the client's connection",
    ),
    (
        "upstream_transport_failure_reason",
        "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
        "why the upstream has no address, cannot be connected to, or TLS with it failed",
    ),
    (
        "bytes_received",
        "%BYTES_RECEIVED%",
        "body bytes from the client; all bytes for byte streams",
    ),
    (
        "bytes_sent",
        "%BYTES_SENT%",
        "body bytes to the client; all bytes for byte streams",
    ),
    ("duration", "%DURATION%", "milliseconds from start to end"),
    (
        "upstream_service_time",
        "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
        "milliseconds until the upstream's response head",
    ),
    (
        "x_forwarded_for",
        "%REQ(X-FORWARDED-FOR)%",
        "the header as sent upstream",
    ),
    ("user_agent", "%REQ(USER-AGENT)%", "the request's header"),
    (
        "request_id",
        "%REQ(X-REQUEST-ID)%",
        "the header as sent upstream",
    ),
    ("authority", "%REQ(:AUTHORITY)%", "the request's host"),
    (
        "upstream_host",
        "%UPSTREAM_HOST%",
        "the endpoint of the last attempt",
    ),
    (
        "upstream_cluster",
        "%UPSTREAM_CLUSTER_RAW%",
        "the cluster, `outbound|PORT|SUBSET|HOST`, PassthroughCluster or BlackHoleCluster",
    ),
    (
        "upstream_local_address",
        "%UPSTREAM_LOCAL_ADDRESS%",
        "egret's address on the connection to the endpoint",
    ),
    (
        "downstream_local_address",
        "%DOWNSTREAM_LOCAL_ADDRESS%",
        "the address that the client connected to: on a sidecar the original destination",
    ),
    (
        "downstream_remote_address",
        "%DOWNSTREAM_REMOTE_ADDRESS%",
        "the client's address",
    ),
    (
        "requested_server_name",
        "%REQUESTED_SERVER_NAME%",
        "the SNI of the client's TLS",
    ),
    ("route_name", "%ROUTE_NAME%", "the name of the route"),
    (
        "reasons",
        "",
        "with `--access-log-reasons`: the listener, virtual host, rule and policy that decided",
    ),
];

pub(crate) fn page() -> String {
    let described: Vec<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
    assert_eq!(
        described,
        keys(),
        "tests/docs/access_log.rs describes each key"
    );
    let mut text = "# Access log\n\n\
        One line for each request, and for each connection that carries no HTTP; refused ones included. MeshConfig `accessLogFile` names the \
        file, `accessLogEncoding` is TEXT or JSON. The formats are Istio's defaults: JSON has these keys in this order; TEXT has the same \
        values in the order of Istio's default format.\n\n\
        A missing value is `null` in JSON and `-` in TEXT. Quotes, backslashes and control characters in values from clients and upstreams \
        are escaped, so that nobody can forge a line or a field.\n\n"
        .to_owned();
    text += &header(["key", "Envoy's operator", "value"]);
    for (key, operator, about) in KEYS {
        let operator = if operator.is_empty() {
            "none".to_owned()
        } else {
            format!("`{operator}`")
        };
        text += &row([&format!("`{key}`"), &operator, about]);
    }
    text
}

/// The keys of a line, in order.
fn keys() -> Vec<String> {
    let mut facts = Facts::begin();
    facts.decision.reasons = Some("because".into());
    let mut line = Vec::new();
    format::json(&facts, Now::read(), &mut line);
    let fields: Map<String, Value> = serde_json::from_slice(&line).expect("a line is JSON");
    fields.into_iter().map(|(key, _)| key).collect()
}
