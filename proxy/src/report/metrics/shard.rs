//! The counters of one worker. It takes its own lock, which only a scrape takes besides, for the time of a copy.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use egret_config::decide::flag::{Flag, Flags};
use egret_config::decide::outcome::OutcomeKind;
use egret_config::grpc::GrpcStatus;
use egret_config::model::tls::Hashed;
use egret_config::snapshot::cluster::DestinationService;
use egret_config::snapshot::telemetry::MetricOverrides;

use crate::lock::lock;
use crate::report::facts::{CallProtocol, Facts};
use crate::report::metrics::context::Context;
use crate::report::metrics::destination::{destination, host, named};
use crate::report::metrics::detection::Detection;
use crate::report::metrics::envoy::cluster::{ClusterCounters, Count, UpstreamCounters};
use crate::report::metrics::envoy::downstream::DownstreamCounters;
use crate::report::metrics::escape;
use crate::report::metrics::histogram::add;
use crate::report::metrics::identity::UNKNOWN;
use crate::report::metrics::label_set::LabelSet;
use crate::report::metrics::names::{NameCache, OTHER};
use crate::report::metrics::overload::Overload;
use crate::report::metrics::series::{
    CallSeries, Destination, KeyRef, Name, RequestProtocol, SeriesMap, StreamSeries,
};
use crate::report::metrics::tag_values::TagValues;
use crate::report::reporter::Sink;
use crate::report::stream_bytes::StreamBytes;

/// What calls carry, with the words of labels. In the order of the counters.
pub const PROTOCOLS: [(CallProtocol, &str); 3] = [
    (CallProtocol::Http, "http"),
    (CallProtocol::Tls, "tls"),
    (CallProtocol::Tcp, "tcp"),
];

/// The details of a request whose head is too large.
const HEAD_TOO_LARGE: &str = "request_headers_too_large";

/// The counters of one worker.
#[derive(Debug)]
pub struct Shard {
    context: Arc<Context>,
    table: Mutex<Table>,
    /// `egret_verdicts_total`, by verdict and protocol.
    verdicts: [[AtomicU64; PROTOCOLS.len()]; OutcomeKind::ALL.len()],
    /// `egret_relay_bytes_total`, from clients and to them.
    relayed: [AtomicU64; 2],
    /// `egret_detections_total`, by what was detected.
    detections: [AtomicU64; Detection::ALL.len()],
    /// Calls that were refused for want of room, by what was lacking.
    overloaded: [AtomicU64; Overload::ALL.len()],
    /// Of clusters.
    pub upstream: Arc<UpstreamCounters>,
    /// Of listeners and of ports that were called.
    pub downstream: DownstreamCounters,
}

/// What of a shard is found by name.
#[derive(Debug)]
struct Table {
    labels: Arc<LabelSet>,
    calls: SeriesMap<CallSeries>,
    streams: SeriesMap<StreamSeries>,
    /// Open streams by the address of their bytes.
    open: HashMap<usize, OpenStream>,
    hosts: NameCache,
    refused: HashMap<Arc<str>, u64>,
    /// Refused calls whose labels became `other`.
    refused_other: u64,
    refused_names: NameCache,
    /// The values of labels that are expressions.
    tags: TagValues,
    /// Where a text is made; keeps its memory.
    text: String,
}

/// A byte stream that is relayed.
#[derive(Debug)]
struct OpenStream {
    bytes: Arc<StreamBytes>,
    /// Its series while it is open; none where it is not one of Istio's.
    series: Option<Arc<StreamSeries>>,
    /// Its cluster.
    upstream: Option<Arc<ClusterCounters>>,
    /// Bytes that were counted already, from the client and to it.
    counted: [u64; 2],
}

/// A copy of what a shard has, for a scrape. The series go on counting.
#[derive(Debug)]
pub struct Copy {
    /// Requests.
    pub calls: Vec<Arc<CallSeries>>,
    /// Byte streams.
    pub streams: Vec<Arc<StreamSeries>>,
    /// Refused calls by their labels.
    pub refused: Vec<(Arc<str>, u64)>,
    /// Refused calls whose labels became `other`.
    pub refused_other: u64,
}

impl Shard {
    /// A shard with everything at zero.
    pub fn new(context: Arc<Context>) -> Self {
        let labels = context.label_set(&MetricOverrides::default());
        Self {
            table: Mutex::new(Table {
                tags: TagValues::new(&labels, &context),
                labels,
                calls: SeriesMap::default(),
                streams: SeriesMap::default(),
                open: HashMap::new(),
                hosts: NameCache::default(),
                refused: HashMap::new(),
                refused_other: 0,
                refused_names: NameCache::default(),
                text: String::new(),
            }),
            upstream: Arc::new(UpstreamCounters::new(&context.buckets.upstream)),
            context,
            verdicts: Default::default(),
            relayed: Default::default(),
            detections: Default::default(),
            overloaded: Default::default(),
            downstream: DownstreamCounters::default(),
        }
    }

    /// Labels are from now on as these overrides say.
    pub fn relabel(&self, overrides: &MetricOverrides) {
        let labels = self.context.label_set(overrides);
        let mut table = lock(&self.table);
        if !Arc::ptr_eq(&table.labels, &labels) {
            table.tags = TagValues::new(&labels, &self.context);
            table.labels = labels;
        }
    }

    /// Counts what open streams have carried since it was counted last. To be called on the thread of the worker.
    #[allow(
        clippy::iter_over_hash_type,
        reason = "each stream is counted for itself"
    )]
    pub fn count_open_streams(&self) {
        for stream in lock(&self.table).open.values_mut() {
            let bytes = [
                stream.bytes.from_client.get(),
                stream.bytes.from_upstream.get(),
            ];
            let counts = (stream.series.as_deref(), stream.upstream.as_deref());
            self.count_bytes(counts, bytes, &mut stream.counted);
        }
    }

    /// What is there now.
    #[allow(clippy::disallowed_methods, reason = "sorted where it is shown")]
    pub fn copy(&self) -> Copy {
        let table = lock(&self.table);
        let refused = table.refused.iter();
        Copy {
            calls: table.calls.list().to_vec(),
            streams: table.streams.list().to_vec(),
            refused: refused
                .map(|(labels, count)| (Arc::clone(labels), *count))
                .collect(),
            refused_other: table.refused_other,
        }
    }

    /// Calls with this verdict and protocol.
    pub fn verdicts(&self, verdict: usize, protocol: usize) -> u64 {
        self.verdicts[verdict][protocol].load(Ordering::Relaxed)
    }

    /// Byte streams that the policy for unknown calls refused.
    pub fn blackholed_streams(&self) -> u64 {
        let counts = PROTOCOLS
            .iter()
            .zip(&self.verdicts[OutcomeKind::Blackhole as usize]);
        let streams = counts.filter(|((protocol, _), _)| *protocol != CallProtocol::Http);
        streams
            .map(|(_, count)| count.load(Ordering::Relaxed))
            .sum()
    }

    /// Bytes relayed from clients and to them.
    pub fn relayed(&self) -> [u64; 2] {
        [0, 1].map(|direction: usize| self.relayed[direction].load(Ordering::Relaxed))
    }

    /// Counts a connection by what it carries.
    pub fn detected(&self, what: Detection) {
        add(&self.detections[what as usize], 1);
    }

    /// Connections that carry this.
    pub fn detections(&self, what: Detection) -> u64 {
        self.detections[what as usize].load(Ordering::Relaxed)
    }

    /// Calls that were refused because this was lacking.
    pub fn overloaded(&self, overload: Overload) -> u64 {
        self.overloaded[overload as usize].load(Ordering::Relaxed)
    }

    /// Counts the bytes of a stream that were not counted yet.
    fn count_bytes(
        &self,
        (series, upstream): (Option<&StreamSeries>, Option<&ClusterCounters>),
        bytes: [u64; 2],
        counted: &mut [u64; 2],
    ) {
        let [received, sent] = [0, 1].map(|direction: usize| {
            let new = bytes[direction].saturating_sub(counted[direction]);
            add(&self.relayed[direction], new);
            new
        });
        *counted = bytes;
        if let Some(series) = series {
            add(&series.received, received);
            add(&series.sent, sent);
        }
        if let Some(upstream) = upstream {
            upstream.add(Count::BytesSent, received);
            upstream.add(Count::BytesReceived, sent);
        }
    }

    fn request(&self, table: &mut Table, facts: &Facts) {
        let duration = facts.end_time().saturating_duration_since(facts.began);
        let wire = &facts.downstream.wire;
        let buckets = &self.context.buckets;
        let host = named(facts, &self.context, &mut table.hosts);
        let values = table.tags.of(&table.labels, facts);
        let destination = destination(facts, self.context.mode, host);
        let key = key(facts, &table.labels, destination, values);
        let series = table.calls.of(&key, |key| CallSeries::new(key, buckets));
        add(&series.requests, 1);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        series.duration.record(nanos);
        series.request_bytes.record(wire.received);
        series.response_bytes.record(wire.sent);
        add(&series.request_messages, facts.request_messages);
        add(&series.response_messages, facts.response_messages);
    }

    fn stream(&self, table: &mut Table, facts: &Facts) {
        let values = table.tags.of(&table.labels, facts);
        let destination = destination(facts, self.context.mode, None);
        let key = key(facts, &table.labels, destination, values);
        let series = is_istios(facts).then(|| table.streams.of(&key, StreamSeries::new));
        if let Some(series) = series {
            add(&series.closed, 1);
        }
        let bytes = [facts.bytes_received, facts.bytes_sent];
        match facts.stream.as_ref().map(address) {
            Some(address) => {
                let open = table.open.remove(&address);
                let mut counted = open.map_or([0; 2], |open| open.counted);
                let counts = (series.map(|series| &**series), facts.upstream.as_deref());
                self.count_bytes(counts, bytes, &mut counted);
            }
            None => {
                if let Some(upstream) = &facts.upstream {
                    upstream.count(Count::Streams);
                }
                if let Some(series) = series {
                    add(&series.opened, 1);
                }
            }
        }
    }

    /// Counts a refused call by its host or SNI, else its address.
    fn refused(&self, table: &mut Table, facts: &Facts) {
        let text = &mut table.text;
        text.clear();
        refused_labels(text, facts);
        let (refused, cache) = (&self.context.refused, &mut table.refused_names);
        let labels = refused.shared(text, cache, || false);
        if *labels == *OTHER {
            table.refused_other += 1;
        } else {
            *table.refused.entry(labels).or_default() += 1;
        }
    }
}

/// Counts what Envoy counts of a request.
fn count_response(facts: &Facts) {
    let code = facts.response.code.map(|code| code.as_u16());
    if let Some(http) = &facts.downstream.http {
        http.response(code);
    }
    let Some(code) = code else { return };
    if let Some(listener) = &facts.downstream.listener {
        listener.response(code);
    }
    if let Some(upstream) = &facts.upstream {
        let last = facts.attempts.last();
        let answered = last.filter(|attempt| attempt.answered.is_some());
        upstream.completed(code, answered.and_then(|attempt| attempt.sent));
    }
}

impl Sink for Shard {
    fn report(&self, facts: &Facts) {
        if facts.protocol == CallProtocol::Http {
            count_response(facts);
        } else if let (true, Some(listener)) =
            (facts.is_without_chain(), &facts.downstream.listener)
        {
            listener.without_chain();
        }
        if facts.flags.contains(Flag::OM) {
            add(&self.overloaded[Overload::of(facts) as usize], 1);
        } else if facts.response.details.as_deref() == Some(HEAD_TOO_LARGE) {
            add(&self.overloaded[Overload::Head as usize], 1);
        }
        if let Some(verdict) = facts.decision.verdict {
            let protocol = PROTOCOLS
                .iter()
                .position(|(protocol, _)| *protocol == facts.protocol);
            add(&self.verdicts[verdict as usize][protocol.unwrap_or(0)], 1);
        }
        let table = &mut *lock(&self.table);
        if facts.is_request() {
            self.request(table, facts);
        } else if facts.protocol != CallProtocol::Http {
            self.stream(table, facts);
        }
        if facts.decision.verdict == Some(OutcomeKind::Blackhole) {
            self.refused(table, facts);
        }
    }

    fn opened(&self, facts: &Facts) {
        let Some(bytes) = &facts.stream else { return };
        let table = &mut *lock(&self.table);
        let values = table.tags.of(&table.labels, facts);
        let destination = destination(facts, self.context.mode, None);
        let key = KeyRef {
            flags: Flags::default(),
            ..key(facts, &table.labels, destination, values)
        };
        let series =
            is_istios(facts).then(|| Arc::clone(table.streams.of(&key, StreamSeries::new)));
        if let Some(series) = &series {
            add(&series.opened, 1);
        }
        if let Some(upstream) = &facts.upstream {
            upstream.count(Count::Streams);
        }
        let open = OpenStream {
            bytes: Arc::clone(bytes),
            upstream: facts.upstream.clone(),
            series,
            counted: [0; 2],
        };
        table.open.insert(address(bytes), open);
    }
}

/// The series of a call.
fn key<'k>(
    facts: &'k Facts,
    labels: &'k Arc<LabelSet>,
    destination: Destination<&'k Hashed<DestinationService>>,
    values: &'k [Name],
) -> KeyRef<'k> {
    let protocol = match facts.protocol {
        CallProtocol::Http if facts.request.grpc => RequestProtocol::Grpc,
        CallProtocol::Http => RequestProtocol::Http,
        CallProtocol::Tls | CallProtocol::Tcp => RequestProtocol::Tcp,
    };
    KeyRef {
        labels,
        destination,
        workload: facts
            .attempts
            .last()
            .and_then(|attempt| attempt.workload.as_ref()),
        protocol,
        code: facts.response.code.map_or(0, |code| code.as_u16()),
        grpc_status: grpc_status(facts),
        flags: facts.flags,
        values,
    }
}

/// The status of a gRPC call: what its upstream said, else what stands for the HTTP status. A number that is no status of
/// gRPC is `UNKNOWN`: an upstream chooses it.
fn grpc_status(facts: &Facts) -> Option<GrpcStatus> {
    if !facts.request.grpc {
        return None;
    }
    match facts.response.grpc_status {
        Some(number) => Some(GrpcStatus::of_number(number).unwrap_or(GrpcStatus::Unknown)),
        None => Some(GrpcStatus::of_http(facts.response.code?.as_u16())),
    }
}

/// Whether a byte stream is one of Istio's: it was decided by a filter chain, so not one that met none, and it did not
/// come in.
fn is_istios(facts: &Facts) -> bool {
    !matches!(
        facts.decision.verdict,
        None | Some(OutcomeKind::NoChain | OutcomeKind::NoListener)
    )
}

/// What tells the bytes of one open stream from those of another.
fn address(bytes: &Arc<StreamBytes>) -> usize {
    Arc::as_ptr(bytes).addr()
}

/// The labels of a refused call: its host or SNI, else its address.
fn refused_labels(text: &mut String, facts: &Facts) {
    let local = facts.downstream.local_address;
    let name = match facts.protocol {
        CallProtocol::Http => host(facts),
        CallProtocol::Tls | CallProtocol::Tcp => {
            let name = facts.downstream.requested_server_name.as_deref();
            name.map(Cow::Borrowed)
        }
    };
    let address = || local.map_or(UNKNOWN.to_owned(), |local| local.ip().to_string());
    let name = name.unwrap_or_else(|| Cow::Owned(address()));
    escape::label(text, "destination", &name);
    let mut port = [0; 5];
    escape::label(
        text,
        "port",
        decimal(local.map_or(0, |local| local.port()), &mut port),
    );
    let protocol = PROTOCOLS
        .iter()
        .find(|(protocol, _)| *protocol == facts.protocol);
    escape::label(text, "protocol", protocol.map_or(UNKNOWN, |(_, word)| word));
}

/// A port in decimal, without allocating.
fn decimal(number: u16, into: &mut [u8; 5]) -> &str {
    let mut rest = &mut into[..];
    let room = rest.len();
    let left = write!(rest, "{number}").map_or(room, |()| rest.len());
    std::str::from_utf8(&into[..room - left]).unwrap_or_default()
}
