//! What was asked for.

use std::borrow::Cow;

use egret_config::header_names::{
    FORWARDED_FOR, ORIGINAL_HOST, ORIGINAL_PATH, REQUEST_ID, SERVICE_TIME,
};
use egret_config::log_format::{
    HeaderChoice, HeaderKey, HeaderSource, PathSource, QueryForm, ServerName,
};
use http::HeaderName;
use http::header::USER_AGENT;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode;

use crate::report::access_log::value::Value;
use crate::report::facts::{AuthorityFact, Facts, Part};

/// A header, or the one in its place.
pub(super) fn header<'c>(
    source: HeaderSource,
    choice: &HeaderChoice,
    facts: &'c Facts,
) -> Value<'c> {
    for key in choice.keys() {
        let value = match source {
            HeaderSource::Request => of_request(key, facts),
            HeaderSource::OriginalRequest => of_client(key, facts),
            HeaderSource::Response => of_response(key, facts),
            HeaderSource::Trailers => match key {
                HeaderKey::Name(name) => captured(Part::Trailers, name, facts),
                _ => Value::Missing,
            },
        };
        if !matches!(value, Value::Missing) {
            return value;
        }
    }
    Value::Missing
}

/// A header of the request up to its `?`.
pub(super) fn without_query<'c>(choice: &HeaderChoice, facts: &'c Facts) -> Value<'c> {
    match header(HeaderSource::Request, choice, facts) {
        Value::Text(Cow::Borrowed(text)) => {
            let end = text.iter().position(|byte| *byte == b'?');
            Value::bytes(Some(&text[..end.unwrap_or(text.len())]))
        }
        value => value,
    }
}

/// A header of the request as it was sent upstream.
fn of_request<'c>(key: &HeaderKey, facts: &'c Facts) -> Value<'c> {
    let request = &facts.request;
    let known = |value: &'c Option<http::HeaderValue>| {
        Value::bytes(value.as_ref().map(http::HeaderValue::as_bytes))
    };
    match key {
        HeaderKey::Method => Value::maybe(request.method.as_ref().map(http::Method::as_str)),
        HeaderKey::Path => {
            current_path(facts).map_or(Value::Missing, |path| Value::text(path.as_str()))
        }
        HeaderKey::Authority => authority(request.authority.as_ref()),
        HeaderKey::Scheme => scheme(facts),
        HeaderKey::Name(name) if *name == FORWARDED_FOR => known(&request.x_forwarded_for),
        HeaderKey::Name(name) if *name == USER_AGENT => known(&request.user_agent),
        HeaderKey::Name(name) if *name == REQUEST_ID => known(&request.request_id),
        HeaderKey::Name(name) if *name == ORIGINAL_PATH => {
            original_path(facts).map_or(Value::Missing, |path| Value::text(path.as_str()))
        }
        HeaderKey::Name(name) if *name == ORIGINAL_HOST => {
            authority(request.original_authority.as_ref())
        }
        HeaderKey::Name(name) => captured(Part::Request, name, facts),
        HeaderKey::Status | HeaderKey::Never => Value::Missing,
    }
}

/// A header of the request before a route rewrote it.
fn of_client<'c>(key: &HeaderKey, facts: &'c Facts) -> Value<'c> {
    let request = &facts.request;
    match key {
        HeaderKey::Path => request
            .path
            .as_ref()
            .map_or(Value::Missing, |path| Value::text(path.as_str())),
        HeaderKey::Authority => authority(
            request
                .original_authority
                .as_ref()
                .or(request.authority.as_ref()),
        ),
        key => of_request(key, facts),
    }
}

/// A header of the response as the client got it.
fn of_response<'c>(key: &HeaderKey, facts: &'c Facts) -> Value<'c> {
    match key {
        HeaderKey::Status => match &facts.response.code {
            Some(code) => Value::text(code.as_str()),
            None => Value::Missing,
        },
        HeaderKey::Name(name) if *name == SERVICE_TIME => {
            let time = facts.response.upstream_service_time;
            time.map_or(Value::Missing, |time| {
                Value::Text(Cow::Owned(time.as_millis().to_string().into_bytes()))
            })
        }
        HeaderKey::Name(name) => captured(Part::Response, name, facts),
        _ => Value::Missing,
    }
}

fn captured<'c>(part: Part, name: &HeaderName, facts: &'c Facts) -> Value<'c> {
    let captured = facts.captured.as_ref();
    let value = captured.and_then(|captured| captured.get(part, name, false));
    Value::bytes(value.map(http::HeaderValue::as_bytes))
}

fn authority(fact: Option<&AuthorityFact>) -> Value<'_> {
    Value::bytes(fact.map(AuthorityFact::as_bytes))
}

/// What the client's connection was.
fn scheme(facts: &Facts) -> Value<'static> {
    match (facts.is_request(), &facts.downstream.tls) {
        (false, _) => Value::Missing,
        (true, Some(_)) => Value::text("https"),
        (true, None) => Value::text("http"),
    }
}

fn current_path(facts: &Facts) -> Option<&PathAndQuery> {
    facts
        .request
        .rewritten_path
        .as_ref()
        .or(facts.request.path.as_ref())
}

/// The path before a rewrite; none without one.
fn original_path(facts: &Facts) -> Option<&PathAndQuery> {
    facts.request.rewritten_path.as_ref()?;
    facts.request.path.as_ref()
}

/// A path of the request.
pub(super) fn path(source: PathSource, query: bool, facts: &Facts) -> Value<'_> {
    let path = match source {
        PathSource::OriginalOrCurrent => facts.request.path.as_ref(),
        PathSource::Current => current_path(facts),
        PathSource::Original => original_path(facts),
    };
    let Some(path) = path else {
        return Value::Missing;
    };
    Value::text(if query { path.as_str() } else { path.path() })
}

/// The query as it was sent upstream.
fn query_text(facts: &Facts) -> Option<&str> {
    current_path(facts)?.query()
}

/// The query.
pub(super) fn query(form: QueryForm, facts: &Facts) -> Value<'_> {
    match (query_text(facts), form) {
        (None, _) => Value::Missing,
        (Some(query), QueryForm::Original) => Value::text(query),
        (Some(query), QueryForm::Decoded) => visible(query),
    }
}

/// The first value of a parameter of the query, decoded.
pub(super) fn query_param<'c>(name: &str, facts: &'c Facts) -> Value<'c> {
    let pairs = query_text(facts).unwrap_or_default().split('&');
    let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let is_it = |key: &str| match percent_decode(key.as_bytes()).into() {
        Cow::Borrowed(key) => key == name.as_bytes(),
        Cow::Owned(key) => key == name.as_bytes(),
    };
    let found = pairs.find(|(key, _)| is_it(key));
    found.map_or(Value::Missing, |(_, value)| decoded(value))
}

/// A query with the visible characters of ASCII decoded, as Envoy writes it: what is no text of a line stays encoded.
fn visible(query: &str) -> Value<'_> {
    let mut decoded = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let encoded = behind.get(..2).filter(|_| *first == b'%');
        let byte = encoded.and_then(|digits| {
            let digits = str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        match byte.filter(u8::is_ascii_graphic) {
            Some(byte) => {
                decoded.push(byte);
                rest = &behind[2..];
            }
            None => {
                decoded.push(*first);
                rest = behind;
            }
        }
    }
    Value::Text(Cow::Owned(decoded))
}

fn decoded(text: &str) -> Value<'_> {
    Value::Text(percent_decode(text.as_bytes()).into())
}

/// The name of the server that the client wants.
pub(super) fn server_name(name: ServerName, facts: &Facts) -> Value<'_> {
    let sni = || match name.sni {
        true => Value::word(facts.downstream.requested_server_name.as_deref()),
        false => Value::Missing,
    };
    let request = &facts.request;
    let host = || match name.host {
        None => Value::Missing,
        Some(PathSource::OriginalOrCurrent) => authority(
            request
                .original_authority
                .as_ref()
                .or(request.authority.as_ref()),
        ),
        Some(PathSource::Current) => authority(request.authority.as_ref()),
        Some(PathSource::Original) => authority(request.original_authority.as_ref()),
    };
    let first = if name.host_first { host() } else { sni() };
    match first {
        Value::Missing if name.host_first => sni(),
        Value::Missing => host(),
        first => first,
    }
}

/// The bytes of the pseudo-headers and their values, as HTTP/2 has them.
pub(super) fn pseudo_size(facts: &Facts) -> u64 {
    let size = |name: &str, value: Value<'_>| {
        let mut bytes = Vec::new();
        value.append(&mut bytes);
        if bytes.is_empty() {
            0
        } else {
            name.len() + bytes.len()
        }
    };
    let names = [
        (":method", HeaderKey::Method),
        (":path", HeaderKey::Path),
        (":authority", HeaderKey::Authority),
        (":scheme", HeaderKey::Scheme),
    ];
    let sizes = names
        .iter()
        .map(|(name, key)| size(name, of_request(key, facts)));
    sizes.sum::<usize>() as u64
}
