//! Istio's default formats (istio/istio, `pilot/pkg/model/accesslog`).

use serde_json::{Map, Value};

use crate::log_format::json::JsonFormat;
use crate::log_format::text::TextFormat;

/// Istio's default text.
pub const DEFAULT_TEXT: &str = concat!(
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% ",
    "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% ",
    "\"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ",
    "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" ",
    "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% ",
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% ",
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%"
);

/// Istio's default keys with their operators, in Istio's order.
pub const DEFAULT_KEYS: &[(&str, &str)] = &[
    ("start_time", "%START_TIME%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    (
        "connection_termination_details",
        "%CONNECTION_TERMINATION_DETAILS%",
    ),
    (
        "upstream_transport_failure_reason",
        "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    ),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration", "%DURATION%"),
    (
        "upstream_service_time",
        "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    ),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("route_name", "%ROUTE_NAME%"),
];

/// The reasons of decisions, with which `--access-log-reasons` ends lines of the default formats: the key, and its text.
pub const REASONS: (&str, &str) = ("reasons", " reasons=\"%EGRET_REASONS%\"");

/// Istio's default text as a line, with the `reasons` at its end or without.
pub fn default_text(reasons: bool) -> TextFormat {
    let end = if reasons { REASONS.1 } else { "" };
    // A test reads both.
    TextFormat::line(&format!("{DEFAULT_TEXT}{end}")).unwrap_or_default()
}

/// Istio's default keys, with the `reasons` as the last one or without.
pub fn default_json(reasons: bool) -> JsonFormat {
    let mut object: Map<String, Value> = DEFAULT_KEYS
        .iter()
        .map(|(key, operator)| ((*key).to_owned(), Value::from(*operator)))
        .collect();
    if reasons {
        object.insert(REASONS.0.to_owned(), Value::from("%EGRET_REASONS%"));
    }
    JsonFormat::parse(&object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_formats_are_formats() {
        for reasons in [false, true] {
            let more = usize::from(reasons);
            let text = default_text(reasons);
            // 24 operators, each before a literal, and a literal first.
            assert_eq!(text.pieces().len(), 2 * (24 + more) + 1);
            assert_eq!(default_json(reasons).entries().len(), 24 + more);
        }
    }
}
