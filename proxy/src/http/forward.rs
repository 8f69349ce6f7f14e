//! Sends a request to its destination, again if the route's retry policy allows it.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use egret_config::address::EndpointAddress;
use egret_config::decide::flag::Flag;
use egret_config::decide::normalize::forwarded;
use egret_config::decide::verdict::Forward;
use egret_config::model::mesh::ProxyHeaders;
use egret_config::model::route::Retries;
use http::uri::Scheme;
use http::{Request, Version};
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, sleep};

use crate::client::body::RequestBody;
use crate::client::body::replay::Replay;
use crate::client::pool::Key;
use crate::dial::connect::Dial;
use crate::dice;
use crate::failure::{Cause, Failure};
use crate::http::attempt::replayable_head::copy;
use crate::http::attempt::{AttemptError, AttemptTarget, ConnectBy, UpstreamResponse, attempt};
use crate::http::downstream::ExchangeContext;
use crate::http::outgoing::Outgoing;
use crate::http::upstream_request::UpstreamRequest;
use crate::http::{deadline, headers, mirror, retry, trace, upstream_request};
use crate::report::facts::Part;
use crate::report::metrics::envoy::cluster::Count;
use crate::upstream::clusters::AttemptHistory;
use crate::upstream::limits::Permit;

/// An upstream's answer, with what remains to be done to it.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub reply: UpstreamResponse,
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
    mut outgoing: Outgoing,
    context: &mut ExchangeContext<'_>,
) -> Result<Answered, Failure> {
    let (clusters, mesh) = (&context.proxy.clusters, &context.snapshot.mesh);
    let original_dst = context.downstream.arrival.original_dst;
    let address = EndpointAddress::Ip(original_dst.0);
    context.facts.decision.cluster = Some(clusters.passthrough_name());
    context.tries = 1;
    let http2 = outgoing.parts.version == Version::HTTP_2;
    let informational = outgoing.informational.clone();
    trace::propagate(&mut outgoing.parts.headers, context);
    let (mut request, upgrade) = upstream_request::build(outgoing, http2, Scheme::HTTP)?;
    if context.proxy_headers().attempt_count {
        headers::count_attempt(request.headers_mut(), 1);
    }
    trace::begin_try(request.headers_mut(), context);
    context.facts.keep_headers(Part::Request, request.headers());
    let repeat = Cell::new(true);
    let dial = Dial {
        from: None,
        limit: mesh.connect_timeout,
        keepalive: mesh.keepalive.as_ref(),
        own: clusters.own(),
    };
    let counters = clusters.passthrough_counters();
    context.facts.upstream = Some(Arc::clone(&counters));
    let way = AttemptTarget {
        pool: clusters.passthrough(),
        key: Key {
            address: address.clone(),
            name: None,
            ends: None,
        },
        others: Vec::new(),
        active: None,
        connect: ConnectBy::Original(original_dst, dial),
        http2,
        host: None,
        informational: informational.as_ref(),
        facts: context.facts.attempts.begin(address),
        counters: &counters,
        repeat: &repeat,
    };
    let outcome = attempt(request, way, clusters).await;
    trace::end_try(&outcome, true, context);
    let reply = outcome.map_err(|failed| failed.failure)?;
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
    context: &mut ExchangeContext<'_>,
) -> Result<Answered, Failure> {
    context.facts.decision.cluster = Some(Arc::clone(&forward.cluster.name));
    context.facts.decision.service = Some(forward.cluster.service.clone());
    if rewrite(&mut outgoing, forward, context.proxy_headers())? {
        let (headers, path) = (&outgoing.parts.headers, &outgoing.path);
        context
            .facts
            .set_rewritten(headers, path, &outgoing.authority);
    }
    trace::propagate(&mut outgoing.parts.headers, context);
    let limit = deadline::limit(forward.timeout, context.grpc, &mut outgoing.parts.headers);
    let (arrival, mode) = (context.downstream.arrival, context.snapshot.workload.mode);
    let proxy = context.proxy;
    let mirrors: Vec<_> = mirror::struck(forward.mirrors, &mut dice::roll)
        .into_iter()
        .map(|cluster| mirror::Copy {
            cluster,
            outgoing: outgoing.copy(),
            arrival,
            mode,
            limit,
        })
        .collect();
    let upstream_request = UpstreamRequest::new(forward.cluster, &outgoing, arrival, mode, proxy);
    context.facts.upstream = Some(Arc::clone(&upstream_request.live.counters));
    let (mut request, upgrade) = upstream_request.build(outgoing)?;
    let retries = forward.retries.filter(|retries| retries.attempts > 0);
    let copies = retries
        .is_some_and(|retries| retry::needs_copies(retries, context.grpc, upstream_request.http2));
    let kept = if copies || !mirrors.is_empty() {
        Replay::keep(request.body_mut(), &proxy.kept_bytes)
    } else {
        None
    };
    for mirror in mirrors {
        mirror.send(kept.as_ref().map(Replay::tee), proxy);
    }
    let tries = Tries {
        upstream_request: &upstream_request,
        retries,
        limit,
        copies,
        kept,
    };
    let received = context.received.clone();
    let (reply, deadline) = {
        // Pinned where it is: moved into either arm, it would take its room once more in each.
        let running = pin!(tries.run(request, context));
        match limit {
            None => (running.await?, None),
            Some(limit) => {
                let Some((reply, deadline)) = deadline::within(limit, &received, running).await
                else {
                    upstream_request.timed_out();
                    upstream_request.live.counters.count(Count::Timeouts);
                    return Err(Failure::new(Cause::Timeout, "the route's timeout passed"));
                };
                (reply?, Some(deadline))
            }
        }
    };
    Ok(Answered {
        reply,
        deadline,
        upgrade,
    })
}

/// Applies the route's changes to a request. Returns whether there are any.
fn rewrite(
    outgoing: &mut Outgoing,
    forward: &Forward<'_>,
    own: &ProxyHeaders,
) -> Result<bool, Failure> {
    let mut authority = forward.authority;
    for changes in forward.headers.iter().flatten() {
        authority = headers::change(&mut outgoing.parts.headers, &changes.request).or(authority);
    }
    if let Some(path) = &forward.path {
        outgoing.rewrite_path(path.clone(), own.debug)?;
    }
    if let Some(authority) = authority {
        if own.forwarded_host {
            forwarded::append_host(&mut outgoing.parts.headers, &outgoing.authority);
        }
        outgoing.rewrite_authority(authority, own.debug);
    }
    let changed = forward.headers.iter().any(Option::is_some);
    Ok(changed || forward.path.is_some() || authority.is_some())
}

/// What all tries of one request have in common.
struct Tries<'t> {
    upstream_request: &'t UpstreamRequest<'t>,
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
        context: &mut ExchangeContext<'_>,
    ) -> Result<UpstreamResponse, Failure> {
        let mut failed_at = Vec::new();
        // Its place among the retries that the cluster allows at once.
        let mut _retrying = Permit::default();
        let limit = self.retries.and_then(|retries| retries.try_timeout);
        let bodyless = request.body().is_empty();
        let began = self.limit.map(|_| Instant::now());
        let elapsed = || began.map_or(Duration::ZERO, |began| began.elapsed());
        loop {
            context.tries += 1;
            if context.proxy_headers().attempt_count {
                headers::count_attempt(request.headers_mut(), context.tries);
            }
            if let Some(limit) = deadline::of_try(self.limit, limit, elapsed) {
                if context.proxy_headers().debug {
                    headers::expect_timeout(request.headers_mut(), limit);
                }
                if context.grpc {
                    deadline::set_grpc_timeout(request.headers_mut(), limit);
                }
            }
            trace::begin_try(request.headers_mut(), context);
            context.facts.keep_headers(Part::Request, request.headers());
            let attempts = &mut context.facts.attempts;
            let Some(retries) = self.retries else {
                let first = AttemptHistory::default();
                let outcome = self
                    .upstream_request
                    .once(request, first, limit, attempts)
                    .await;
                trace::end_try(&outcome, true, context);
                return outcome.map_err(|failed| failed.failure);
            };
            let last = context.tries > retries.attempts;
            let spare = (self.copies && !last).then(|| copy(&request));
            let before = AttemptHistory {
                at: &failed_at,
                avoid: retries.fresh_hosts,
                other_priorities: retries.other_priorities,
            };
            let outcome = self
                .upstream_request
                .once(request, before, limit, attempts)
                .await;
            let again = match &outcome {
                Ok(reply) => {
                    let response = &reply.response;
                    retry::after_response(retries, response.status(), response.headers())
                }
                Err(failed) => {
                    retry::after_failure(retries, &failed.failure, failed.request.is_some())
                }
            };
            trace::end_try(&outcome, !again || last, context);
            let counters = &self.upstream_request.live.counters;
            if !again {
                if context.tries > 1 && outcome.is_ok() {
                    counters.count(Count::RetrySuccesses);
                }
                return outcome.map_err(|failed| failed.failure);
            }
            if last {
                context.facts.flags.raise(Flag::URX);
                return outcome.map_err(|failed| failed.failure);
            }
            let (unsent, outcome) = match outcome {
                Ok(reply) => (None, Ok(reply)),
                Err(AttemptError { failure, request }) => (request, Err(failure)),
            };
            let next = match unsent {
                Some(unsent) => Some(*unsent),
                None => spare.and_then(|spare| self.filled(spare, bodyless)),
            };
            // A body too large to be kept was sent; it cannot be had again.
            let Some(next) = next else { return outcome };
            // Its place for the try before is free again.
            _retrying = Permit::default();
            match self.upstream_request.live.retry() {
                Ok(permit) => {
                    counters.count(Count::Retries);
                    _retrying = permit;
                }
                Err(overflow) => {
                    tracing::debug!(%overflow, "no further try");
                    context.facts.flags.raise(Flag::UO);
                    return outcome;
                }
            }
            // The answer that is not good enough goes with its connection.
            drop(outcome);
            request = next;
            failed_at.extend(self.upstream_request.tried_at());
            // An upstream in trouble gets a moment, and its callers do not all come back at once.
            sleep(retry::backoff(retries, context.tries - 1, dice::fraction())).await;
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
