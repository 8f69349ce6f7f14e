//! The spans of a call, made of its facts. Names of attributes are Envoy's and Istio's.

use egret_config::address::EndpointAddress;
use egret_config::decide::flag::{Flag, Flags};
use egret_config::log_format::{Piece, TextFormat};
use egret_config::snapshot::workload::Mode;
use http::StatusCode;
use http::uri::PathAndQuery;

use crate::report::access_log::call::Call;
use crate::report::access_log::environment::Environment;
use crate::report::access_log::value::Value;
use crate::report::access_log::values::value;
use crate::report::attributes::protocol;
use crate::report::facts::{AuthorityFact, End, Facts, SpanIds, TraceFacts, TryFacts};
use crate::report::now::Now;
use crate::report::spans::grpc;
use crate::report::spans::plan::{SpanPlan, TagSource};
use crate::report::spans::record::{Attributes, Span, SpanKind, Text};

/// What stands for a value that is missing.
const MISSING: &str = "-";

/// More than most spans have.
const ATTRIBUTES_USUAL: usize = 32;

/// Flags of calls whose response was cut off.
const RESETS: [Flag; 6] = [Flag::UC, Flag::UR, Flag::LR, Flag::DC, Flag::DR, Flag::DPE];

/// A sampled call that ended.
#[derive(Clone, Copy)]
pub(super) struct TracedCall<'c> {
    pub(super) facts: &'c Facts,
    pub(super) trace: &'c TraceFacts,
    pub(super) ids: SpanIds,
    pub(super) plan: &'c SpanPlan,
    pub(super) now: Now,
}

/// What came of a call, or of one of its tries.
#[derive(Clone, Copy)]
struct Ending {
    code: Option<StatusCode>,
    flags: Flags,
    /// It was cut off.
    reset: bool,
    /// The status of a gRPC call.
    grpc_status: Option<u32>,
}

impl TracedCall<'_> {
    /// The span of the request.
    pub(super) fn span(&self) -> Span {
        let facts = self.facts;
        let kind = match self.plan.mode {
            Mode::Sidecar => SpanKind::Client,
            Mode::Gateway => SpanKind::Server,
        };
        let ending = Ending {
            code: facts.response.code,
            flags: facts.flags,
            reset: facts.end == Some(End::ClientLeft)
                || facts.flags.iter().any(|flag| RESETS.contains(&flag)),
            grpc_status: facts.response.grpc_status,
        };
        let mut attributes = Attributes::with_capacity(ATTRIBUTES_USUAL);
        self.add_proxy(&mut attributes);
        self.add_request(&mut attributes);
        self.add_common(&mut attributes, ending);
        Span {
            trace_id: self.ids.trace,
            span_id: self.ids.span,
            parent: self.trace.parent,
            trace_state: self.trace_state(),
            name: self.trace.name.clone(),
            kind,
            start: self.now.time_of(facts.began),
            end: self.now.time,
            error: ending.is_failed(kind),
            attributes,
        }
    }

    /// The spans of the tries.
    pub(super) fn children(&self) -> impl Iterator<Item = Span> {
        self.trace
            .tries
            .iter()
            .enumerate()
            .map(|(place, one)| self.child(place, one))
    }

    fn child(&self, place: usize, one: &TryFacts) -> Span {
        let facts = self.facts;
        let kind = SpanKind::Client;
        let is_last = one.ended.is_none();
        let ending = Ending {
            code: one.code,
            flags: if is_last {
                facts.flags
            } else {
                Flags::default()
            },
            reset: one.failure.is_some(),
            grpc_status: facts
                .response
                .grpc_status
                .filter(|_| is_last && one.code.is_some()),
        };
        let mut attributes = Attributes::with_capacity(ATTRIBUTES_USUAL);
        let attempt = one.attempt.and_then(|at| facts.attempts.iter().nth(at));
        if let Some(attempt) = attempt {
            if let Some(version) = attempt.protocol {
                attributes.set("http.protocol", protocol(version));
            }
            let address = match &attempt.endpoint {
                EndpointAddress::Ip(address) => address.to_string(),
                EndpointAddress::Unix(path) => path.to_string(),
            };
            attributes.set("upstream_address", address.clone());
            attributes.set("peer.address", address);
        }
        if place > 0 {
            attributes.set("retry.count", place.to_string());
        }
        if let Some(failure) = &one.failure {
            attributes.set("error.reason", failure.to_string());
        }
        self.add_common(&mut attributes, ending);
        let cluster = facts.decision.cluster.as_deref().unwrap_or(MISSING);
        Span {
            trace_id: self.ids.trace,
            span_id: one.span,
            parent: Some(self.ids.span),
            trace_state: self.trace_state(),
            name: format!("router {} egress", stat_name(cluster)).into(),
            kind,
            start: self.now.time_of(one.began),
            end: one
                .ended
                .map_or(self.now.time, |ended| self.now.time_of(ended)),
            error: ending.is_failed(kind),
            attributes,
        }
    }

    fn trace_state(&self) -> Text {
        match &self.trace.headers.tracestate {
            Some(state) => Text::of_bytes(state.as_bytes()),
            None => "".into(),
        }
    }

    fn add_proxy(&self, attributes: &mut Attributes) {
        attributes.set("node_id", &self.plan.node_id);
        attributes.set("zone", "");
    }

    fn add_request(&self, attributes: &mut Attributes) {
        let (facts, headers) = (self.facts, &self.trace.headers);
        let request = &facts.request;
        attributes.set_header("guid:x-request-id", request.request_id.as_ref());
        attributes.set_header("guid:x-client-trace-id", headers.client_trace_id.as_ref());
        attributes.set("http.url", self.url());
        if let Some(method) = &request.method {
            attributes.set("http.method", method.to_string());
        }
        attributes.set("downstream_cluster", MISSING);
        attributes.set_header("downstream_cluster", headers.downstream_cluster.as_ref());
        attributes.set("user_agent", MISSING);
        attributes.set_header("user_agent", request.user_agent.as_ref());
        attributes.set("http.protocol", request.protocol.map_or(MISSING, protocol));
        if let Some(client) = facts.downstream.remote_address {
            attributes.set("peer.address", client.ip().to_string());
        }
        if request.grpc {
            attributes.set("grpc.path", path_of(request.path.as_ref()).to_owned());
            attributes.set("grpc.authority", self.host());
            attributes.set_header("grpc.content_type", headers.content_type.as_ref());
            attributes.set_header("grpc.timeout", headers.grpc_timeout.as_ref());
        }
        attributes.set("request_size", facts.bytes_received.to_string());
        attributes.set("response_size", facts.bytes_sent.to_string());
    }

    fn add_common(&self, attributes: &mut Attributes, ending: Ending) {
        attributes.set("component", "proxy");
        if let Some(cluster) = &self.facts.decision.cluster {
            attributes.set("upstream_cluster", cluster);
            attributes.set("upstream_cluster.name", stat_name(cluster));
        }
        let code = ending.code.map_or(0, |code| code.as_u16());
        attributes.set("http.status_code", code.to_string());
        let mut flags = Vec::new();
        Value::Flags(ending.flags).append(&mut flags);
        attributes.set("response_flags", Text::of_bytes(&flags));
        if let Some(status) = ending.grpc_status {
            attributes.set("grpc.status_code", status.to_string());
            attributes.set_header("grpc.message", self.trace.grpc_message.as_ref());
        }
        if ending.is_error() {
            attributes.set("error", "true");
        }
        for (name, value) in &self.plan.istio_tags {
            attributes.set(*name, value);
        }
        for (name, source) in &self.plan.custom_tags {
            if let Some(value) = self.custom(name, source) {
                attributes.set(name, value);
            }
        }
    }

    /// The value of a tag of the user's.
    fn custom(&self, name: &str, source: &TagSource) -> Option<Text> {
        match source {
            TagSource::Fixed(text) => Some(text.into()),
            TagSource::Header(default) => {
                let mut known = self.trace.headers.tags.iter();
                let header = known.find(|(tag, _)| **tag == *name);
                let header = header.map(|(_, value)| Text::of_bytes(value.as_bytes()));
                header.or_else(|| default.as_ref().map(Text::from))
            }
            TagSource::Format(format) => {
                let (format, environment) = &**format;
                Some(self.formatted(format, environment))
            }
        }
    }

    fn formatted(&self, format: &TextFormat, environment: &Environment) -> Text {
        let call = Call {
            facts: self.facts,
            now: self.now,
            environment,
        };
        let mut text = Vec::new();
        for piece in format.pieces() {
            match piece {
                Piece::Literal(literal) => text.extend_from_slice(literal.as_bytes()),
                Piece::Command(command) => match value(&command.operator, &call).cut(command.limit)
                {
                    Value::Missing => text.extend_from_slice(MISSING.as_bytes()),
                    value => value.append(&mut text),
                },
            }
        }
        Text::of_bytes(&text)
    }

    /// The URL that the client asked for, with as much of the path as there may be.
    fn url(&self) -> String {
        let path = path_of(self.facts.request.path.as_ref());
        let most = self.plan.tracing.max_tag_length as usize;
        let cut = (0..=most.min(path.len()))
            .rev()
            .find(|at| path.is_char_boundary(*at));
        let path = &path[..cut.unwrap_or_default()];
        format!("{}://{}{path}", self.trace.scheme, self.host())
    }

    fn host(&self) -> String {
        let authority = self.facts.request.authority.as_ref();
        let authority = authority.map_or(&b""[..], AuthorityFact::as_bytes);
        String::from_utf8_lossy(authority).into_owned()
    }
}

impl Ending {
    /// Whether the tag `error` is set.
    fn is_error(&self) -> bool {
        let failed = self.code.is_none_or(|code| code.is_server_error());
        failed || self.reset || self.grpc_status.is_some_and(grpc::is_error)
    }

    /// Whether the status of the span is an error: a server's is not to be blamed for what clients do wrong.
    fn is_failed(&self, kind: SpanKind) -> bool {
        let least = match kind {
            SpanKind::Client => 400,
            SpanKind::Server => 500,
        };
        self.code.is_some_and(|code| code.as_u16() >= least)
            || self.grpc_status.is_some_and(|status| status != 0)
    }
}

fn path_of(path: Option<&PathAndQuery>) -> &str {
    path.map_or("", PathAndQuery::as_str)
}

/// The name of a cluster in statistics: Istio ends it with a delimiter, so that what follows is no part of it.
fn stat_name(cluster: &str) -> String {
    match cluster.starts_with("outbound|") {
        true => format!("{cluster};"),
        false => cluster.to_owned(),
    }
}
