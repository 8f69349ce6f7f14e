//! One try of a request: a connection from the pool or a new one, the request sent, the head of the response.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use egret_config::model::tls::ClientTls;
use http::Method;
use http::Request;
use http::Response;
use hyper::body::Incoming;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::tls::Alpn;
use crate::upstream::body::RequestBody;
use crate::upstream::clusters::Clusters;
use crate::upstream::clusters::LiveCluster;
use crate::upstream::connect::Dial;
use crate::upstream::connect::Stream;
use crate::upstream::connect::connect;
use crate::upstream::endpoints::Active;
use crate::upstream::pool::Key;
use crate::upstream::pool::Lease;
use crate::upstream::pool::Pool;
use crate::upstream::pool::Shared;
use crate::upstream::pool::Single;

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
    /// How a new connection is made.
    pub dial: Dial<'w>,
    /// TLS to be originated, and the name to send.
    pub tls: Option<(&'w ClientTls, Option<&'w str>)>,
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
    /// Our address towards it.
    pub local: SocketAddr,
    /// From the request handed over to the head received.
    pub took: Duration,
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
    while let Some(mut single) = way.pool.take(&way.key) {
        let spare = spare(&request);
        let began = Instant::now();
        let (error, unsent) = match single.send(request).await {
            Ok(response) => return Ok(reply(response, began, single.local, Some(single), way)),
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
    }
    let (stream, local) = match open(&mut way, clusters, Alpn::Http1).await {
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
    let began = Instant::now();
    match single.send(request).await {
        Ok(response) => Ok(reply(response, began, local, Some(single), way)),
        Err((error, request)) => Err(Failed {
            failure: exchange_failed(&error),
            request,
        }),
    }
}

async fn over_shared(
    request: Request<RequestBody>,
    mut way: Way<'_>,
    clusters: &Clusters,
) -> Result<Reply, Failed> {
    let mut shared = match way.pool.shared(&way.key) {
        Some(shared) => shared,
        None => match begin_shared(&mut way, clusters).await {
            Ok(shared) => shared,
            Err(failure) => {
                return Err(Failed {
                    failure,
                    request: Some(Box::new(request)),
                });
            }
        },
    };
    let began = Instant::now();
    let mut error = match shared.sender.try_send_request(request).await {
        Ok(response) => return Ok(reply(response, began, shared.local, None, way)),
        Err(error) => error,
    };
    let Some(unsent) = error.take_message() else {
        return Err(Failed {
            failure: exchange_failed(error.error()),
            request: None,
        });
    };
    // The connection said goodbye before it took the request: a new one takes it.
    let mut shared = match begin_shared(&mut way, clusters).await {
        Ok(shared) => shared,
        Err(failure) => {
            return Err(Failed {
                failure,
                request: Some(Box::new(unsent)),
            });
        }
    };
    match shared.sender.try_send_request(unsent).await {
        Ok(response) => Ok(reply(response, began, shared.local, None, way)),
        Err(mut error) => {
            let request = error.take_message().map(Box::new);
            Err(Failed {
                failure: exchange_failed(error.error()),
                request,
            })
        }
    }
}

async fn begin_shared(way: &mut Way<'_>, clusters: &Clusters) -> Result<Shared, Failure> {
    let (stream, local) = open(way, clusters, Alpn::Http2).await?;
    let shared = Shared::begin(stream, local).await?;
    way.pool.share(way.key.clone(), shared.clone());
    Ok(shared)
}

/// Makes a new connection; the key then names the address that answered.
async fn open(
    way: &mut Way<'_>,
    clusters: &Clusters,
    alpn: Alpn,
) -> Result<(Stream, SocketAddr), Failure> {
    let connected = match way.live {
        Some(live) => connect(&live.alternates(way.key.address), way.dial).await?,
        None => connect(&[way.key.address], way.dial).await?,
    };
    way.key.address = connected.address;
    let local = connected.local;
    let stream = match (way.live, way.tls) {
        (Some(live), Some((tls, host))) => {
            let cluster = live.cluster();
            clusters
                .secure(connected.stream, &cluster, tls, host, alpn)
                .await?
        }
        (None, _) | (_, None) => Stream::Plain(connected.stream),
    };
    Ok((stream, local))
}

fn reply(
    response: Response<Incoming>,
    began: Instant,
    local: SocketAddr,
    single: Option<Single>,
    way: Way<'_>,
) -> Reply {
    let address = way.key.address;
    let lease = Lease {
        single,
        pool: Rc::clone(way.pool),
        key: way.key,
        active: way.active,
    };
    Reply {
        response,
        lease,
        address,
        local,
        took: began.elapsed(),
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

/// A copy of a request without a body. The spelling of its header names goes along.
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
    let cause = if error.is_user() {
        // The body that we were passing on broke off.
        Cause::ClientGone
    } else if error.is_parse() || error.is_parse_too_large() {
        Cause::UpstreamProtocol
    } else {
        Cause::ResetBefore
    };
    let mut words = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        words = format!("{words}: {source}");
    }
    Failure::new(cause, words)
}
