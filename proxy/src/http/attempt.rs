//! One try of a request: a connection from the pool or a new one, the request sent, the head of the response.

mod framed;
mod shared;
pub mod spare;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use http::HeaderValue;
use http::Request;
use http::Response;

use crate::failure::Bad;
use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::attempt::framed::framed_once;
use crate::http::attempt::shared::over_shared;
use crate::http::attempt::spare::Spare;
use crate::http::early::Early;
use crate::message::incoming::Incoming;
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
use crate::upstream::pool::Single;
use crate::upstream::stream::Stream;

/// How a request gets to its endpoint.
#[derive(Debug)]
pub struct Way<'w> {
    /// Connections that may be used again.
    pub pool: &'w Rc<Pool>,
    /// The endpoint, and the TLS name.
    pub key: Key,
    /// Where the name of the call is, too, where that says whom it is for.
    pub others: Vec<SocketAddr>,
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
    /// Hears of the interim responses of HTTP/2.
    pub early: Option<&'w Early>,
    /// Becomes our address on the connection that carries the request.
    pub local: &'w mut Option<SocketAddr>,
}

/// The head of a response, with what is needed to read the rest.
#[derive(Debug)]
pub struct Reply {
    /// The response.
    pub response: Response<Incoming>,
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
        let spare = Spare::of(&request, &single);
        let began = Instant::now();
        let (error, unsent) = match single.send(request).await {
            Ok(response) => {
                insist_framed(&response)?;
                return Ok(reply(response, began, Carrier::Single(single), way));
            }
            Err(failed) => failed,
        };
        // The upstream closed the idle connection while the request was on its way: sent again only if it did not
        // leave us, or if asking twice does no harm.
        request = match (unsent, spare) {
            (Some(unsent), _) => *unsent,
            (None, Some(spare)) if !error.is_parse() => spare.request(way.early),
            (None, _) => {
                return Err(Failed {
                    failure: exchange_failed(&error),
                    request: None,
                });
            }
        };
    };
    // Boxed: it is large and rare.
    let (stream, local) = match Box::pin(open(&mut way, clusters, Alpn::Http1, permit)).await {
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
            insist_framed(&response)?;
            Ok(reply(response, began, Carrier::Single(single), way))
        }
        Err((error, request)) => Err(Failed {
            failure: exchange_failed(&error),
            request,
        }),
    }
}

/// Insists that a response of HTTP/1 says once where it ends.
fn insist_framed(response: &Response<Incoming>) -> Result<(), Failed> {
    framed_once(response.status(), response.headers()).map_err(|words| Failed {
        failure: Failure::new(Cause::UpstreamProtocol, words),
        request: None,
    })
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
        others: &way.others,
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
        response,
        lease,
        address,
        took: began.elapsed(),
        cookie: None,
    }
}

fn exchange_failed(error: &hyper::Error) -> Failure {
    let source = std::error::Error::source(error);
    let cause = if error.is_user() {
        // The body that we were passing on broke off.
        match source.and_then(|source| source.downcast_ref::<Broken>()) {
            Some(broken) if broken.is_malformed() => Cause::BadRequest(Bad::Syntax),
            _ => Cause::ClientGone,
        }
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
