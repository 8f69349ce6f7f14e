//! One try of a request: a connection from the pool or a new one, the request sent, the head of the response.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::header;
use hyper::body::Incoming;

use crate::failure::Bad;
use crate::failure::Cause;
use crate::failure::Failure;
use crate::message::incoming::Incoming as Message;
use crate::tls::Alpn;
use crate::upstream::body::Broken;
use crate::upstream::body::RequestBody;
use crate::upstream::clusters::Clusters;
use crate::upstream::clusters::Opening;
use crate::upstream::connect::Dial;
use crate::upstream::connect::connect;
use crate::upstream::endpoints::Active;
use crate::upstream::limits::Permit;
use crate::upstream::live::LiveCluster;
use crate::upstream::pool::Call;
use crate::upstream::pool::Key;
use crate::upstream::pool::Lease;
use crate::upstream::pool::Pool;
use crate::upstream::pool::Shared;
use crate::upstream::pool::Single;
use crate::upstream::pool::Turn;
use crate::upstream::stream::Stream;

/// Connections of HTTP/2 in a row that may say goodbye to one request, while nobody else is answered either, before it
/// is told.
const HANDED_ON_MAX: u32 = 10;

/// The same where others are answered: an upstream that takes few requests on a connection serves them by turns.
const OVERTAKEN_MAX: u32 = 1000;

/// How a request gets to its endpoint.
#[derive(Debug)]
pub struct Way<'w> {
    /// Connections that may be used again.
    pub pool: &'w Rc<Pool>,
    /// The endpoint, and the TLS name.
    pub key: Key,
    /// Counts the call at the endpoint.
    pub active: Option<Active>,
    /// The cluster, for other addresses to try; none where the address is given.
    pub live: Option<&'w LiveCluster>,
    /// HTTP/2 instead of HTTP/1.
    pub http2: bool,
    /// How a new connection is made where there is no cluster to say it.
    pub dial: Dial<'w>,
    /// The name to send where TLS is originated.
    pub host: Option<&'w str>,
    /// Becomes our address on the connection that carries the request.
    pub local: &'w mut Option<SocketAddr>,
}

/// The head of a response, with what is needed to read the rest.
#[derive(Debug)]
pub struct Reply {
    /// The response.
    pub response: Response<Message>,
    /// The connection.
    pub lease: Lease,
    /// The endpoint that answered.
    pub address: SocketAddr,
    /// From the request handed over to the head received.
    pub took: Duration,
    /// A cookie for the client, by which its next requests go to the same endpoint.
    pub cookie: Option<HeaderValue>,
}

/// A try that came to nothing.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// The request, if nothing of it was sent.
    pub request: Option<Box<Request<RequestBody>>>,
}

/// Tries once. A pooled connection that turns out to have been closed meanwhile does not count as a try.
///
/// # Errors
/// Connecting, the TLS handshake or the exchange failed.
pub async fn attempt(
    request: Request<RequestBody>,
    way: Way<'_>,
    clusters: &Clusters,
) -> Result<Reply, Failed> {
    if way.http2 {
        over_shared(request, way, clusters).await
    } else {
        over_single(request, way, clusters).await
    }
}

async fn over_single(
    mut request: Request<RequestBody>,
    mut way: Way<'_>,
    clusters: &Clusters,
) -> Result<Reply, Failed> {
    let permit = loop {
        let mut single = match next(&way).await {
            Ok(Ok(single)) => single,
            Ok(Err(permit)) => break permit,
            Err(failure) => {
                return Err(Failed {
                    failure,
                    request: Some(Box::new(request)),
                });
            }
        };
        *way.local = Some(single.local);
        let spare = spare(&request);
        let began = Instant::now();
        let (error, unsent) = match single.send(request).await {
            Ok(response) => {
                one_length(&response)?;
                return Ok(reply(response, began, Carrier::Single(single), way));
            }
            Err(failed) => failed,
        };
        // The upstream closed the idle connection while the request was on its way: sent again only if it did not
        // leave us, or if asking twice does no harm.
        request = match (unsent, spare) {
            (Some(unsent), _) => *unsent,
            (None, Some(spare)) if !error.is_parse() => spare,
            (None, _) => {
                return Err(Failed {
                    failure: exchange_failed(&error),
                    request: None,
                });
            }
        };
    };
    let (stream, local) = match open(&mut way, clusters, Alpn::Http1, permit).await {
        Ok(opened) => opened,
        Err(failure) => {
            return Err(Failed {
                failure,
                request: Some(Box::new(request)),
            });
        }
    };
    let mut single = match Single::begin(stream, local).await {
        Ok(single) => single,
        Err(failure) => {
            return Err(Failed {
                failure,
                request: Some(Box::new(request)),
            });
        }
    };
    *way.local = Some(local);
    let began = Instant::now();
    match single.send(request).await {
        Ok(response) => {
            one_length(&response)?;
            Ok(reply(response, began, Carrier::Single(single), way))
        }
        Err((error, request)) => Err(Failed {
            failure: exchange_failed(&error),
            request,
        }),
    }
}

/// Insists that a response of HTTP/1 says its length once, as Envoy does; hyper takes equal ones for one.
fn one_length(response: &Response<Incoming>) -> Result<(), Failed> {
    let mut lengths = response.headers().get_all(header::CONTENT_LENGTH).iter();
    let first = lengths.next().map(HeaderValue::as_bytes);
    if lengths.next().is_none() && !first.is_some_and(|length| length.contains(&b',')) {
        return Ok(());
    }
    let words = "the response says its length twice";
    Err(Failed {
        failure: Failure::new(Cause::UpstreamProtocol, words),
        request: None,
    })
}

async fn over_shared(
    mut request: Request<RequestBody>,
    mut way: Way<'_>,
    clusters: &Clusters,
) -> Result<Reply, Failed> {
    // A connection that says goodbye hands what it did not take to the next one, which may be about to say it, too.
    let mut left = HANDED_ON_MAX;
    let mut overtaken = 0;
    let mut answers = way.pool.answers();
    loop {
        let (mut shared, call) = match shared(&mut way, clusters).await {
            Ok(found) => found,
            Err(failure) => {
                return Err(Failed {
                    failure,
                    request: Some(Box::new(request)),
                });
            }
        };
        *way.local = Some(shared.local);
        let spare = request.body().is_empty().then(|| copy(&request));
        let began = Instant::now();
        let mut error = match shared.sender.try_send_request(request).await {
            Ok(response) => {
                way.pool.answered();
                way.key.address = shared.address;
                let carrier = Carrier::Shared(call);
                return Ok(reply(response, began, carrier, way));
            }
            Err(error) => error,
        };
        let unsent = error.take_message();
        let goodbye = said_goodbye(error.error());
        if goodbye {
            shared.leave();
        }
        let unsent = unsent.or_else(|| spare.filter(|_| goodbye));
        match unsent {
            Some(unsent) if left > 0 && overtaken < OVERTAKEN_MAX => {
                if way.pool.answers() == answers {
                    left -= 1;
                } else {
                    left = HANDED_ON_MAX;
                }
                answers = way.pool.answers();
                overtaken += 1;
                request = unsent;
            }
            unsent => {
                return Err(Failed {
                    failure: exchange_failed(error.error()),
                    request: unsent.map(Box::new),
                });
            }
        }
    }
}

/// Whether the upstream ended the connection before it took this request (RFC 9113, 6.8): the h2 crate gives that to
/// requests whose stream comes after the last one that GOAWAY names. No other gets it.
fn said_goodbye(error: &hyper::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<h2::Error>())
        .is_some_and(|error| error.is_go_away() && error.is_remote())
}

/// A place on a shared connection; one is made if there is none, by one request for all that want it.
async fn shared(way: &mut Way<'_>, clusters: &Clusters) -> Result<(Shared, Call), Failure> {
    loop {
        if let Some(found) = way.pool.shared(&way.key) {
            return Ok(found);
        }
        match way.pool.turn(&way.key) {
            Turn::Make(making) => {
                let made = make_shared(way, clusters).await;
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

/// Makes a new connection; the key then names the address that answered.
async fn open(
    way: &mut Way<'_>,
    clusters: &Clusters,
    alpn: Alpn,
    permit: Permit,
) -> Result<(Stream, SocketAddr), Failure> {
    let Some(live) = way.live else {
        let connected = connect(&[way.key.address], way.dial).await?;
        return Ok((Stream::plain(connected.stream, permit), connected.local));
    };
    let opening = Opening {
        live,
        address: way.key.address,
        host: way.host,
        alpn,
        ends: way.key.ends.as_deref().copied(),
        permit,
    };
    let opened = clusters.open(opening).await?;
    way.key.address = opened.address;
    Ok((opened.stream, opened.local))
}

/// An idle connection, or the right to make one; waits where the cluster has as many as it may.
async fn next(way: &Way<'_>) -> Result<Result<Single, Permit>, Failure> {
    if let Some(single) = way.pool.take(&way.key) {
        return Ok(Ok(single));
    }
    match way.live {
        Some(live) => live.connection(|| way.pool.take(&way.key)).await,
        None => Ok(Err(Permit::default())),
    }
}

/// What a response came on.
enum Carrier {
    Single(Single),
    Shared(Call),
}

fn reply(response: Response<Incoming>, began: Instant, carrier: Carrier, way: Way<'_>) -> Reply {
    let address = way.key.address;
    let (single, call) = match carrier {
        Carrier::Single(single) => (Some(single), None),
        Carrier::Shared(call) => (None, Some(call)),
    };
    let lease = Lease {
        single,
        call,
        pool: Rc::clone(way.pool),
        key: way.key,
        active: way.active,
    };
    Reply {
        response: response.map(Message::One),
        lease,
        address,
        took: began.elapsed(),
        cookie: None,
    }
}

/// A second copy of a request that may be sent twice unasked: one without a body that changes nothing (RFC 9110, 9.2.1).
fn spare(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    );
    (safe && request.body().is_empty()).then(|| copy(request))
}

/// A copy of a request without its body. The spelling of its header names goes along.
pub fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    copy.extensions_mut().clone_from(request.extensions());
    copy
}

fn exchange_failed(error: &hyper::Error) -> Failure {
    let source = std::error::Error::source(error);
    let stream = source.and_then(|source| source.downcast_ref::<h2::Error>());
    let refused = said_goodbye(error)
        || stream.is_some_and(|stream| stream.reason() == Some(h2::Reason::REFUSED_STREAM));
    let cause = if error.is_user() {
        // The body that we were passing on broke off.
        match source.and_then(|source| source.downcast_ref::<Broken>()) {
            Some(broken) if broken.is_malformed() => Cause::BadRequest(Bad::Syntax),
            _ => Cause::ClientGone,
        }
    } else if refused {
        Cause::StreamRefused
    } else if stream.is_some_and(|stream| stream.is_reset() && stream.is_remote()) {
        Cause::StreamReset
    } else if error.is_parse() || error.is_parse_too_large() {
        Cause::UpstreamProtocol
    } else {
        Cause::ResetBefore
    };
    let words = match source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Failure::new(cause, words)
}
