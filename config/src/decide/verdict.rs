//! Answers: what happens to a call, and why.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::decide::call::Terminated;
use crate::decide::operation::Operation;
use crate::decide::trail::Trail;
use crate::model::route::{DirectResponse, HeaderChanges, Retries};
use crate::model::tls::{Hashed, ServerTls};
use crate::snapshot::cluster::Cluster;
use crate::snapshot::table::Filters;

/// The route, and its virtual host, of requests that pass since the policy for unmatched traffic lets them.
pub const ALLOW_ANY: &str = "allow_any";

/// The same for those that it refuses.
pub const BLOCK_ALL: &str = "block_all";

/// How to read the start of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The bytes decide. A client that sends nothing for this long may be waiting for the server.
    Sniff {
        /// How long to wait for the client's first bytes.
        silence_max: Duration,
    },
    /// Whatever the bytes are, the connection is opaque: do not wait for them.
    Opaque,
}

/// What happens to a connection.
#[derive(Clone, Debug)]
pub enum Verdict<'s> {
    /// It carries HTTP: each request is decided for itself.
    Http,
    /// To its original destination, unchanged (PassthroughCluster).
    Passthrough,
    /// To a member of this cluster.
    Forward(&'s Arc<Cluster>),
    /// A gateway ends TLS here and decides again about its content.
    Terminate {
        /// How.
        tls: &'s Hashed<ServerTls>,
        /// To be passed along with what is inside.
        terminated: Terminated,
    },
    /// Not allowed, or impossible.
    Refuse(Refusal),
}

/// Why a call is refused by decision (and not by what the network does).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing is registered for it and the policy is REGISTRY_ONLY: HTTP 502 `block_all`, TLS alert `access_denied`,
    /// close. Flag UH, BlackHoleCluster for byte streams.
    Blackhole,
    /// Addressed to egret's own listener: a loop. Closed; UH, BlackHoleCluster.
    OwnListener,
    /// No virtual host or no rule fits: HTTP 404, NR.
    NoRoute,
    /// A rule names a cluster that is not there: HTTP 503, NC; byte streams are closed.
    NoCluster(Arc<str>),
    /// No chain of the gateway fits the SNI: closed, NR.
    NoChain,
}

/// A decision about a connection.
#[derive(Clone, Debug)]
pub struct ConnectionDecision<'s> {
    /// What happens.
    pub verdict: Verdict<'s>,
    /// The cluster's name for the log, where there is one (PassthroughCluster and BlackHoleCluster included).
    pub cluster: Option<&'s str>,
    /// Why.
    pub trail: Trail<'s>,
}

/// What happens to one HTTP request.
#[derive(Clone, Debug)]
pub enum RequestVerdict<'s> {
    /// To its connection's original destination (route `allow_any`, PassthroughCluster). No retries, no time limit.
    Passthrough,
    /// To a member of a cluster.
    Forward(Forward<'s>),
    /// Answered here, by a rule.
    Answer(Answer<'s>),
    /// Not allowed, or impossible.
    Refuse(Refusal),
}

/// A request that goes to a cluster, and what is done to it on the way.
#[derive(Clone, Debug)]
pub struct Forward<'s> {
    /// The cluster.
    pub cluster: &'s Arc<Cluster>,
    /// The path and query to send, when they are rewritten.
    pub path: Option<String>,
    /// The authority to send, when it is rewritten.
    pub authority: Option<&'s str>,
    /// Time limit of the whole request.
    pub timeout: Option<Duration>,
    /// Retries; `None` for none at all.
    pub retries: Option<&'s Retries>,
    /// The mirrors, each with its share in millionths.
    pub mirrors: &'s [(Arc<Cluster>, u32)],
    /// Header changes, to be applied in this order.
    pub headers: [Option<&'s HeaderChanges>; 2],
}

/// An answer made here.
#[derive(Clone, Debug)]
pub enum Answer<'s> {
    /// A redirect.
    Redirect {
        /// The status.
        status: u16,
        /// The `location`.
        location: String,
        /// Header changes.
        headers: Option<&'s HeaderChanges>,
    },
    /// A direct response.
    Respond {
        /// Status and body.
        response: &'s DirectResponse,
        /// Header changes.
        headers: Option<&'s HeaderChanges>,
    },
}

/// The name of a route, as logs show it. Copied out of the snapshot without allocating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteName {
    /// Given by a rule, or `default`.
    Named(Arc<str>),
    /// One of the routes that every sidecar has: `allow_any`, `block_all`.
    BuiltIn(&'static str),
}

impl Deref for RouteName {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::BuiltIn(name) => name,
        }
    }
}

/// A decision about a request.
#[derive(Clone, Debug)]
pub struct RequestDecision<'s> {
    /// What happens.
    pub verdict: RequestVerdict<'s>,
    /// The virtual host, where one matched.
    pub virtual_host: Option<&'s str>,
    /// The route's name: a rule's, `default`, `allow_any` or `block_all`; none when a rule has no name.
    pub route: Option<RouteName>,
    /// What the rule that took the request does besides. Its faults and CORS come first, whatever the verdict.
    pub filters: Option<&'s Filters>,
    /// What its span is called; `None` where no rule took it.
    pub operation: Option<Operation<'s>>,
    /// Why.
    pub trail: Trail<'s>,
}

impl<'s> ConnectionDecision<'s> {
    /// A decision; the cluster is the trail's.
    pub(crate) fn new(verdict: Verdict<'s>, trail: Trail<'s>) -> Self {
        Self {
            verdict,
            cluster: trail.cluster,
            trail,
        }
    }
}

impl<'s> RequestDecision<'s> {
    /// A refused request that no rule took.
    pub(crate) fn refused(refusal: Refusal, route: Option<&'static str>, trail: Trail<'s>) -> Self {
        Self {
            verdict: RequestVerdict::Refuse(refusal),
            virtual_host: trail.virtual_host.or(route),
            route: route.map(RouteName::BuiltIn),
            filters: None,
            operation: None,
            trail,
        }
    }
}
