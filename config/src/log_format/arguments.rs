//! Operators, with their arguments understood.

use std::sync::Arc;

use crate::expression::Expression;
use crate::log_format::facts::Fact;
use crate::log_format::header::{HeaderChoice, HeaderSource};
use crate::log_format::time::TimeFormat;

/// An operator with the limit of its value.
#[derive(Clone, Debug)]
pub struct Command {
    /// The operator.
    pub operator: Operator,
    /// Bytes of its value that are written at most; no character is cut in two.
    pub limit: Option<usize>,
}

/// An operator of a format.
#[derive(Clone, Debug)]
pub enum Operator {
    /// One without an argument.
    Fact(Fact),
    /// `REQ`, `RESP`, `TRAILER` and their long names.
    Header(HeaderSource, HeaderChoice),
    /// `REQ_WITHOUT_QUERY`: a header of the request up to its `?`.
    HeaderWithoutQuery(HeaderChoice),
    /// `PATH`.
    Path {
        /// Which path.
        source: PathSource,
        /// Whether its query belongs to it.
        query: bool,
    },
    /// `QUERY_PARAM`: the first value of this parameter, decoded.
    QueryParam(Box<str>),
    /// `QUERY_PARAMS`: the query without its `?`.
    QueryParams(QueryForm),
    /// `REQUESTED_SERVER_NAME`.
    RequestedServerName(ServerName),
    /// `RESPONSE_CODE_DETAILS`: why the response is what it is.
    ResponseCodeDetails {
        /// Whether blanks stay; otherwise they become `_`.
        whitespace: bool,
    },
    /// `GRPC_STATUS`.
    GrpcStatus(GrpcForm),
    /// `START_TIME`, `EMIT_TIME` and those in local time.
    Time {
        /// Which point in time.
        source: TimeSource,
        /// In the zone of this machine, not in UTC.
        local: bool,
        /// Its form.
        format: TimeFormat,
    },
    /// `COMMON_DURATION`: from one point to another.
    CommonDuration {
        /// The first point; `None` is an unknown one.
        from: Option<TimePoint>,
        /// The second one.
        to: Option<TimePoint>,
        /// The unit of the number.
        unit: TimeUnit,
    },
    /// An address without its port.
    Ip {
        /// Which address, as the operator that writes it with its port.
        of: Fact,
        /// The length of the prefix to write, as CIDR; `None` is the whole address.
        prefix: Option<u8>,
    },
    /// `ENVIRONMENT`: the value of this variable.
    Environment(Box<str>),
    /// `COALESCE`: the first of these that has a value.
    Coalesce(Vec<Command>),
    /// `CEL`, `TYPED_CEL`: the value of an expression.
    Cel {
        /// The expression.
        expression: Arc<Expression>,
        /// Numbers and booleans stay what they are in JSON.
        typed: bool,
    },
}

/// Which path an operator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathSource {
    /// `ORIG_OR_PATH`: that of before a rewrite, if there was one.
    OriginalOrCurrent,
    /// `PATH`: the one that was sent upstream.
    Current,
    /// `ORIG`: that of before a rewrite; none without a rewrite.
    Original,
}

/// How a query is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryForm {
    /// As it came.
    Original,
    /// With its percent signs decoded.
    Decoded,
}

/// Where a name of the server is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerName {
    /// The SNI counts.
    pub sni: bool,
    /// The host of the request counts.
    pub host: Option<PathSource>,
    /// The host counts first.
    pub host_first: bool,
}

/// How the status of a gRPC call is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcForm {
    /// `DeadlineExceeded`.
    Camel,
    /// `DEADLINE_EXCEEDED`.
    Snake,
    /// `4`.
    Number,
}

/// Which point in time an operator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// The beginning of the call.
    Start,
    /// The moment at which the line is made.
    Emit,
}

/// A point in the course of a call, by Envoy's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimePoint {
    /// `DS_RX_BEG`: the call begins.
    DownstreamReceiveBegin,
    /// `DS_RX_END`: the request was received.
    DownstreamReceiveEnd,
    /// `US_CX_BEG`: connecting to the endpoint begins.
    UpstreamConnectBegin,
    /// `US_CX_END`: the endpoint was connected to.
    UpstreamConnectEnd,
    /// `US_HS_END`: TLS with the endpoint was set up.
    UpstreamHandshakeEnd,
    /// `US_TX_BEG`: the request begins to be sent.
    UpstreamSendBegin,
    /// `US_TX_END`: the request was sent.
    UpstreamSendEnd,
    /// `US_RX_BEG`: the response begins.
    UpstreamReceiveBegin,
    /// `US_RX_END`: the response was received.
    UpstreamReceiveEnd,
    /// `DS_TX_BEG`: the response begins to be sent.
    DownstreamSendBegin,
    /// `DS_TX_END`: the response was sent.
    DownstreamSendEnd,
}

/// The unit of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// `ms`.
    Milliseconds,
    /// `us`.
    Microseconds,
    /// `ns`.
    Nanoseconds,
}

impl TimePoint {
    /// All of them, by their names.
    pub const NAMED: &[(&str, Self)] = &[
        ("DS_RX_BEG", Self::DownstreamReceiveBegin),
        ("DS_RX_END", Self::DownstreamReceiveEnd),
        ("US_CX_BEG", Self::UpstreamConnectBegin),
        ("US_CX_END", Self::UpstreamConnectEnd),
        ("US_HS_END", Self::UpstreamHandshakeEnd),
        ("US_TX_BEG", Self::UpstreamSendBegin),
        ("US_TX_END", Self::UpstreamSendEnd),
        ("US_RX_BEG", Self::UpstreamReceiveBegin),
        ("US_RX_END", Self::UpstreamReceiveEnd),
        ("DS_TX_BEG", Self::DownstreamSendBegin),
        ("DS_TX_END", Self::DownstreamSendEnd),
    ];

    /// The point of this name.
    pub(in crate::log_format) fn named(name: &str) -> Option<Self> {
        let known = Self::NAMED.iter().find(|(known, _)| *known == name);
        known.map(|(_, point)| *point)
    }
}
