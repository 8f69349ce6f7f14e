//! Reads the arguments of operators.

use std::sync::Arc;

use crate::expression::Expression;
use crate::log_format::arguments::{
    GrpcForm, Operator, PathSource, QueryForm, ServerName, TimePoint, TimeSource, TimeUnit,
};
use crate::log_format::error::FormatError;
use crate::log_format::facts::Fact;
use crate::log_format::header::{HeaderChoice, HeaderSource};
use crate::log_format::time::TimeFormat;

/// What an argument becomes.
pub(super) type Parsed = Result<Operator, FormatError>;

/// Where metadata comes from (`METADATA(T:...)`).
const METADATA: &[&str] = &[
    "DYNAMIC",
    "CLUSTER",
    "ROUTE",
    "UPSTREAM_HOST",
    "LISTENER",
    "LISTENER_FILTER_CHAIN",
    "VIRTUAL_HOST",
];

/// `A`, `A?B`, and for the long name of a request's header `A:ORIG`.
pub(super) fn request_header(text: &str) -> Parsed {
    let (names, source) = match text.strip_suffix(":ORIG") {
        Some(names) => (names, HeaderSource::OriginalRequest),
        None => (text, HeaderSource::Request),
    };
    Ok(Operator::Header(source, HeaderChoice::parse(names)?))
}

pub(super) fn request(text: &str) -> Parsed {
    Ok(Operator::Header(
        HeaderSource::Request,
        HeaderChoice::parse(text)?,
    ))
}

pub(super) fn response(text: &str) -> Parsed {
    Ok(Operator::Header(
        HeaderSource::Response,
        HeaderChoice::parse(text)?,
    ))
}

pub(super) fn trailer(text: &str) -> Parsed {
    Ok(Operator::Header(
        HeaderSource::Trailers,
        HeaderChoice::parse(text)?,
    ))
}

pub(super) fn without_query(text: &str) -> Parsed {
    HeaderChoice::parse(text).map(Operator::HeaderWithoutQuery)
}

pub(super) fn path(text: &str) -> Parsed {
    let (query, source) = text.split_once(':').unwrap_or((text, ""));
    Ok(Operator::Path {
        query: one_of(query, &[("", true), ("WQ", true), ("NQ", false)])?,
        source: one_of(
            source,
            &[
                ("", PathSource::OriginalOrCurrent),
                ("ORIG_OR_PATH", PathSource::OriginalOrCurrent),
                ("PATH", PathSource::Current),
                ("ORIG", PathSource::Original),
            ],
        )?,
    })
}

pub(super) fn query_param(text: &str) -> Parsed {
    Ok(Operator::QueryParam(text.into()))
}

pub(super) fn query_params(text: &str) -> Parsed {
    let forms = [
        ("", QueryForm::Original),
        ("ORIG", QueryForm::Original),
        ("DECODED", QueryForm::Decoded),
    ];
    one_of(text, &forms).map(Operator::QueryParams)
}

pub(super) fn server_name(text: &str) -> Parsed {
    let (order, host) = text.split_once(':').unwrap_or((text, ""));
    let host = one_of(
        host,
        &[
            ("", PathSource::OriginalOrCurrent),
            ("ORIG_OR_HOST", PathSource::OriginalOrCurrent),
            ("HOST", PathSource::Current),
            ("ORIG", PathSource::Original),
        ],
    )?;
    let only = ServerName {
        sni: true,
        host: None,
        host_first: false,
    };
    let first = ServerName {
        host: Some(host),
        ..only
    };
    let last = ServerName {
        host_first: true,
        ..first
    };
    let orders = [
        ("", only),
        ("SNI_ONLY", only),
        ("SNI_FIRST", first),
        ("HOST_FIRST", last),
    ];
    one_of(order, &orders).map(Operator::RequestedServerName)
}

pub(super) fn details(text: &str) -> Parsed {
    Ok(Operator::ResponseCodeDetails {
        whitespace: text == "ALLOW_WHITESPACES",
    })
}

pub(super) fn grpc_status(text: &str) -> Parsed {
    let forms = [
        ("", GrpcForm::Camel),
        ("CAMEL_STRING", GrpcForm::Camel),
        ("SNAKE_STRING", GrpcForm::Snake),
        ("NUMBER", GrpcForm::Number),
    ];
    one_of(text, &forms).map(Operator::GrpcStatus)
}

fn time(source: TimeSource, local: bool, text: &str) -> Parsed {
    Ok(Operator::Time {
        source,
        local,
        format: TimeFormat::parse(text)?,
    })
}

pub(super) fn start_time(text: &str) -> Parsed {
    time(TimeSource::Start, false, text)
}

pub(super) fn start_time_local(text: &str) -> Parsed {
    time(TimeSource::Start, true, text)
}

pub(super) fn emit_time(text: &str) -> Parsed {
    time(TimeSource::Emit, false, text)
}

pub(super) fn emit_time_local(text: &str) -> Parsed {
    time(TimeSource::Emit, true, text)
}

/// An unknown time, whose format must be valid all the same.
pub(super) fn unknown_time(text: &str) -> Parsed {
    TimeFormat::parse(text)?;
    Ok(Operator::Fact(Fact::Unknown))
}

pub(super) fn common_duration(text: &str) -> Parsed {
    let parts: Vec<_> = text.split(':').collect();
    let (from, to, unit) = match parts[..] {
        [from, to] => (from, to, "ms"),
        [from, to, unit] => (from, to, unit),
        _ => {
            let reason = "a duration is `FROM:TO` or `FROM:TO:UNIT`";
            return Err(FormatError::new(text, reason));
        }
    };
    let units = [
        ("ms", TimeUnit::Milliseconds),
        ("us", TimeUnit::Microseconds),
        ("ns", TimeUnit::Nanoseconds),
    ];
    Ok(Operator::CommonDuration {
        from: TimePoint::named(from),
        to: TimePoint::named(to),
        unit: one_of(unit, &units)?,
    })
}

/// The length of a prefix. What is no number is none, as with Envoy.
pub(super) fn ip<const OF: u8>(text: &str) -> Parsed {
    let of = match OF {
        REMOTE => Fact::DownstreamRemoteAddress,
        DIRECT_REMOTE => Fact::DownstreamDirectRemoteAddress,
        LOCAL => Fact::DownstreamLocalAddress,
        DIRECT_LOCAL => Fact::DownstreamDirectLocalAddress,
        UPSTREAM_REMOTE => Fact::UpstreamRemoteAddress,
        _ => Fact::UpstreamLocalAddress,
    };
    let prefix = text.parse::<u32>().ok();
    Ok(Operator::Ip {
        of,
        prefix: prefix.map(|length| u8::try_from(length).unwrap_or(u8::MAX)),
    })
}

pub(super) const REMOTE: u8 = 0;
pub(super) const DIRECT_REMOTE: u8 = 1;
pub(super) const LOCAL: u8 = 2;
pub(super) const DIRECT_LOCAL: u8 = 3;
pub(super) const UPSTREAM_REMOTE: u8 = 4;
pub(super) const UPSTREAM_LOCAL: u8 = 5;

pub(super) fn environment(text: &str) -> Parsed {
    Ok(Operator::Environment(text.into()))
}

fn expression(text: &str, typed: bool) -> Parsed {
    let expression = Expression::parse(text).map_err(|error| {
        let excerpt = if error.excerpt.is_empty() {
            text
        } else {
            &error.excerpt
        };
        FormatError::new(excerpt, error.reason)
    })?;
    Ok(Operator::Cel {
        expression: Arc::new(expression),
        typed,
    })
}

pub(super) fn cel(text: &str) -> Parsed {
    expression(text, false)
}

pub(super) fn typed_cel(text: &str) -> Parsed {
    expression(text, true)
}

pub(super) fn metadata(text: &str) -> Parsed {
    let source = text.split(':').next().unwrap_or_default();
    if METADATA.contains(&source) {
        return Ok(Operator::Fact(Fact::Unknown));
    }
    let reason = format!("no kind of metadata; one of {}", METADATA.join(", "));
    Err(FormatError::new(source, reason))
}

pub(super) fn filter_state(text: &str) -> Parsed {
    let mut parts = text.split(':');
    let (key, kind, field) = (parts.next(), parts.next(), parts.next());
    let kind = kind.unwrap_or_default();
    if key.is_none_or(str::is_empty) {
        return Err(FormatError::new(text, "filter state has a key"));
    }
    one_of(
        kind,
        &[("", ()), ("PLAIN", ()), ("TYPED", ()), ("FIELD", ())],
    )?;
    if (kind == "FIELD") != field.is_some_and(|field| !field.is_empty()) {
        let reason = "FIELD is followed by the name of a field, and nothing else is";
        return Err(FormatError::new(text, reason));
    }
    Ok(Operator::Fact(Fact::Unknown))
}

pub(super) fn unknown(_text: &str) -> Parsed {
    Ok(Operator::Fact(Fact::Unknown))
}

/// The meaning of a name.
fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, FormatError> {
    if let Some((_, meaning)) = known.iter().find(|(name, _)| *name == text) {
        return Ok(*meaning);
    }
    let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    Err(FormatError::new(
        text,
        format!("one of {}", names.join(", ")),
    ))
}
