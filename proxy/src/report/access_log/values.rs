//! The values of the operators of the access log.

mod expression;
mod outcome;
mod peers;
mod request;

use std::borrow::Cow;
use std::time::Duration;

use egret_config::decide::flag::Flag;
use egret_config::log_format::facts::Fact;
use egret_config::log_format::{Operator, TimePoint, TimeSource, TimeUnit};
use uuid::Uuid;

use crate::report::access_log::call::Call;
use crate::report::access_log::value::Value;
use crate::report::access_log::values::outcome::{
    details, grpc_number, grpc_status, long_flags, status,
};
use crate::report::access_log::values::peers::ip;
use crate::report::access_log::values::request::{
    header, path, query, query_param, server_name, without_query,
};
use crate::report::attributes::protocol;
use crate::report::facts::{Facts, Part, TlsFacts, WireBytes};

/// The value of an operator.
pub fn value<'c>(operator: &'c Operator, call: &Call<'c>) -> Value<'c> {
    let facts = call.facts;
    match operator {
        Operator::Fact(known) => fact(*known, call),
        Operator::Header(source, choice) => header(*source, choice, facts),
        Operator::HeaderWithoutQuery(choice) => without_query(choice, facts),
        Operator::Path { source, query } => path(*source, *query, facts),
        Operator::QueryParam(name) => query_param(name, facts),
        Operator::QueryParams(form) => query(*form, facts),
        Operator::RequestedServerName(name) => server_name(*name, facts),
        Operator::ResponseCodeDetails { whitespace } => details(*whitespace, facts),
        Operator::GrpcStatus(form) => grpc_status(*form, facts),
        Operator::Time {
            source,
            local,
            format,
        } => Value::Time {
            at: match source {
                TimeSource::Start => call.start(),
                TimeSource::Emit => call.now.time,
            },
            local: *local,
            format,
        },
        Operator::CommonDuration { from, to, unit } => {
            let time = |point: &Option<TimePoint>| call.time_of((*point)?);
            let passed = || time(to)?.checked_duration_since(time(from)?);
            Value::number(passed().map(|passed| match unit {
                TimeUnit::Milliseconds => number(passed.as_millis()),
                TimeUnit::Microseconds => number(passed.as_micros()),
                TimeUnit::Nanoseconds => number(passed.as_nanos()),
            }))
        }
        Operator::Ip { of, prefix } => ip(&fact(*of, call), *prefix),
        Operator::Environment(name) => Value::text(call.environment.variable(name).unwrap_or("-")),
        Operator::Coalesce(commands) => {
            let mut values = commands
                .iter()
                .map(|command| value(&command.operator, call).cut(command.limit));
            let empty = |value: &Value<'_>| match value {
                Value::Missing => true,
                Value::Text(bytes) => bytes.is_empty(),
                _ => false,
            };
            values.find(|value| !empty(value)).unwrap_or(Value::Missing)
        }
        Operator::Cel { expression, typed } => expression::value(expression, *typed, call),
    }
}

fn fact<'c>(fact: Fact, call: &Call<'c>) -> Value<'c> {
    let facts = call.facts;
    match fact {
        Fact::Protocol => Value::maybe(facts.request.protocol.map(protocol)),
        Fact::StreamId => match &facts.request.request_id {
            Some(id) => Value::bytes(Some(id.as_bytes())),
            None => Value::Uuid(*facts.stream_id.get_or_init(Uuid::new_v4)),
        },
        Fact::UniqueId => Value::Uuid(Uuid::new_v4()),
        Fact::TraceId => facts
            .span
            .map_or(Value::Missing, |span| Value::Hex(span.trace, 32)),
        Fact::SpanId => facts
            .span
            .map_or(Value::Missing, |span| Value::Hex(span.span.into(), 16)),
        Fact::RouteName => Value::word(facts.decision.route.as_deref()),
        Fact::ResponseCode => Value::Number(status(facts).into()),
        Fact::ResponseFlags => Value::Flags(facts.flags),
        Fact::ResponseFlagsLong => long_flags(facts.flags),
        Fact::ConnectionTerminationDetails => {
            Value::word(facts.downstream.termination_details.as_deref())
        }
        Fact::UpstreamTransportFailureReason => {
            Value::word(facts.response.transport_failure.as_deref())
        }
        Fact::DownstreamTransportFailureReason => {
            Value::word(facts.downstream.transport_failure.as_deref())
        }
        Fact::LocalReplyBody => Value::Text(Cow::Borrowed(
            facts.response.local_body.as_deref().unwrap_or_default(),
        )),
        Fact::GrpcStatusNumber => grpc_number(facts),
        Fact::UpstreamRequestAttemptCount => Value::Number(facts.attempts.iter().count() as u64),
        Fact::UpstreamProtocol => {
            let version = facts.attempts.last().and_then(|attempt| attempt.protocol);
            Value::maybe(version.map(protocol))
        }
        Fact::BytesReceived
        | Fact::BytesSent
        | Fact::DownstreamWireBytesReceived
        | Fact::DownstreamWireBytesSent
        | Fact::DownstreamHeaderBytesReceived
        | Fact::DownstreamHeaderBytesSent
        | Fact::UpstreamWireBytesReceived
        | Fact::UpstreamWireBytesSent
        | Fact::UpstreamHeaderBytesReceived
        | Fact::UpstreamHeaderBytesSent
        | Fact::RequestHeadersBytes
        | Fact::ResponseHeadersBytes
        | Fact::ResponseTrailersBytes => Value::Number(size(fact, facts)),
        Fact::Duration
        | Fact::RequestDuration
        | Fact::RequestTxDuration
        | Fact::ResponseDuration
        | Fact::ResponseTxDuration
        | Fact::UpstreamConnectionPoolReadyDuration
        | Fact::DownstreamHandshakeDuration => {
            Value::number(duration(fact, call).map(|passed| number(passed.as_millis())))
        }
        Fact::DownstreamTlsVersion
        | Fact::DownstreamTlsCipher
        | Fact::DownstreamPeerUriSan
        | Fact::DownstreamPeerDnsSan
        | Fact::DownstreamLocalUriSan
        | Fact::DownstreamLocalDnsSan => tls(fact, facts.downstream.tls.as_deref()),
        Fact::UpstreamTlsVersion
        | Fact::UpstreamTlsCipher
        | Fact::UpstreamPeerUriSan
        | Fact::UpstreamPeerDnsSan
        | Fact::UpstreamLocalUriSan
        | Fact::UpstreamLocalDnsSan
        | Fact::UpstreamServerName => {
            let connection = facts
                .attempts
                .last()
                .and_then(|attempt| attempt.connection.as_ref());
            tls(
                fact,
                connection.and_then(|connection| connection.tls.as_deref()),
            )
        }
        Fact::EgretVerdict => Value::maybe(facts.decision.verdict.map(|verdict| verdict.name())),
        Fact::EgretReasons => Value::maybe(facts.decision.reasons.as_deref()),
        Fact::Hostname => Value::maybe(call.environment.hostname.as_deref()),
        peer => peers::fact(peer, facts),
    }
}

fn size(fact: Fact, facts: &Facts) -> u64 {
    let downstream = facts.downstream.wire;
    let upstream = || upstream_wire(facts);
    let headers = |part| {
        facts
            .captured
            .as_ref()
            .map_or(0, |captured| captured.size(part))
    };
    match fact {
        Fact::BytesReceived => facts.bytes_received,
        Fact::BytesSent => facts.bytes_sent,
        Fact::DownstreamWireBytesReceived => downstream.received,
        Fact::DownstreamWireBytesSent => downstream.sent,
        Fact::DownstreamHeaderBytesReceived => downstream.header_received,
        Fact::DownstreamHeaderBytesSent => downstream.header_sent,
        Fact::UpstreamWireBytesReceived => upstream().received,
        Fact::UpstreamWireBytesSent => upstream().sent,
        Fact::UpstreamHeaderBytesReceived => upstream().header_received,
        Fact::UpstreamHeaderBytesSent => upstream().header_sent,
        Fact::RequestHeadersBytes => headers(Part::Request) + request::pseudo_size(facts),
        Fact::ResponseHeadersBytes => headers(Part::Response) + outcome::pseudo_size(facts),
        _ => headers(Part::Trailers),
    }
}

/// Bytes of a call towards endpoints, of all attempts together as Envoy has them. Those of a byte stream are relayed.
fn upstream_wire(facts: &Facts) -> WireBytes {
    if !facts.is_request() {
        return WireBytes {
            received: facts.bytes_sent,
            sent: facts.bytes_received,
            ..WireBytes::default()
        };
    }
    let mut sum = WireBytes::default();
    for wire in facts
        .attempts
        .iter()
        .filter_map(|attempt| attempt.wire.as_ref())
    {
        let bytes = wire.bytes();
        sum.received += bytes.received;
        sum.sent += bytes.sent;
        sum.header_received += bytes.header_received;
        sum.header_sent += bytes.header_sent;
    }
    sum
}

fn duration(fact: Fact, call: &Call<'_>) -> Option<Duration> {
    let facts = call.facts;
    match fact {
        Fact::Duration => Some(call.duration()),
        Fact::RequestDuration => call.until(TimePoint::DownstreamReceiveEnd),
        Fact::RequestTxDuration => call.until(TimePoint::UpstreamSendEnd),
        Fact::ResponseDuration => call.until(TimePoint::UpstreamReceiveBegin),
        Fact::ResponseTxDuration => {
            let begin = call.time_of(TimePoint::UpstreamReceiveBegin)?;
            call.time_of(TimePoint::DownstreamSendEnd)?
                .checked_duration_since(begin)
        }
        Fact::UpstreamConnectionPoolReadyDuration => {
            let ready = call.time_of(TimePoint::UpstreamSendBegin);
            match ready.or_else(|| call.time_of(TimePoint::UpstreamConnectEnd)) {
                Some(ready) => ready.checked_duration_since(facts.began),
                // As in Envoy, that there will be no connection is an end of the wait, too.
                None => has_waited(facts).then(|| call.duration()),
            }
        }
        _ => facts
            .downstream
            .handshake_end?
            .checked_duration_since(facts.began),
    }
}

/// Whether a call without a connection to an endpoint has waited for one.
fn has_waited(facts: &Facts) -> bool {
    let has_no_room = || {
        [Flag::UH, Flag::UO]
            .iter()
            .any(|flag| facts.flags.contains(*flag))
    };
    facts.attempts.last().is_some() || !facts.is_request() && has_no_room()
}

fn tls<'c>(fact: Fact, tls: Option<&'c TlsFacts>) -> Value<'c> {
    let Some(tls) = tls else {
        return Value::Missing;
    };
    match fact {
        Fact::DownstreamTlsVersion | Fact::UpstreamTlsVersion => Value::maybe(tls.version),
        Fact::DownstreamTlsCipher | Fact::UpstreamTlsCipher => Value::maybe(tls.cipher),
        Fact::DownstreamPeerUriSan | Fact::UpstreamPeerUriSan => Value::word(Some(&tls.peer.uris)),
        Fact::DownstreamPeerDnsSan | Fact::UpstreamPeerDnsSan => Value::word(Some(&tls.peer.dns)),
        Fact::DownstreamLocalUriSan | Fact::UpstreamLocalUriSan => {
            Value::word(Some(&tls.local.uris))
        }
        Fact::DownstreamLocalDnsSan | Fact::UpstreamLocalDnsSan => {
            Value::word(Some(&tls.local.dns))
        }
        _ => Value::word(tls.server_name.as_deref()),
    }
}

fn number(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
