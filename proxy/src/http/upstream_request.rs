//! A request's way to one cluster: which member, which connection, in which form of HTTP.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egret_config::address::EndpointAddress;
use egret_config::decide::call::Arrival;
use egret_config::port::Protocol;
use egret_config::snapshot::cluster::{Cluster, ClusterPolicy, Discovery};
use egret_config::snapshot::workload::Mode;
use http::uri::Scheme;
use http::{Request, Version};
use hyper::upgrade::OnUpgrade;

use crate::client::body::{Received, RequestBody};
use crate::client::pool::Key;
use crate::dial::proxy_protocol::Ends;
use crate::dice;
use crate::failure::{Cause, Failure};
use crate::http::attempt::{AttemptError, AttemptTarget, ConnectBy, UpstreamResponse, attempt};
use crate::http::deadline::within;
use crate::http::informational::InformationalSender;
use crate::http::outgoing::Outgoing;
use crate::proxy::Proxy;
use crate::report::facts::Attempts;
use crate::upstream::cluster_runtime::ClusterRuntime;
use crate::upstream::clusters::{AttemptHistory, Carries, LoadBalancerContext};
use crate::upstream::hash_key;
use crate::upstream::hash_key::HashKey;
use crate::upstream::outlier::CallOutcome;

/// What all tries of one request at one cluster have in common.
#[derive(Debug)]
pub struct UpstreamRequest<'l> {
    cluster: &'l Arc<Cluster>,
    /// What is alive of the cluster.
    pub live: Rc<ClusterRuntime>,
    /// The request's host, after rewriting, in lower case; only where it is needed.
    host: Option<Arc<str>>,
    /// HTTP/2 instead of HTTP/1.
    pub http2: bool,
    arrival: Arrival,
    mode: Mode,
    informational: Option<InformationalSender>,
    /// The value of a cookie for consistent hashing, should one be set.
    token: u64,
    /// How far the request has come.
    received: Received,
    /// Where a try is under way.
    trying_at: RefCell<Option<EndpointAddress>>,
    /// Whether the request may still be repeated outside of the retry policy.
    repeat: Cell<bool>,
    /// Where the last try was made.
    tried_at: RefCell<Option<EndpointAddress>>,
    proxy: &'l Proxy,
}

impl<'l> UpstreamRequest<'l> {
    /// The way of a request that came on a connection with these addresses to a proxy of this mode.
    pub fn new(
        cluster: &'l Arc<Cluster>,
        outgoing: &Outgoing,
        arrival: Arrival,
        mode: Mode,
        proxy: &'l Proxy,
    ) -> Self {
        let policy = &cluster.policy;
        let by_host =
            is_named_by_host(policy) || matches!(cluster.discovery, Discovery::PerCall { .. });
        Self {
            cluster,
            live: proxy.clusters.live(cluster),
            host: by_host.then(|| lowered(outgoing.host())),
            http2: speaks_http2(cluster.protocol, policy, outgoing),
            arrival,
            mode,
            informational: outgoing.informational.clone(),
            token: dice::number(),
            received: outgoing.body.received(),
            trying_at: RefCell::default(),
            repeat: Cell::new(true),
            tried_at: RefCell::default(),
            proxy,
        }
    }

    /// The request in the form that goes this way, and the client's side of an upgrade.
    ///
    /// # Errors
    /// The authority is none that HTTP/2 could carry.
    pub fn build(
        &self,
        outgoing: Outgoing,
    ) -> Result<(Request<RequestBody>, Option<OnUpgrade>), Failure> {
        let scheme = match self.cluster.policy.tls {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        };
        build(outgoing, self.http2, scheme)
    }

    /// Tries once, at a member that goes with where it was tried `before`. The try ends when its `limit` has passed since
    /// it began, or since the whole request has come. It becomes one of `attempts` once the endpoint is chosen.
    ///
    /// # Errors
    /// There is no member, or the try came to nothing.
    pub async fn once(
        &self,
        request: Request<RequestBody>,
        before: AttemptHistory<'_>,
        limit: Option<Duration>,
        attempts: &mut Attempts,
    ) -> Result<UpstreamResponse, AttemptError> {
        let host = self.host.as_deref();
        let key = self.hash_key(&request);
        let wanted = LoadBalancerContext {
            original_dst: self.arrival.original_dst,
            mode: self.mode,
            name: host,
            tried: before,
            hash: key.hash,
            carries: Carries::Request,
        };
        let names = self.proxy.clusters.names();
        let target = match self.live.pick(&wanted, names, &mut dice::roll).await {
            Ok(target) => target,
            Err(failure) => {
                return Err(AttemptError {
                    failure,
                    request: Some(Box::new(request)),
                });
            }
        };
        let facts = attempts.begin(target.address.clone());
        target.describe(facts);
        let address = target.address;
        self.trying_at.replace(Some(address.clone()));
        self.tried_at.replace(Some(address.clone()));
        let policy = &self.cluster.policy;
        let way = AttemptTarget {
            pool: &self.live.pool,
            key: Key {
                address: address.clone(),
                name: self.host.clone().filter(|_| is_named_by_host(policy)),
                ends: policy.proxy_protocol.map(|_| Box::new(self.ends())),
            },
            others: target.others,
            active: target.active,
            connect: ConnectBy::Cluster(&self.live),
            http2: self.http2,
            host,
            informational: self.informational.as_ref(),
            facts,
            counters: &self.live.counters,
            repeat: &self.repeat,
        };
        // Pinned where it is: moved into either arm, it would take its room once more in each.
        let mut trying = pin!(attempt(request, way, &self.proxy.clusters));
        let outcome = match limit {
            None => trying.await,
            Some(limit) => match within(limit, &self.received, trying.as_mut()).await {
                Some((outcome, _)) => outcome,
                None => Err(AttemptError {
                    failure: Failure::new(Cause::TryTimeout, "the try's time limit passed"),
                    request: None,
                }),
            },
        };
        self.trying_at.replace(None);
        self.report_outcome(&address, &outcome);
        outcome.map(|reply| UpstreamResponse {
            cookie: key.cookie,
            ..reply
        })
    }

    /// The endpoint of the last try, if one was chosen.
    pub fn tried_at(&self) -> Option<EndpointAddress> {
        self.tried_at.borrow().clone()
    }

    /// Reports to outlier detection that the request timed out during an attempt.
    pub fn timed_out(&self) {
        if let Some(address) = self.trying_at.take() {
            self.live.report(&address, CallOutcome::TimedOut);
        }
    }

    /// The addresses for a PROXY header to the upstream.
    fn ends(&self) -> Ends {
        Ends {
            client: self.arrival.client,
            local: self.arrival.local,
        }
    }

    /// The key for consistent hashing, where the policy has it.
    fn hash_key(&self, request: &Request<RequestBody>) -> HashKey {
        let Some(on) = hash_key::policy(self.cluster) else {
            return HashKey::default();
        };
        let (headers, query) = (request.headers(), request.uri().query());
        hash_key::of_request(on, headers, query, self.arrival.client.ip(), self.token)
    }

    /// Reports the outcome of an attempt to outlier detection. A failed connect is reported where it happens.
    fn report_outcome(
        &self,
        address: &EndpointAddress,
        outcome: &Result<UpstreamResponse, AttemptError>,
    ) {
        if self.cluster.policy.outlier_detection.is_none() {
            return;
        }
        match outcome {
            Ok(reply) => {
                let response = &reply.response;
                let outcome = CallOutcome::of_response(response.status(), response.headers());
                self.live.report(&reply.address, outcome);
            }
            Err(failed) => {
                if let Some(outcome) = CallOutcome::of_failure(&failed.failure) {
                    self.live.report(address, outcome);
                }
            }
        }
    }
}

/// Whether the request's host is the name that TLS sends and verifies.
fn is_named_by_host(policy: &ClusterPolicy) -> bool {
    let tls = policy.tls.as_ref();
    tls.is_some_and(|tls| tls.sni.is_none())
}

/// A host in lower case, which it mostly is already.
fn lowered(host: &str) -> Arc<str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        host.to_ascii_lowercase().into()
    } else {
        host.into()
    }
}

/// A request as HTTP/1 or HTTP/2 has it, and the client's side of an upgrade.
///
/// # Errors
/// The authority is none that HTTP/2 could carry.
pub fn build(
    outgoing: Outgoing,
    http2: bool,
    scheme: Scheme,
) -> Result<(Request<RequestBody>, Option<OnUpgrade>), Failure> {
    if http2 {
        Ok((outgoing.into_http2(scheme)?, None))
    } else {
        Ok(outgoing.into_http1())
    }
}

/// Whether a cluster is called with HTTP/2: as the client calls, or as its port or policy has it.
fn speaks_http2(protocol: Protocol, policy: &ClusterPolicy, outgoing: &Outgoing) -> bool {
    if outgoing.upgrade.is_some() {
        return false;
    }
    if policy.pool.use_client_protocol {
        return outgoing.parts.version == Version::HTTP_2;
    }
    matches!(protocol, Protocol::Http2 | Protocol::Grpc) || policy.pool.h2_upgrade == Some(true)
}
