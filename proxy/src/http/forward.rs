//! Sends a request to where it is decided to go, again if the route says so.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egret_config::decide::call::Arrival;
use egret_config::decide::verdict::Forward;
use egret_config::model::mesh::ProxyHeaders;
use egret_config::model::route::Retries;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::Mode;
use http::Request;
use http::Version;
use http::uri::Scheme;
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;
use tokio::time::sleep;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::failure::flags::Flag;
use crate::http::attempt::Failed;
use crate::http::attempt::Reply;
use crate::http::attempt::Way;
use crate::http::attempt::attempt;
use crate::http::attempt::spare::copy;
use crate::http::caller::Caller;
use crate::http::caller::Told;
use crate::http::deadline;
use crate::http::headers;
use crate::http::leg;
use crate::http::leg::Leg;
use crate::http::mirror;
use crate::http::outgoing::Outgoing;
use crate::http::retry;
use crate::proxy::Proxy;
use crate::upstream::body::RequestBody;
use crate::upstream::body::replay::Replay;
use crate::upstream::clusters::Tried;
use crate::upstream::connect::Dial;
use crate::upstream::limits::Permit;
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
    let early = outgoing.early.clone();
    let (mut request, upgrade) = leg::formed(outgoing, http2, Scheme::HTTP)?;
    if told.own.attempt_count {
        headers::count_attempt(request.headers_mut(), 1);
    }
    let way = Way {
        pool: proxy.clusters.passthrough(),
        key: Key {
            address,
            name: None,
            ends: None,
        },
        others: Vec::new(),
        active: None,
        live: None,
        http2,
        dial: Dial {
            from: None,
            limit: snapshot.mesh.connect_timeout,
            keepalive: snapshot.mesh.keepalive.as_ref(),
        },
        host: None,
        early: early.as_ref(),
        local: &mut told.record.upstream_local_address,
    };
    let reply = attempt(request, way, &proxy.clusters)
        .await
        .map_err(|failed| failed.failure)?;
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
    proxy: &Rc<Proxy>,
    snapshot: &Snapshot,
    told: &mut Told<'_>,
) -> Result<Answered, Failure> {
    told.record.upstream_cluster = Some(Arc::clone(&forward.cluster.name));
    rewrite(&mut outgoing, forward, told.own)?;
    if forward.authority.is_some() {
        told.record.authority = Some(outgoing.authority.clone());
    }
    let limit = deadline::limit(forward.timeout, told.grpc, &mut outgoing.parts.headers);
    // The upstream may be told who called whom. On a sidecar, that is where the call wants to go.
    let arrival = Arrival {
        client: caller.arrival.client,
        to: caller.dialled,
    };
    let to_is_original = snapshot.workload.mode == Mode::Sidecar;
    let mirrors: Vec<_> = mirror::struck(forward.mirrors, |sides| fastrand::u32(..sides))
        .into_iter()
        .map(|cluster| mirror::Copy {
            cluster,
            outgoing: outgoing.copy(),
            client: arrival.client,
            to: (arrival.to, to_is_original),
            limit,
        })
        .collect();
    let leg = Leg::new(forward.cluster, &outgoing, arrival, to_is_original, proxy);
    let (mut request, upgrade) = leg.formed(outgoing)?;
    let retries = forward.retries.filter(|retries| retries.attempts > 0);
    let copies = retries.is_some_and(|retries| retry::needs_copies(retries, told.grpc, leg.http2));
    let kept = if copies || !mirrors.is_empty() {
        keep(&mut request)
    } else {
        None
    };
    for mirror in mirrors {
        mirror.send(kept.as_ref().map(Replay::tee), proxy);
    }
    let tries = Tries {
        leg: &leg,
        retries,
        limit,
        copies,
        kept,
    };
    let received = told.received.clone();
    let (reply, deadline) = {
        // Pinned where it is: moved into either arm, it would take its room once more in each.
        let running = pin!(tries.run(request, told));
        match limit {
            None => (running.await?, None),
            Some(limit) => {
                let Some((reply, deadline)) = deadline::within(limit, &received, running).await
                else {
                    leg.timed_out();
                    return Err(Failure::new(Cause::Timeout, "the route's timeout passed"));
                };
                (reply?, Some(deadline))
            }
        }
    };
    told.record.upstream_host = Some(reply.address);
    Ok(Answered {
        reply,
        deadline,
        upgrade,
    })
}

/// Sees to it that the body of a request can be read more than once; none for a request without one.
fn keep(request: &mut Request<RequestBody>) -> Option<Replay> {
    let body = std::mem::replace(request.body_mut(), RequestBody::empty());
    let (body, kept) = match Replay::new(body) {
        Ok(kept) => (kept.read().unwrap_or_else(RequestBody::empty), Some(kept)),
        Err(body) => (body, None),
    };
    *request.body_mut() = body;
    kept
}

/// What the route changes in a request.
fn rewrite(
    outgoing: &mut Outgoing,
    forward: &Forward<'_>,
    own: &ProxyHeaders,
) -> Result<(), Failure> {
    let mut authority = forward.authority;
    for changes in forward.headers.iter().flatten() {
        authority = headers::change(&mut outgoing.parts.headers, &changes.request).or(authority);
    }
    if let Some(path) = &forward.path {
        outgoing.rewrite_path(path.clone(), own.debug)?;
    }
    if let Some(authority) = authority {
        if own.forwarded_host {
            headers::append_host(&mut outgoing.parts.headers, &outgoing.authority);
        }
        outgoing.rewrite_authority(authority, own.debug);
    }
    Ok(())
}

/// What all tries of one request have in common.
struct Tries<'t> {
    leg: &'t Leg<'t>,
    retries: Option<&'t Retries>,
    /// The time limit of them all.
    limit: Option<Duration>,
    /// Whether a request that was sent may have to be sent again.
    copies: bool,
    /// The body, where it is kept.
    kept: Option<Replay>,
}

impl Tries<'_> {
    /// Tries until a response may be passed on, or no further try is allowed.
    async fn run(
        &self,
        mut request: Request<RequestBody>,
        told: &mut Told<'_>,
    ) -> Result<Reply, Failure> {
        let mut failed_at = Vec::new();
        // Its place among the retries that the cluster allows at once.
        let mut _retrying = Permit::default();
        let limit = self.retries.and_then(|retries| retries.try_timeout);
        let bodyless = request.body().is_empty();
        let began = self.limit.map(|_| Instant::now());
        let elapsed = || began.map_or(Duration::ZERO, |began| began.elapsed());
        loop {
            told.tries += 1;
            if told.own.attempt_count {
                headers::count_attempt(request.headers_mut(), told.tries);
            }
            if let Some(limit) = deadline::of_try(self.limit, limit, elapsed) {
                if told.own.debug {
                    headers::expect_timeout(request.headers_mut(), limit);
                }
                if told.grpc {
                    deadline::tell(request.headers_mut(), limit);
                }
            }
            let record = &mut *told.record;
            let (tried, local) = (
                &mut record.upstream_host,
                &mut record.upstream_local_address,
            );
            let Some(retries) = self.retries else {
                let first = Tried::default();
                let outcome = self.leg.once(request, first, limit, tried, local).await;
                return outcome.map_err(|failed| failed.failure);
            };
            let last = told.tries > retries.attempts;
            let spare = (self.copies && !last).then(|| copy(&request));
            let before = Tried {
                at: &failed_at,
                avoid: retries.fresh_hosts,
                other_priorities: retries.other_priorities,
            };
            let outcome = self.leg.once(request, before, limit, tried, local).await;
            let again = match &outcome {
                Ok(reply) => {
                    let response = &reply.response;
                    retry::after_response(retries, response.status(), response.headers())
                }
                Err(failed) => {
                    retry::after_failure(retries, &failed.failure, failed.request.is_some())
                }
            };
            if !again {
                return outcome.map_err(|failed| failed.failure);
            }
            if last {
                told.record.response_flags.raise(Flag::URX);
                return outcome.map_err(|failed| failed.failure);
            }
            let (unsent, outcome) = match outcome {
                Ok(reply) => (None, Ok(reply)),
                Err(Failed { failure, request }) => (request, Err(failure)),
            };
            let next = match unsent {
                Some(unsent) => Some(*unsent),
                None => spare.and_then(|spare| self.filled(spare, bodyless)),
            };
            // A body too large to be kept was sent; it cannot be had again.
            let Some(next) = next else { return outcome };
            // Its place for the try before is free again.
            _retrying = Permit::default();
            match self.leg.live.retry() {
                Ok(permit) => _retrying = permit,
                Err(overflow) => {
                    tracing::debug!(%overflow, "no further try");
                    told.record.response_flags.raise(Flag::UO);
                    return outcome;
                }
            }
            // The answer that is not good enough goes with its connection.
            drop(outcome);
            request = next;
            failed_at.extend(told.record.upstream_host);
            // An upstream in trouble gets a moment, and its callers do not all come back at once.
            sleep(retry::backoff(retries, told.tries - 1, fastrand::f64())).await;
        }
    }

    /// A copy of a request's head, with its body from the beginning.
    fn filled(
        &self,
        mut copy: Request<RequestBody>,
        bodyless: bool,
    ) -> Option<Request<RequestBody>> {
        if !bodyless {
            *copy.body_mut() = self.kept.as_ref()?.read()?;
        }
        Some(copy)
    }
}
