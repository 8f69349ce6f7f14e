//! A try over HTTP/2, on a connection that others use, too.

use std::sync::Arc;

use egret_config::decide::bad_request::BadRequestKind;
use http::{Request, Version};
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::client::body::RequestBody;
use crate::client::pool::{Call, ConnectTurn, Http2Connection, Unanswered, Why};
use crate::failure::{Cause, Failure};
use crate::http::attempt::replayable_head::head;
use crate::http::attempt::target::{
    AttemptError, AttemptTarget, Carrier, ConnectBy, UpstreamResponse, open, reply,
};
use crate::http::outgoing::hear;
use crate::report::metrics::envoy::under_way::PendingRequest;
use crate::tls::Alpn;
use crate::upstream::clusters::Clusters;
use crate::upstream::limits::{NextConnection, Permit};

/// Connections in a row that may end before they take one request, while the upstream serves others: one that takes few
/// requests on a connection serves them by turns.
const OVERTAKEN_MAX: u32 = 1000;

pub(super) async fn over_shared(
    mut request: Request<RequestBody>,
    mut target: AttemptTarget<'_>,
    clusters: &Clusters,
) -> Result<UpstreamResponse, AttemptError> {
    let mut overtaken = 0;
    loop {
        let answers = target.pool.answers();
        let (mut shared, mut call) = match shared(&mut target, clusters).await {
            Ok(found) => found,
            Err(failure) => {
                return Err(AttemptError {
                    failure,
                    request: Some(Box::new(request)),
                });
            }
        };
        target.facts.connection = Some(Arc::clone(&shared.facts));
        let spare = request.body().is_empty().then(|| head(&request));
        let go = request.body().held().cloned();
        let informational = target.informational;
        let began = Instant::now();
        let mut in_flight = target.begin_request(Version::HTTP_2, began);
        let wire = target.facts.wire.as_ref();
        let sending = shared.send(request, &mut call, wire, |response| {
            hear(
                response.status(),
                response.headers(),
                go.as_ref(),
                informational,
            );
        });
        let Unanswered { why, unsent } = match sending.await {
            Ok(response) => {
                target.pool.answered();
                target.key.address = shared.address.clone();
                let carrier = Carrier::Http2Connection(call, in_flight);
                return Ok(reply(response, began, carrier, target));
            }
            Err(unanswered) => unanswered,
        };
        drop(call);
        match &why {
            Why::Body(_) => {}
            Why::Http2(error) if is_reset(error) && !refused(error) => {
                in_flight.reset_by_endpoint()
            }
            Why::Http2(_) | Why::Closed => in_flight.lost(),
        }
        drop(in_flight);
        let goodbye = said_goodbye(&why);
        if goodbye {
            shared.leave();
        }
        // A connection that has served others and ended meanwhile cost the upstream nothing.
        let free = unsent.is_some() && shared.has_served();
        let unsent = unsent.or_else(|| spare.filter(|_| goodbye).map(Box::new));
        let Some(unsent) = unsent else {
            return Err(AttemptError {
                failure: failed(&why),
                request: None,
            });
        };
        overtaken += 1;
        let again = overtaken <= OVERTAKEN_MAX
            && (free || serves_others(&shared, &target, answers).await || target.repeat.take());
        if !again {
            return Err(AttemptError {
                failure: failed(&why),
                request: Some(unsent),
            });
        }
        request = *unsent;
    }
}

/// Whether the upstream took other requests while it did not take this one: on the same connection, or on another since
/// there were so many `answers`.
async fn serves_others(shared: &Http2Connection, target: &AttemptTarget<'_>, answers: u64) -> bool {
    // The others that it did not take are leaving the connection at this moment.
    yield_now().await;
    target.pool.answers() != answers || shared.is_serving()
}

/// Whether the upstream ended the connection before it took this request (RFC 9113, 6.8): the h2 crate gives that to
/// requests whose stream comes after the last one that GOAWAY names. No other gets it.
fn said_goodbye(why: &Why) -> bool {
    let Why::Http2(error) = why else { return false };
    error.is_go_away() && error.is_remote()
}

fn failed(why: &Why) -> Failure {
    let cause = match why {
        Why::Closed => Cause::ResetBefore,
        Why::Body(broken) if broken.is_malformed() => Cause::BadRequest(BadRequestKind::Syntax),
        Why::Body(_) => Cause::ClientGone,
        Why::Http2(error) if said_goodbye(why) || refused(error) => Cause::StreamRefused,
        Why::Http2(error) if is_reset(error) => Cause::StreamReset,
        Why::Http2(error) if error.is_library() => Cause::UpstreamProtocol,
        Why::Http2(_) => Cause::ResetBefore,
    };
    let message = match std::error::Error::source(why) {
        Some(source) => format!("{why}: {source}"),
        None => why.to_string(),
    };
    Failure::new(cause, message)
}

/// Whether the upstream reset the stream.
fn is_reset(error: &h2::Error) -> bool {
    error.is_reset() && error.is_remote()
}

fn refused(error: &h2::Error) -> bool {
    error.reason() == Some(h2::Reason::REFUSED_STREAM)
}

/// A place on a shared connection; one is made if there is none, by one request for all that want it.
async fn shared(
    target: &mut AttemptTarget<'_>,
    clusters: &Clusters,
) -> Result<(Http2Connection, Call), Failure> {
    loop {
        if let Some(found) = target.pool.shared(&target.key) {
            return Ok(found);
        }
        match target.pool.turn(&target.key) {
            ConnectTurn::Make(making) => {
                // Boxed: it is large and rare.
                let made = Box::pin(make_shared(target, clusters)).await;
                making.done(&made);
                return made.map(with_call);
            }
            ConnectTurn::Wait(mut others) => {
                let made = others.wait_for(Option::is_some).await;
                if let Ok(Some(Err(failure))) = made.as_deref() {
                    return Err(failure.clone());
                }
            }
        }
    }
}

fn with_call(shared: Http2Connection) -> (Http2Connection, Call) {
    let call = shared.call();
    (shared, call)
}

async fn make_shared(
    target: &mut AttemptTarget<'_>,
    clusters: &Clusters,
) -> Result<Http2Connection, Failure> {
    let permit = match target.connect {
        ConnectBy::Cluster(live) => {
            let _pending = PendingRequest::begin(target.counters);
            match live.connection(|| None::<()>).await? {
                NextConnection::Idle(()) => Permit::default(),
                NextConnection::New(permit) => permit,
            }
        }
        ConnectBy::Original(..) => Permit::default(),
    };
    let (stream, facts) = open(target, clusters, Alpn::Http2, permit).await?;
    Http2Connection::begin(stream, target.key.address.clone(), facts).await
}
