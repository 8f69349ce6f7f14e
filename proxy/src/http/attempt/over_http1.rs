//! A try over HTTP/1, on a connection of its own.

use std::sync::Arc;

use egret_config::decide::bad_request::BadRequestKind;
use http::{Request, Response, Version};

use crate::client::body::{Broken, RequestBody};
use crate::client::pool::Http1Connection;
use crate::codec::incoming::Incoming;
use crate::failure::{Cause, Failure};
use crate::http::attempt::framed::framed_once;
use crate::http::attempt::replayable_head::ReplayableHead;
use crate::http::attempt::target::{
    AttemptError, AttemptTarget, Carrier, ConnectBy, UpstreamResponse, open, reply,
};
use crate::report::metrics::envoy::under_way::PendingRequest;
use crate::tls::Alpn;
use crate::upstream::clusters::Clusters;
use crate::upstream::limits::{NextConnection, Permit};

pub(super) async fn over_single(
    mut request: Request<RequestBody>,
    mut target: AttemptTarget<'_>,
    clusters: &Clusters,
) -> Result<UpstreamResponse, AttemptError> {
    let mut repeated = false;
    let permit = loop {
        // The other idle connections may be as dead as the one that failed.
        let mut single = match next(&target, repeated).await {
            Ok(NextConnection::Idle(single)) => single,
            Ok(NextConnection::New(permit)) => break permit,
            Err(failure) => {
                return Err(AttemptError {
                    failure,
                    request: Some(Box::new(request)),
                });
            }
        };
        target.facts.connection = Some(Arc::clone(&single.facts));
        let spare = target
            .repeat
            .get()
            .then(|| ReplayableHead::of(&request, &single));
        let began = single.in_use_since;
        let in_flight = target.begin_request(Version::HTTP_11, began);
        let (error, unsent) = match single.send(request, target.facts.wire.as_ref()).await {
            Ok(response) => {
                insist_framed(&response)?;
                return Ok(reply(
                    response,
                    began,
                    Carrier::Http1Connection(single, in_flight),
                    target,
                ));
            }
            Err(failed) => failed,
        };
        drop(in_flight);
        // The upstream closed the idle connection while the request was on its way: sent again only if it did not
        // leave us, which costs the upstream nothing, or once, if asking twice does no harm.
        request = match (unsent, spare.flatten()) {
            (Some(unsent), _) => *unsent,
            (None, Some(spare)) if !error.is_parse() => {
                target.repeat.set(false);
                repeated = true;
                spare.request(target.informational)
            }
            (None, _) => {
                return Err(AttemptError {
                    failure: exchange_failed(&error),
                    request: None,
                });
            }
        };
    };
    // Boxed: it is large and rare.
    let (stream, facts) = match Box::pin(open(&mut target, clusters, Alpn::Http1, permit)).await {
        Ok(opened) => opened,
        Err(failure) => {
            return Err(AttemptError {
                failure,
                request: Some(Box::new(request)),
            });
        }
    };
    let mut single = match Http1Connection::begin(stream, Arc::clone(&facts)).await {
        Ok(single) => single,
        Err(failure) => {
            return Err(AttemptError {
                failure,
                request: Some(Box::new(request)),
            });
        }
    };
    target.facts.connection = Some(facts);
    let began = single.in_use_since;
    let in_flight = target.begin_request(Version::HTTP_11, began);
    match single.send(request, target.facts.wire.as_ref()).await {
        Ok(response) => {
            insist_framed(&response)?;
            Ok(reply(
                response,
                began,
                Carrier::Http1Connection(single, in_flight),
                target,
            ))
        }
        Err((error, request)) => Err(AttemptError {
            failure: exchange_failed(&error),
            request,
        }),
    }
}

/// Insists that a response of HTTP/1 says once where it ends.
fn insist_framed(response: &Response<Incoming>) -> Result<(), AttemptError> {
    framed_once(response.status(), response.headers()).map_err(|message| AttemptError {
        failure: Failure::new(Cause::UpstreamProtocol, message),
        request: None,
    })
}

/// An idle connection, unless it has to be a new one, or the right to make one; waits where the cluster has as many as it
/// may.
async fn next(
    target: &AttemptTarget<'_>,
    new: bool,
) -> Result<NextConnection<Http1Connection>, Failure> {
    let idle = || (!new).then(|| target.pool.take(&target.key)).flatten();
    if let Some(single) = idle() {
        return Ok(NextConnection::Idle(single));
    }
    match target.connect {
        ConnectBy::Cluster(live) => {
            let _pending = PendingRequest::begin(target.counters);
            live.connection(idle).await
        }
        ConnectBy::Original(..) => Ok(NextConnection::New(Permit::default())),
    }
}

fn exchange_failed(error: &hyper::Error) -> Failure {
    let source = std::error::Error::source(error);
    let cause = if error.is_user() {
        // The body that we were passing on broke off.
        match source.and_then(|source| source.downcast_ref::<Broken>()) {
            Some(broken) if broken.is_malformed() => Cause::BadRequest(BadRequestKind::Syntax),
            _ => Cause::ClientGone,
        }
    } else if error.is_parse() || error.is_parse_too_large() {
        Cause::UpstreamProtocol
    } else {
        Cause::ResetBefore
    };
    let message = match source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Failure::new(cause, message)
}
