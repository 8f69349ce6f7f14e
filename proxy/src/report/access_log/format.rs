//! From facts to a line: Istio's default text format, and its JSON keys in Istio's order.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, SystemTime};

use http::Version;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::report::facts::{AuthorityFact, Facts};

/// The moment at which a line is made, by both clocks: facts know only the one that never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For durations.
    pub instant: Instant,
    /// For dates.
    pub time: SystemTime,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Self {
            instant: Instant::now(),
            time: SystemTime::now(),
        }
    }

    fn since(self, facts: &Facts) -> Duration {
        self.instant.saturating_duration_since(facts.began)
    }

    fn start_of(self, facts: &Facts) -> SystemTime {
        self.time - self.since(facts)
    }
}

/// Appends Istio's default text line, newline included. What is missing is `-`.
///
/// Unlike Envoy, quotes, backslashes and control characters of strangers are escaped (`\"`, `\\`, `\x1b`), and spaces in
/// fields without quotes become `_`, so that nobody can write a line or a field that is not theirs.
pub fn text(facts: &Facts, now: Now, line: &mut Vec<u8>) {
    let out = &mut Text { line };
    out.raw("[");
    out.shown(&moment(now.start_of(facts)));
    out.raw("] \"");
    out.word(
        facts
            .request
            .method
            .as_ref()
            .map(|method| method.as_str().as_bytes()),
    );
    out.raw(" ");
    out.word(
        facts
            .request
            .path
            .as_ref()
            .map(|path| path.as_str().as_bytes()),
    );
    out.raw(" ");
    out.raw(facts.request.protocol.map_or("-", protocol));
    out.raw("\" ");
    out.shown(&status(facts));
    out.raw(" ");
    out.shown(&facts.flags);
    out.raw(" ");
    out.word(facts.response.details.as_deref().map(str::as_bytes));
    out.raw(" ");
    out.word(
        facts
            .downstream
            .termination_details
            .as_deref()
            .map(str::as_bytes),
    );
    out.raw(" ");
    out.quoted(
        facts
            .response
            .transport_failure
            .as_deref()
            .map(str::as_bytes),
    );
    out.raw(" ");
    out.shown(&facts.bytes_received);
    out.raw(" ");
    out.shown(&facts.bytes_sent);
    out.raw(" ");
    out.shown(&now.since(facts).as_millis());
    out.raw(" ");
    out.maybe(
        facts
            .response
            .upstream_service_time
            .map(|time| time.as_millis()),
    );
    for header in [
        &facts.request.x_forwarded_for,
        &facts.request.user_agent,
        &facts.request.request_id,
    ] {
        out.raw(" ");
        out.quoted(header.as_ref().map(|value| value.as_bytes()));
    }
    out.raw(" ");
    out.quoted(authority(facts));
    out.raw(" \"");
    out.maybe(facts.attempts.last().map(|attempt| &attempt.endpoint));
    out.raw("\" ");
    out.word(facts.decision.cluster.as_deref().map(str::as_bytes));
    out.raw(" ");
    out.maybe(
        facts
            .attempts
            .last()
            .and_then(|attempt| attempt.local_address.as_ref()),
    );
    out.raw(" ");
    out.maybe(facts.downstream.local_address);
    out.raw(" ");
    out.maybe(facts.downstream.remote_address);
    out.raw(" ");
    out.word(
        facts
            .downstream
            .requested_server_name
            .as_deref()
            .map(str::as_bytes),
    );
    out.raw(" ");
    out.word(facts.decision.route.as_deref().map(str::as_bytes));
    if let Some(reasons) = &facts.decision.reasons {
        out.raw(" reasons=");
        out.quoted(Some(reasons.as_bytes()));
    }
    out.raw("\n");
}

/// Appends one JSON object with Istio's keys in Istio's order, newline included. What is missing is `null`, except
/// `response_flags`, which is `"-"`. Counts and milliseconds are numbers; `upstream_service_time` is a string as with
/// Envoy, where it is a header's value.
pub fn json(facts: &Facts, now: Now, line: &mut Vec<u8>) {
    let out = &mut Json {
        line,
        separator: b'{',
    };
    out.shown("start_time", Some(moment(now.start_of(facts))));
    out.string(
        "method",
        facts
            .request
            .method
            .as_ref()
            .map(|method| method.as_str().as_bytes()),
    );
    out.string(
        "path",
        facts
            .request
            .path
            .as_ref()
            .map(|path| path.as_str().as_bytes()),
    );
    out.shown("protocol", facts.request.protocol.map(protocol));
    out.number("response_code", status(facts));
    out.shown("response_flags", Some(facts.flags));
    out.string(
        "response_code_details",
        facts.response.details.as_deref().map(str::as_bytes),
    );
    out.string(
        "connection_termination_details",
        facts
            .downstream
            .termination_details
            .as_deref()
            .map(str::as_bytes),
    );
    out.string(
        "upstream_transport_failure_reason",
        facts
            .response
            .transport_failure
            .as_deref()
            .map(str::as_bytes),
    );
    out.number("bytes_received", facts.bytes_received);
    out.number("bytes_sent", facts.bytes_sent);
    out.number("duration", now.since(facts).as_millis());
    out.shown(
        "upstream_service_time",
        facts
            .response
            .upstream_service_time
            .map(|time| time.as_millis()),
    );
    out.string(
        "x_forwarded_for",
        facts
            .request
            .x_forwarded_for
            .as_ref()
            .map(|value| value.as_bytes()),
    );
    out.string(
        "user_agent",
        facts
            .request
            .user_agent
            .as_ref()
            .map(|value| value.as_bytes()),
    );
    out.string(
        "request_id",
        facts
            .request
            .request_id
            .as_ref()
            .map(|value| value.as_bytes()),
    );
    out.string("authority", authority(facts));
    out.shown(
        "upstream_host",
        facts.attempts.last().map(|attempt| &attempt.endpoint),
    );
    out.string(
        "upstream_cluster",
        facts.decision.cluster.as_deref().map(str::as_bytes),
    );
    out.shown(
        "upstream_local_address",
        facts
            .attempts
            .last()
            .and_then(|attempt| attempt.local_address.as_ref()),
    );
    out.shown("downstream_local_address", facts.downstream.local_address);
    out.shown("downstream_remote_address", facts.downstream.remote_address);
    out.string(
        "requested_server_name",
        facts
            .downstream
            .requested_server_name
            .as_deref()
            .map(str::as_bytes),
    );
    out.string(
        "route_name",
        facts.decision.route.as_deref().map(str::as_bytes),
    );
    if let Some(reasons) = &facts.decision.reasons {
        out.string("reasons", Some(reasons.as_bytes()));
    }
    line.extend_from_slice(b"}\n");
}

struct Text<'l> {
    line: &'l mut Vec<u8>,
}

impl Text<'_> {
    fn raw(&mut self, text: &str) {
        self.line.extend_from_slice(text.as_bytes());
    }

    fn shown(&mut self, value: &impl Display) {
        append(self.line, value);
    }

    fn maybe(&mut self, value: Option<impl Display>) {
        match value {
            Some(value) => append(self.line, &value),
            None => self.raw("-"),
        }
    }

    fn quoted(&mut self, value: Option<&[u8]>) {
        self.raw("\"");
        escape(self.line, value.unwrap_or(b"-"), b' ');
        self.raw("\"");
    }

    fn word(&mut self, value: Option<&[u8]>) {
        escape(
            self.line,
            value.filter(|value| !value.is_empty()).unwrap_or(b"-"),
            b'_',
        );
    }
}

struct Json<'l> {
    line: &'l mut Vec<u8>,
    separator: u8,
}

impl Json<'_> {
    fn key(&mut self, key: &str) {
        self.line.extend_from_slice(&[self.separator, b'"']);
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend_from_slice(b"\":");
        self.separator = b',';
    }

    fn number(&mut self, key: &str, value: impl Display) {
        self.key(key);
        append(self.line, &value);
    }

    /// A value whose text needs no escaping.
    fn shown(&mut self, key: &str, value: Option<impl Display>) {
        self.key(key);
        match value {
            Some(value) => {
                self.line.push(b'"');
                append(self.line, &value);
                self.line.push(b'"');
            }
            None => self.line.extend_from_slice(b"null"),
        }
    }

    fn string(&mut self, key: &str, value: Option<&[u8]>) {
        self.key(key);
        let value = value.map(String::from_utf8_lossy);
        serde_json::to_writer(&mut *self.line, &value)
            .expect("a string always has a JSON form, and memory takes it");
    }
}

fn append(line: &mut Vec<u8>, value: &impl Display) {
    write!(line, "{value}").expect("writing to memory cannot fail");
}

fn escape(line: &mut Vec<u8>, value: &[u8], space: u8) {
    for byte in value {
        match byte {
            b' ' => line.push(space),
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            0..=0x1f | 0x7f => append(line, &format_args!("\\x{byte:02x}")),
            _ => line.push(*byte),
        }
    }
}

/// ISO 8601 with milliseconds, in UTC.
fn moment(time: SystemTime) -> impl Display {
    struct Moment(Timestamp);
    impl Display for Moment {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{:.3}", self.0)
        }
    }
    Moment(Timestamp::try_from(time).unwrap_or_default())
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/3",
    }
}

fn authority(facts: &Facts) -> Option<&[u8]> {
    facts
        .request
        .authority
        .as_ref()
        .map(AuthorityFact::as_bytes)
}

fn status(facts: &Facts) -> u16 {
    facts.response.code.map_or(0, |status| status.as_u16())
}
