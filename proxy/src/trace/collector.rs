//! The connection to a collector: one, with one request on it at a time. TLS and all else follows the DestinationRule of the
//! collector's host.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use egret_config::address::{EndpointAddress, OriginalDestination};
use egret_config::port::Protocol;
use egret_config::snapshot::cluster::Cluster;
use egret_config::snapshot::workload::Mode;
use http::HeaderMap;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::client::pool::Key;
use crate::dice;
use crate::http::attempt::{AttemptTarget, ConnectBy, UpstreamResponse, attempt};
use crate::proxy::Shared;
use crate::report::facts::Attempts;
use crate::trace::encode::{Answer, Batch};
use crate::upstream::cluster_runtime::ClusterRuntime;
use crate::upstream::clusters::{AttemptHistory, Carries, Clusters, LoadBalancerContext};

/// Bytes of an answer that are read; a longer one is not to be waited for.
const ANSWER_MAX: usize = 64 * 1024;

/// Where spans are sent from.
#[derive(Debug)]
pub struct Collector {
    clusters: Clusters,
    /// The endpoint that the connection goes to, of which life of a cluster.
    kept: Option<(Rc<ClusterRuntime>, EndpointAddress)>,
}

/// Why a batch was not taken.
#[derive(Clone, Debug)]
pub(in crate::trace) struct Refused {
    /// It may be sent again.
    pub(in crate::trace) again: bool,
    /// What happened.
    pub(in crate::trace) why: String,
}

impl Collector {
    /// No connection yet. To be used on one thread, in its `LocalSet`.
    pub fn new(shared: &Shared) -> Self {
        Self {
            clusters: Clusters::new(
                Arc::clone(&shared.names),
                Arc::clone(&shared.originator),
                Arc::clone(&shared.shared_clusters),
                Arc::clone(&shared.own),
            ),
            kept: None,
        }
    }

    /// Sends a batch to a cluster. Gives how many of its spans were refused.
    pub(in crate::trace) async fn send(
        &mut self,
        batch: &Batch,
        cluster: &Arc<Cluster>,
    ) -> Result<u64, Refused> {
        let sent = timeout(batch.timeout, self.exchange(batch, cluster)).await;
        let outcome = sent.unwrap_or_else(|_| {
            Err(Refused {
                again: true,
                why: format!("no answer within {:?}", batch.timeout),
            })
        });
        if outcome.is_err() {
            self.kept = None;
        }
        outcome
    }

    async fn exchange(&mut self, batch: &Batch, cluster: &Arc<Cluster>) -> Result<u64, Refused> {
        let again = |why: String| Refused { again: true, why };
        let policy = &cluster.policy;
        let http2 = batch.grpc
            || matches!(cluster.protocol, Protocol::Http2 | Protocol::Grpc)
            || policy.pool.h2_upgrade == Some(true);
        let Some(request) = batch.request(http2, policy.tls.is_some()) else {
            let why = "its host cannot be called".to_owned();
            return Err(Refused { again: false, why });
        };
        let live = self.clusters.live(cluster);
        let address = self.endpoint(&live).await.map_err(again)?;
        let host = cluster.host.to_string();
        let by_host = policy.tls.as_ref().is_some_and(|tls| tls.sni.is_none());
        let mut attempts = Attempts::default();
        let target = AttemptTarget {
            pool: &live.pool,
            key: Key {
                address: address.clone(),
                name: by_host.then(|| host.as_str().into()),
                ends: None,
            },
            others: Vec::new(),
            active: None,
            connect: ConnectBy::Cluster(&live),
            http2,
            host: Some(&host),
            informational: None,
            facts: attempts.begin(address.clone()),
            counters: &live.counters,
            repeat: &Cell::new(true),
        };
        let reply = attempt(request, target, &self.clusters).await;
        let reply = reply.map_err(|failed| again(failed.failure.to_string()))?;
        self.kept = Some((live, reply.address.clone()));
        read(batch, reply).await
    }

    /// The endpoint that was called before, else one that the cluster's policy picks.
    async fn endpoint(&self, live: &Rc<ClusterRuntime>) -> Result<EndpointAddress, String> {
        if let Some((known, address)) = &self.kept
            && Rc::ptr_eq(known, live)
        {
            return Ok(address.clone());
        }
        let wanted = LoadBalancerContext {
            original_dst: OriginalDestination(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
            mode: Mode::Gateway,
            name: None,
            tried: AttemptHistory::default(),
            hash: None,
            carries: Carries::Request,
        };
        let names = self.clusters.names();
        let target = live.pick(&wanted, names, &mut dice::roll).await;
        target
            .map(|target| target.address)
            .map_err(|failure| failure.to_string())
    }
}

/// Reads an answer to its end, so that the connection can be used again.
async fn read(batch: &Batch, reply: UpstreamResponse) -> Result<u64, Refused> {
    let (parts, mut incoming) = reply.response.into_parts();
    let mut body = Vec::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Refused {
            again: true,
            why: error.to_string(),
        })?;
        match frame.into_data() {
            Ok(data) if body.len() + data.len() <= ANSWER_MAX => body.extend_from_slice(&data),
            Ok(_) => {
                let why = "its answer is too long".to_owned();
                return Err(Refused { again: false, why });
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    reply.lease.give_back();
    match batch.answer(parts.status, &parts.headers, &body, &trailers) {
        Answer::Taken(rejected) => Ok(rejected),
        answer => Err(Refused {
            again: answer == Answer::Later,
            why: format!("it answered {}", parts.status),
        }),
    }
}
