//! The series of calls: what tells one from another, and their counters.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use egret_config::decide::flag::Flags;
use egret_config::grpc::GrpcStatus;
use egret_config::model::endpoint::DestinationWorkload;
use egret_config::model::telemetry::Metric;
use egret_config::model::tls::Hashed;
use egret_config::snapshot::cluster::DestinationService;

use crate::report::metrics::envoy::cluster::UpstreamBuckets;
use crate::report::metrics::histogram::{Buckets, Histogram};
use crate::report::metrics::label_set::LabelSet;

/// Whom a call goes to, in the words of metrics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination<S = Hashed<DestinationService>> {
    /// A service.
    Service(S),
    /// None, with the host that the call named, if it is shown.
    Unrouted(Unrouted, Option<Name>),
}

/// Calls that go to no service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unrouted {
    /// The policy for unknown calls refused it.
    BlackHole,
    /// That policy let it pass.
    Passthrough,
    /// egret answered it.
    Answered,
}

/// A text of which the process has one, so that it is compared by address.
#[derive(Clone, Debug)]
pub struct Name(pub Arc<str>);

/// `request_protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestProtocol {
    /// `http`
    Http,
    /// `grpc`
    Grpc,
    /// `tcp`
    Tcp,
}

/// What tells the series of calls apart.
#[derive(Debug)]
pub struct Key {
    /// The labels that they have.
    pub labels: Arc<LabelSet>,
    /// Whom they go to.
    pub destination: Destination,
    /// The workload that they go to.
    pub workload: Option<Hashed<DestinationWorkload>>,
    /// What they are.
    pub protocol: RequestProtocol,
    /// The status that the client got; 0 where none was.
    pub code: u16,
    /// The status of gRPC.
    pub grpc_status: Option<GrpcStatus>,
    /// What went wrong.
    pub flags: Flags,
    /// The values of the expressions of the labels.
    pub values: Box<[Name]>,
}

/// The same, borrowed from a call.
#[derive(Debug)]
pub struct KeyRef<'k> {
    /// See [`Key::labels`].
    pub labels: &'k Arc<LabelSet>,
    /// See [`Key::destination`].
    pub destination: Destination<&'k Hashed<DestinationService>>,
    /// See [`Key::workload`].
    pub workload: Option<&'k Hashed<DestinationWorkload>>,
    /// See [`Key::protocol`].
    pub protocol: RequestProtocol,
    /// See [`Key::code`].
    pub code: u16,
    /// See [`Key::grpc_status`].
    pub grpc_status: Option<GrpcStatus>,
    /// See [`Key::flags`].
    pub flags: Flags,
    /// See [`Key::values`].
    pub values: &'k [Name],
}

/// The labels of a series as text, by the number of the metric; made when it is scraped first.
pub type Texts = OnceLock<[Option<Arc<str>>; Metric::ALL.len()]>;

/// The counters of HTTP requests.
#[derive(Debug)]
pub struct CallSeries {
    /// Which requests.
    pub key: Key,
    /// Its labels.
    pub texts: Texts,
    /// `istio_requests_total`
    pub requests: AtomicU64,
    /// `istio_request_duration_milliseconds`, in nanoseconds.
    pub duration: Histogram,
    /// `istio_request_bytes`
    pub request_bytes: Histogram,
    /// `istio_response_bytes`
    pub response_bytes: Histogram,
    /// `istio_request_messages_total`
    pub request_messages: AtomicU64,
    /// `istio_response_messages_total`
    pub response_messages: AtomicU64,
}

/// The counters of byte streams.
#[derive(Debug)]
pub struct StreamSeries {
    /// Which streams.
    pub key: Key,
    /// Its labels.
    pub texts: Texts,
    /// `istio_tcp_connections_opened_total`
    pub opened: AtomicU64,
    /// `istio_tcp_connections_closed_total`
    pub closed: AtomicU64,
    /// `istio_tcp_received_bytes_total`: from the client.
    pub received: AtomicU64,
    /// `istio_tcp_sent_bytes_total`: to the client.
    pub sent: AtomicU64,
}

/// The bounds of the histograms of requests.
#[derive(Clone, Debug)]
pub struct CallBuckets {
    /// Of `istio_request_duration_milliseconds`.
    pub duration: Arc<Buckets>,
    /// Of `istio_request_bytes`.
    pub request_bytes: Arc<Buckets>,
    /// Of `istio_response_bytes`.
    pub response_bytes: Arc<Buckets>,
    /// Of the histograms of clusters.
    pub upstream: UpstreamBuckets,
}

/// What has a key.
pub trait Series {
    /// The key.
    fn key(&self) -> &Key;
}

/// Series by their keys. Once there, a series stays.
#[derive(Debug)]
pub struct SeriesMap<S> {
    by_hash: HashMap<u64, Places, BuildHasherDefault<AsItIs>>,
    list: Vec<Arc<S>>,
}

/// Where the series with one hash are: mostly one.
#[derive(Debug)]
struct Places {
    first: usize,
    more: Vec<usize>,
}

impl KeyRef<'_> {
    /// The hash of all parts. None of them is hashed as a text here.
    fn hash(&self) -> u64 {
        let mut hasher = Mix::default();
        Arc::as_ptr(self.labels).hash(&mut hasher);
        self.destination.hash(&mut hasher);
        self.workload.hash(&mut hasher);
        self.protocol.hash(&mut hasher);
        self.code.hash(&mut hasher);
        let grpc_status = self.grpc_status.map(|status| status as u8);
        grpc_status.hash(&mut hasher);
        self.flags.hash(&mut hasher);
        self.values.hash(&mut hasher);
        hasher.finish()
    }

    fn is(&self, key: &Key) -> bool {
        let destination = match (&self.destination, &key.destination) {
            (Destination::Service(one), Destination::Service(other)) => *one == other,
            (Destination::Unrouted(one, host), Destination::Unrouted(other, its)) => {
                one == other && host == its
            }
            _ => false,
        };
        destination
            && self.code == key.code
            && self.flags == key.flags
            && self.protocol == key.protocol
            && self.grpc_status == key.grpc_status
            && self.workload == key.workload.as_ref()
            && *self.values == *key.values
            && Arc::ptr_eq(self.labels, &key.labels)
    }

    fn owned(&self) -> Key {
        Key {
            labels: Arc::clone(self.labels),
            destination: match &self.destination {
                Destination::Service(service) => Destination::Service((*service).clone()),
                Destination::Unrouted(kind, host) => Destination::Unrouted(*kind, host.clone()),
            },
            workload: self.workload.cloned(),
            protocol: self.protocol,
            code: self.code,
            grpc_status: self.grpc_status,
            flags: self.flags,
            values: self.values.into(),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).cast::<u8>().hash(state);
    }
}

impl CallSeries {
    /// Counters at zero.
    pub fn new(key: Key, buckets: &CallBuckets) -> Self {
        Self {
            key,
            texts: Texts::new(),
            requests: AtomicU64::new(0),
            duration: Histogram::new(&buckets.duration),
            request_bytes: Histogram::new(&buckets.request_bytes),
            response_bytes: Histogram::new(&buckets.response_bytes),
            request_messages: AtomicU64::new(0),
            response_messages: AtomicU64::new(0),
        }
    }
}

impl Series for CallSeries {
    fn key(&self) -> &Key {
        &self.key
    }
}

impl StreamSeries {
    /// Counters at zero.
    pub fn new(key: Key) -> Self {
        Self {
            key,
            texts: Texts::new(),
            opened: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }
}

impl Series for StreamSeries {
    fn key(&self) -> &Key {
        &self.key
    }
}

impl<S> Default for SeriesMap<S> {
    fn default() -> Self {
        Self {
            by_hash: HashMap::default(),
            list: Vec::new(),
        }
    }
}

impl<S: Series> SeriesMap<S> {
    /// The series with this key, which `make` makes if there is none.
    pub fn of(&mut self, key: &KeyRef<'_>, make: impl FnOnce(Key) -> S) -> &Arc<S> {
        let hash = key.hash();
        let found = self.by_hash.get(&hash).and_then(|places| {
            let mut all = std::iter::once(&places.first).chain(&places.more);
            all.find(|place| key.is(self.list[**place].key())).copied()
        });
        let place = found.unwrap_or_else(|| {
            let place = self.list.len();
            self.list.push(Arc::new(make(key.owned())));
            self.by_hash
                .entry(hash)
                .and_modify(|places| places.more.push(place))
                .or_insert(Places {
                    first: place,
                    more: Vec::new(),
                });
            place
        });
        &self.list[place]
    }

    /// All series, in the order in which they came.
    pub fn list(&self) -> &[Arc<S>] {
        &self.list
    }
}

/// Mixes numbers that are hashes already, or small.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }
}

/// A hash that is one already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
