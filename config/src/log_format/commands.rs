//! The operators with an argument, a row for each; and how an operator is found by its name.

use crate::log_format::arguments::{Command, Operator};
use crate::log_format::coalesce;
use crate::log_format::error::FormatError;
use crate::log_format::facts::{Fact, Row, Section, ValueKind};
use crate::log_format::parse::{
    DIRECT_LOCAL, DIRECT_REMOTE, LOCAL, Parsed, REMOTE, UPSTREAM_LOCAL, UPSTREAM_REMOTE, cel,
    common_duration, details, emit_time, emit_time_local, environment, filter_state, grpc_status,
    ip, metadata, path, query_param, query_params, request, request_header, response, server_name,
    start_time, start_time_local, trailer, typed_cel, unknown, unknown_time, without_query,
};

/// What an operator takes.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The argument, for the documentation.
    pub argument: &'static str,
    /// It has to have one.
    pub required: bool,
    /// Its value can be cut, by `:Z`.
    pub limit: bool,
    parse: fn(&str) -> Parsed,
}

const fn row(
    name: &'static str,
    operator: Shape,
    kind: ValueKind,
    about: &'static str,
) -> Row<Shape> {
    Row {
        name,
        operator,
        kind,
        about,
    }
}

/// An operator without its argument is refused.
const fn required(argument: &'static str, parse: fn(&str) -> Parsed) -> Shape {
    Shape {
        argument,
        required: true,
        limit: false,
        parse,
    }
}

/// An operator may stand without its argument.
const fn optional(argument: &'static str, parse: fn(&str) -> Parsed) -> Shape {
    Shape {
        required: false,
        ..required(argument, parse)
    }
}

/// An operator whose value can be cut.
const fn limited(shape: Shape) -> Shape {
    Shape {
        limit: true,
        ..shape
    }
}

const PREFIX: &str = "length of the prefix";

/// The operators with an argument.
pub const COMMANDS: &[Section<Shape>] = &[
    Section {
        title: "Headers",
        rows: &[
            row(
                "REQ",
                limited(required("A?B", request)),
                ValueKind::Text,
                "the request's header A as it was sent upstream, else B; `:METHOD`, `:PATH`, `:AUTHORITY` and `:SCHEME` too",
            ),
            row(
                "REQUEST_HEADER",
                limited(required("A?B[:ORIG]", request_header)),
                ValueKind::Text,
                "the same; with `:ORIG` path and authority are those of before a rewrite",
            ),
            row(
                "STREAM_INFO_REQ",
                limited(required("A?B", request)),
                ValueKind::Text,
                "the same as `REQ`",
            ),
            row(
                "REQ_WITHOUT_QUERY",
                limited(required("A?B", without_query)),
                ValueKind::Text,
                "the same, up to its `?`",
            ),
            row(
                "RESP",
                limited(required("A?B", response)),
                ValueKind::Text,
                "the response's header A as the client got it, else B; `:STATUS` too",
            ),
            row(
                "RESPONSE_HEADER",
                limited(required("A?B", response)),
                ValueKind::Text,
                "the same as `RESP`",
            ),
            row(
                "TRAILER",
                limited(required("A?B", trailer)),
                ValueKind::Text,
                "the response's trailer A, else B",
            ),
            row(
                "RESPONSE_TRAILER",
                limited(required("A?B", trailer)),
                ValueKind::Text,
                "the same as `TRAILER`",
            ),
        ],
    },
    Section {
        title: "Request",
        rows: &[
            row(
                "PATH",
                limited(optional("WQ or NQ[:ORIG, PATH or ORIG_OR_PATH]", path)),
                ValueKind::Text,
                "the path before any rewrite with its query; `NQ` without query, `PATH` the current one, `ORIG` only where there was a rewrite",
            ),
            row(
                "QUERY_PARAM",
                limited(required("K", query_param)),
                ValueKind::Text,
                "the first value of the parameter K of the query, decoded",
            ),
            row(
                "QUERY_PARAMS",
                limited(optional("ORIG or DECODED", query_params)),
                ValueKind::Text,
                "the query",
            ),
            row(
                "REQUESTED_SERVER_NAME",
                optional(
                    "SNI_ONLY, SNI_FIRST or HOST_FIRST[:HOST, ORIG or ORIG_OR_HOST]",
                    server_name,
                ),
                ValueKind::Text,
                "the SNI of the client's TLS, or the host of the request",
            ),
        ],
    },
    Section {
        title: "Outcome",
        rows: &[
            row(
                "RESPONSE_CODE_DETAILS",
                optional("ALLOW_WHITESPACES", details),
                ValueKind::Text,
                "why the response is what it is; `via_upstream` for an upstream's own. Blanks become `_`, unless they are allowed",
            ),
            row(
                "GRPC_STATUS",
                optional("CAMEL_STRING, SNAKE_STRING or NUMBER", grpc_status),
                ValueKind::Text,
                "the status of a gRPC call",
            ),
        ],
    },
    Section {
        title: "Times",
        rows: &[
            row(
                "START_TIME",
                optional("form", start_time),
                ValueKind::Text,
                "when the request's head was read or the connection was accepted; RFC 3339, UTC, milliseconds, or in this form",
            ),
            row(
                "START_TIME_LOCAL",
                optional("form", start_time_local),
                ValueKind::Text,
                "the same in the zone of this machine",
            ),
            row(
                "EMIT_TIME",
                optional("form", emit_time),
                ValueKind::Text,
                "when the line was made",
            ),
            row(
                "EMIT_TIME_LOCAL",
                optional("form", emit_time_local),
                ValueKind::Text,
                "the same in the zone of this machine",
            ),
            row(
                "COMMON_DURATION",
                required("FROM:TO[:ms, us or ns]", common_duration),
                ValueKind::Number,
                "the time between two of DS_RX_BEG, DS_RX_END, US_CX_BEG, US_CX_END, US_HS_END, US_TX_BEG, US_TX_END, US_RX_BEG, US_RX_END, DS_TX_BEG and DS_TX_END",
            ),
        ],
    },
    Section {
        title: "Peers",
        rows: &[
            row(
                "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
                optional(PREFIX, ip::<REMOTE>),
                ValueKind::Text,
                "the client's address, or its prefix as CIDR",
            ),
            row(
                "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
                optional(PREFIX, ip::<DIRECT_REMOTE>),
                ValueKind::Text,
                "the peer's address, whatever a PROXY header names",
            ),
            row(
                "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
                optional(PREFIX, ip::<LOCAL>),
                ValueKind::Text,
                "the address that the client connected to",
            ),
            row(
                "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
                optional(PREFIX, ip::<DIRECT_LOCAL>),
                ValueKind::Text,
                "the same, whatever a PROXY header names",
            ),
            row(
                "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
                optional(PREFIX, ip::<UPSTREAM_REMOTE>),
                ValueKind::Text,
                "the endpoint that was connected to",
            ),
            row(
                "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
                optional(PREFIX, ip::<UPSTREAM_LOCAL>),
                ValueKind::Text,
                "egret's address on the connection to the endpoint",
            ),
        ],
    },
    Section {
        title: "Values of other operators",
        rows: &[
            row(
                "ENVIRONMENT",
                limited(required("X", environment)),
                ValueKind::Text,
                "the environment variable X of the proxy, as it was when the format was read; `-` where there is none",
            ),
            row(
                "COALESCE",
                limited(required(
                    r#"{"operators": ["NAME", {"command": "REQ", "param": ":authority", "max_length": 10}]}"#,
                    coalesced,
                )),
                ValueKind::Any,
                "the first of these operators that has a value",
            ),
            row(
                "CEL",
                limited(required("expression", cel)),
                ValueKind::Text,
                "the value of an expression",
            ),
            row(
                "TYPED_CEL",
                limited(required("expression", typed_cel)),
                ValueKind::Any,
                "the same; numbers and booleans stay what they are in JSON",
            ),
        ],
    },
    Section {
        title: "Without a value here",
        rows: &[
            row(
                "DYNAMIC_METADATA",
                limited(required("NAMESPACE:KEY", unknown)),
                ValueKind::Never,
                "",
            ),
            row(
                "CLUSTER_METADATA",
                required("NAMESPACE:KEY", unknown),
                ValueKind::Never,
                "",
            ),
            row(
                "UPSTREAM_METADATA",
                required("NAMESPACE:KEY", unknown),
                ValueKind::Never,
                "",
            ),
            row(
                "METADATA",
                limited(optional("TYPE:NAMESPACE:KEY", metadata)),
                ValueKind::Never,
                "",
            ),
            row(
                "FILTER_STATE",
                limited(required("KEY:F", filter_state)),
                ValueKind::Never,
                "",
            ),
            row(
                "UPSTREAM_FILTER_STATE",
                limited(required("KEY:F", filter_state)),
                ValueKind::Never,
                "",
            ),
            row(
                "DOWNSTREAM_PEER_CERT_V_START",
                optional("form", unknown_time),
                ValueKind::Never,
                "",
            ),
            row(
                "DOWNSTREAM_PEER_CERT_V_END",
                optional("form", unknown_time),
                ValueKind::Never,
                "",
            ),
            row(
                "UPSTREAM_PEER_CERT_V_START",
                optional("form", unknown_time),
                ValueKind::Never,
                "",
            ),
            row(
                "UPSTREAM_PEER_CERT_V_END",
                optional("form", unknown_time),
                ValueKind::Never,
                "",
            ),
        ],
    },
];

fn coalesced(text: &str) -> Parsed {
    coalesce::parse(text, command).map(Operator::Coalesce)
}

/// The operator of this name with its argument and its limit.
///
/// # Errors
/// The name is unknown; or an argument or a limit that the operator does not take, or lacks; or an argument that is none.
pub(in crate::log_format) fn command(
    name: &str,
    argument: &str,
    limit: Option<usize>,
) -> Result<Command, FormatError> {
    if let Some(fact) = Fact::named(name) {
        if !argument.is_empty() || limit.is_some() {
            let reason = "this operator takes no argument and no length";
            return Err(FormatError::new(name, reason));
        }
        let operator = Operator::Fact(fact);
        return Ok(Command { operator, limit });
    }
    let mut rows = COMMANDS.iter().flat_map(|section| section.rows);
    let Some(row) = rows.find(|row| row.name == name) else {
        return Err(FormatError::new(name, "no operator that is known"));
    };
    let shape = &row.operator;
    if shape.required && argument.is_empty() {
        let reason = format!(
            "this operator needs an argument: {name}({})",
            shape.argument
        );
        return Err(FormatError::new(name, reason));
    }
    if !shape.limit && limit.is_some() {
        return Err(FormatError::new(name, "this operator takes no length"));
    }
    let operator = (shape.parse)(argument)?;
    Ok(Command { operator, limit })
}
