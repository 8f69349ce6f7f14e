//! How often each limit was in the way.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::life::{buffers, stalled};
use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::envoy::cluster::Count;
use crate::report::metrics::family::{Family, Value, labels};
use crate::report::metrics::overload::Overload;
use crate::report::metrics::shard::Shard;

/// `egret_limit_hits_total`
pub static LIMIT_HITS: Definition = Definition {
    name: "egret_limit_hits_total",
    kind: Kind::Counter,
    help: "How often a limit was in the way: calls that waited or were refused, DNS queries and pages that were refused.",
    labels: &["limit"],
    stat: "",
};

/// A limit of the process beside those of clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Captured DNS queries that wait for name servers.
    DnsQueries,
    /// Connections of captured DNS clients.
    DnsClients,
    /// Large pages that are read at a time.
    Pages,
    /// Bytes of bodies that are kept to be sent again.
    KeptBodies,
    /// HTTP/2 frames that serve no purpose, on a client's connection.
    Http2Frames,
    /// Time for the head of a request.
    HeadTime,
    /// Time for a TLS handshake or a PROXY header.
    HandshakeTime,
    /// Time without a request on a connection.
    IdleTime,
}

/// Limits that are counted by those that have them.
const COUNTED_ELSEWHERE: [&str; 3] = ["access_log_queue", "span_queue", "dns_names"];

/// Adds how often one of [`COUNTED_ELSEWHERE`] was in the way.
pub fn add_to(families: &mut [Family], limit: &str, count: u64) {
    let hits = families
        .iter_mut()
        .find(|family| family.definition.name == LIMIT_HITS.name);
    if let Some(hits) = hits {
        hits.add(&labels(&LIMIT_HITS, &[limit]), Value::Integer(count));
    }
}

/// How often limits of the process were in the way. Shared by all threads.
#[derive(Debug, Default)]
pub struct LimitHits([AtomicU64; Limit::ALL.len()]);

impl Limit {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::DnsQueries,
        Self::DnsClients,
        Self::Pages,
        Self::KeptBodies,
        Self::Http2Frames,
        Self::HeadTime,
        Self::HandshakeTime,
        Self::IdleTime,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::DnsQueries => "dns_queries",
            Self::DnsClients => "dns_clients",
            Self::Pages => "pages",
            Self::KeptBodies => "kept_bodies",
            Self::Http2Frames => "http2_frames",
            Self::HeadTime => "head_time",
            Self::HandshakeTime => "handshake_time",
            Self::IdleTime => "idle_time",
        }
    }
}

impl LimitHits {
    /// A limit was in the way.
    pub fn count(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was so far.
    pub fn hits(&self, limit: Limit) -> u64 {
        self.0[limit as usize].load(Ordering::Relaxed)
    }

    /// The family, with the limits of clusters and of descriptors that shards count.
    pub fn family<'s>(&self, shards: impl Iterator<Item = &'s Shard>) -> Family {
        let mut family = Family::new(&LIMIT_HITS);
        let mut add = |limit: &str, count: u64| {
            family.add(&labels(&LIMIT_HITS, &[limit]), Value::Integer(count));
        };
        for limit in Limit::ALL {
            add(limit.name(), self.hits(limit));
        }
        let of_clusters = [
            ("connections", Count::ConnectionOverflows),
            ("pending_requests", Count::PendingOverflows),
            ("requests", Count::RequestOverflows),
            ("retries", Count::RetryOverflows),
        ];
        for limit in of_clusters.map(|(limit, _)| limit) {
            add(limit, 0);
        }
        for limit in COUNTED_ELSEWHERE {
            add(limit, 0);
        }
        add("buffers", buffers::hits());
        add("stalled_clients", stalled::hits());
        for overload in Overload::ALL {
            add(overload.limit(), 0);
        }
        for shard in shards {
            for overload in Overload::ALL {
                add(overload.limit(), shard.overloaded(overload));
            }
            for (_, counters) in shard.upstream.all() {
                for (limit, count) in of_clusters {
                    add(limit, counters.get(count));
                }
            }
        }
        family
    }
}
