//! Sends a request to where it is decided to go, again if the route says so.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use egret_config::decide::verdict::Forward;
use egret_config::model::route::Retries;
use egret_config::model::tls::ClientTls;
use egret_config::port::Protocol;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::ClusterPolicy;
use egret_config::snapshot::cluster::Discovery;
use egret_config::snapshot::workload::Mode;
use http::Request;
use http::Version;
use http::uri::Scheme;
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio::time::timeout_at;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::answer;
use crate::http::attempt::Failed;
use crate::http::attempt::Reply;
use crate::http::attempt::Way;
use crate::http::attempt::attempt;
use crate::http::attempt::copy;
use crate::http::caller::Caller;
use crate::http::caller::Told;
use crate::http::headers;
use crate::http::outgoing::Outgoing;
use crate::http::retry;
use crate::proxy::Proxy;
use crate::upstream::body::Received;
use crate::upstream::body::RequestBody;
use crate::upstream::clusters::LiveCluster;
use crate::upstream::clusters::Wanted;
use crate::upstream::connect::Dial;
use crate::upstream::pool::Key;

/// An upstream's answer, with what remains to be done to it.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub reply: Reply,
    /// The end of the route's time limit.
    pub deadline: Option<Instant>,
    /// The client's side of an upgrade that was asked for.
    pub upgrade: Option<OnUpgrade>,
}

/// Sends a request to where its connection wanted to go. No retries, no time limit.
///
/// # Errors
/// What kept the upstream from answering.
pub async fn pass(
    outgoing: Outgoing,
    caller: &Caller,
    proxy: &Proxy,
    snapshot: &Snapshot,
    told: &mut Told<'_>,
) -> Result<Answered, Failure> {
    let address = caller.arrival.to;
    told.record.upstream_cluster = Some(proxy.clusters.passthrough_name());
    told.record.upstream_host = Some(address);
    told.tries = 1;
    let http2 = outgoing.parts.version == Version::HTTP_2;
    let (mut request, upgrade) = formed(outgoing, http2, Scheme::HTTP)?;
    if told.own.attempt_count {
        headers::count_attempt(request.headers_mut(), 1);
    }
    let way = Way {
        pool: proxy.clusters.passthrough(),
        key: Key {
            address,
            name: None,
        },
        active: None,
        live: None,
        http2,
        dial: Dial {
            from: None,
            limit: snapshot.mesh.connect_timeout,
            keepalive: None,
        },
        tls: None,
    };
    let reply = attempt(request, way, &proxy.clusters)
        .await
        .map_err(|failed| failed.failure)?;
    told.record.upstream_local_address = Some(reply.local);
    Ok(Answered {
        reply,
        deadline: None,
        upgrade,
    })
}

/// Sends a request to a member of a cluster.
///
/// # Errors
/// What kept every try from being answered.
pub async fn forward(
    mut outgoing: Outgoing,
    forward: &Forward<'_>,
    caller: &Caller,
    proxy: &Proxy,
    snapshot: &Snapshot,
    told: &mut Told<'_>,
) -> Result<Answered, Failure> {
    told.record.upstream_cluster = Some(Arc::clone(&forward.cluster.name));
    rewrite(&mut outgoing, forward, told.own.debug)?;
    if forward.authority.is_some() {
        told.record.authority = Some(outgoing.authority.clone());
    }
    if let Some(timeout) = forward.timeout.filter(|_| told.own.debug) {
        headers::expect_timeout(&mut outgoing.parts.headers, timeout);
    }

    let live = proxy.clusters.live(forward.cluster);
    let policy = &forward.cluster.policy;
    let http2 = speaks_http2(forward.cluster.protocol, policy, &outgoing);
    let tls = policy.tls.as_ref();
    let by_host = tls.is_some() || matches!(forward.cluster.discovery, Discovery::PerCall { .. });
    let host = by_host.then(|| outgoing.host().to_ascii_lowercase());
    let (request, upgrade) = formed(
        outgoing,
        http2,
        if tls.is_some() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        },
    )?;
    let tries = Tries {
        live: &live,
        policy,
        tls,
        host: host.as_deref(),
        http2,
        to: caller.arrival.to,
        to_is_original: snapshot.workload.mode == Mode::Sidecar,
        retries: forward.retries.filter(|retries| retries.attempts > 0),
        proxy,
    };
    let limit = forward.timeout.filter(|limit| !limit.is_zero());
    let (reply, deadline) = match limit {
        None => (tries.run(request, told).await?, None),
        Some(limit) => {
            let received = told.received.clone();
            let (reply, deadline) = within(limit, &received, tries.run(request, told)).await?;
            (reply, Some(deadline))
        }
    };
    told.record.upstream_host = Some(reply.address);
    told.record.upstream_local_address = Some(reply.local);
    Ok(Answered {
        reply,
        deadline,
        upgrade,
    })
}

/// Waits for a reply, from when the whole request has come not longer than `limit`. Gives the reply, and the end of the
/// time that is left for its body.
async fn within(
    limit: Duration,
    received: &Received,
    replying: impl Future<Output = Result<Reply, Failure>>,
) -> Result<(Reply, Instant), Failure> {
    let mut replying = pin!(replying);
    tokio::select! {
        biased;
        () = received.complete() => {}
        reply = &mut replying => return Ok((reply?, Instant::now() + limit)),
    }
    let deadline = Instant::now() + limit;
    match timeout_at(deadline, replying).await {
        Ok(reply) => Ok((reply?, deadline)),
        Err(_) => Err(Failure::new(Cause::Timeout, "the route's timeout passed")),
    }
}

/// What the route changes in a request.
fn rewrite(outgoing: &mut Outgoing, forward: &Forward<'_>, tell: bool) -> Result<(), Failure> {
    let mut authority = forward.authority;
    for changes in forward.headers.iter().flatten() {
        authority = headers::change(&mut outgoing.parts.headers, &changes.request).or(authority);
    }
    if let Some(path) = &forward.path {
        outgoing.rewrite_path(path.clone(), tell)?;
    }
    if let Some(authority) = authority {
        outgoing.rewrite_authority(authority, tell);
    }
    Ok(())
}

/// Whether a cluster is called with HTTP/2: its port says so, or the client does and the port does not mind.
fn speaks_http2(protocol: Protocol, policy: &ClusterPolicy, outgoing: &Outgoing) -> bool {
    if outgoing.upgrade.is_some() {
        return false;
    }
    let as_client = protocol == Protocol::Auto || policy.pool.use_client_protocol;
    matches!(protocol, Protocol::Http2 | Protocol::Grpc)
        || policy.pool.h2_upgrade == Some(true)
        || (as_client && outgoing.parts.version == Version::HTTP_2)
}

fn formed(
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

/// What all tries of one request have in common.
struct Tries<'t> {
    live: &'t LiveCluster,
    policy: &'t ClusterPolicy,
    tls: Option<&'t ClientTls>,
    /// The request's host, after rewriting, in lower case; only where it is needed.
    host: Option<&'t str>,
    http2: bool,
    to: SocketAddr,
    to_is_original: bool,
    retries: Option<&'t Retries>,
    proxy: &'t Proxy,
}

impl Tries<'_> {
    /// Tries until a response may be passed on, or no further try is allowed.
    async fn run(
        &self,
        mut request: Request<RequestBody>,
        told: &mut Told<'_>,
    ) -> Result<Reply, Failure> {
        let mut failed_at = Vec::new();
        let keeps_copies = request.body().is_empty()
            && self.retries.is_some_and(|retries| {
                retry::looks_at_responses(retries, answer::is_grpc(request.headers()))
            });
        loop {
            told.tries += 1;
            if told.own.attempt_count {
                headers::count_attempt(request.headers_mut(), told.tries);
            }
            let retries = self
                .retries
                .filter(|retries| told.tries <= retries.attempts);
            let spare = (keeps_copies && retries.is_some()).then(|| copy(&request));
            let outcome = self.once(request, &failed_at, told).await;
            let Some(retries) = retries else {
                return outcome.map_err(|failed| failed.failure);
            };
            request = match outcome {
                Ok(reply) => {
                    let response = &reply.response;
                    match spare {
                        Some(spare)
                            if retry::after_response(
                                retries,
                                response.status(),
                                response.headers(),
                            ) =>
                        {
                            spare
                        }
                        _ => return Ok(reply),
                    }
                }
                Err(Failed { failure, request }) => {
                    match request.map(|request| *request).or(spare) {
                        Some(request) if retry::after_failure(retries, &failure) => request,
                        _ => return Err(failure),
                    }
                }
            };
            failed_at.extend(told.record.upstream_host);
            sleep(retry::backoff(retries, told.tries - 1, fastrand::f64())).await;
        }
    }

    async fn once(
        &self,
        request: Request<RequestBody>,
        avoid: &[SocketAddr],
        told: &mut Told<'_>,
    ) -> Result<Reply, Failed> {
        let wanted = Wanted {
            to: self.to,
            to_is_original: self.to_is_original,
            name: self.host,
            avoid,
        };
        let dice = &mut |sides: u64| fastrand::u64(..sides.max(1));
        let target = match self
            .live
            .pick(&wanted, self.proxy.clusters.names(), dice)
            .await
        {
            Ok(target) => target,
            Err(failure) => {
                return Err(Failed {
                    failure,
                    request: Some(Box::new(request)),
                });
            }
        };
        told.record.upstream_host = Some(target.address);
        let named_by_host = self.tls.is_some_and(|tls| tls.sni.is_none());
        let name = self.host.filter(|_| named_by_host).map(Arc::from);
        let way = Way {
            pool: &self.live.pool,
            key: Key {
                address: target.address,
                name,
            },
            active: target.active,
            live: Some(self.live),
            http2: self.http2,
            dial: Dial {
                from: None,
                limit: self.policy.connect_timeout,
                keepalive: self.policy.pool.keepalive.as_ref(),
            },
            tls: self.tls.map(|tls| (tls, self.host)),
        };
        let trying = attempt(request, way, &self.proxy.clusters);
        let Some(limit) = self.try_timeout() else {
            return trying.await;
        };
        timeout(limit, trying).await.unwrap_or_else(|_| {
            let failure = Failure::new(Cause::TryTimeout, "the try's time limit passed");
            Err(Failed {
                failure,
                request: None,
            })
        })
    }

    fn try_timeout(&self) -> Option<Duration> {
        self.retries?.try_timeout.filter(|limit| !limit.is_zero())
    }
}
