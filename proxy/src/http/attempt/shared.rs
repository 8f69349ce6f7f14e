//! A try over HTTP/2, on a connection that others use, too.

use std::time::Instant;

use http::Request;

use crate::failure::Bad;
use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::attempt::Carrier;
use crate::http::attempt::Failed;
use crate::http::attempt::Reply;
use crate::http::attempt::Way;
use crate::http::attempt::open;
use crate::http::attempt::reply;
use crate::http::attempt::spare::head;
use crate::http::outgoing::hear;
use crate::tls::Alpn;
use crate::upstream::body::RequestBody;
use crate::upstream::clusters::Clusters;
use crate::upstream::limits::Permit;
use crate::upstream::pool::Call;
use crate::upstream::pool::Shared;
use crate::upstream::pool::Turn;
use crate::upstream::pool::Why;

/// Connections in a row that may say goodbye to one request, while nobody else is answered either, before it is told.
const HANDED_ON_MAX: u32 = 10;

/// The same where others are answered: an upstream that takes few requests on a connection serves them by turns.
const OVERTAKEN_MAX: u32 = 1000;

pub(super) async fn over_shared(
    mut request: Request<RequestBody>,
    mut way: Way<'_>,
    clusters: &Clusters,
) -> Result<Reply, Failed> {
    // A connection that says goodbye hands what it did not take to the next one, which may be about to say it, too.
    let mut left = HANDED_ON_MAX;
    let mut overtaken = 0;
    let mut answers = way.pool.answers();
    loop {
        let (mut shared, mut call) = match shared(&mut way, clusters).await {
            Ok(found) => found,
            Err(failure) => {
                return Err(Failed {
                    failure,
                    request: Some(Box::new(request)),
                });
            }
        };
        *way.local = Some(shared.local);
        let spare = request.body().is_empty().then(|| head(&request));
        let go = request.body().held().cloned();
        let early = way.early;
        let began = Instant::now();
        let sending = shared.send(request, &mut call, |interim| {
            hear(interim.status(), interim.headers(), go.as_ref(), early);
        });
        let unanswered = match sending.await {
            Ok(response) => {
                way.pool.answered();
                way.key.address = shared.address;
                let carrier = Carrier::Shared(call);
                return Ok(reply(response, began, carrier, way));
            }
            Err(unanswered) => unanswered,
        };
        let goodbye = said_goodbye(&unanswered.why);
        if goodbye {
            shared.leave();
        }
        let unsent = unanswered
            .unsent
            .or_else(|| spare.filter(|_| goodbye).map(Box::new));
        match unsent {
            Some(unsent) if left > 0 && overtaken < OVERTAKEN_MAX => {
                if way.pool.answers() == answers {
                    left -= 1;
                } else {
                    left = HANDED_ON_MAX;
                }
                answers = way.pool.answers();
                overtaken += 1;
                request = *unsent;
            }
            unsent => {
                return Err(Failed {
                    failure: failed(&unanswered.why),
                    request: unsent,
                });
            }
        }
    }
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
        Why::Body(broken) if broken.is_malformed() => Cause::BadRequest(Bad::Syntax),
        Why::Body(_) => Cause::ClientGone,
        Why::Http2(error) if said_goodbye(why) || refused(error) => Cause::StreamRefused,
        Why::Http2(error) if error.is_reset() && error.is_remote() => Cause::StreamReset,
        Why::Http2(error) if error.is_library() => Cause::UpstreamProtocol,
        Why::Http2(_) => Cause::ResetBefore,
    };
    let words = match std::error::Error::source(why) {
        Some(source) => format!("{why}: {source}"),
        None => why.to_string(),
    };
    Failure::new(cause, words)
}

fn refused(error: &h2::Error) -> bool {
    error.reason() == Some(h2::Reason::REFUSED_STREAM)
}

/// A place on a shared connection; one is made if there is none, by one request for all that want it.
async fn shared(way: &mut Way<'_>, clusters: &Clusters) -> Result<(Shared, Call), Failure> {
    loop {
        if let Some(found) = way.pool.shared(&way.key) {
            return Ok(found);
        }
        match way.pool.turn(&way.key) {
            Turn::Make(making) => {
                // Boxed: it is large and rare.
                let made = Box::pin(make_shared(way, clusters)).await;
                making.done(&made);
                return made.map(with_call);
            }
            Turn::Wait(mut others) => {
                let made = others.wait_for(Option::is_some).await;
                if let Ok(Some(Err(failure))) = made.as_deref() {
                    return Err(failure.clone());
                }
            }
        }
    }
}

fn with_call(shared: Shared) -> (Shared, Call) {
    let call = shared.call();
    (shared, call)
}

async fn make_shared(way: &mut Way<'_>, clusters: &Clusters) -> Result<Shared, Failure> {
    let permit = match way.live {
        Some(live) => match live.connection(|| None::<()>).await? {
            Ok(()) => Permit::default(),
            Err(permit) => permit,
        },
        None => Permit::default(),
    };
    let (stream, local) = open(way, clusters, Alpn::Http2, permit).await?;
    Shared::begin(stream, way.key.address, local).await
}
