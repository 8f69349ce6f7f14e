//! One try of a request: a connection from the pool or a new one, the request sent, the head of the response.

mod framed;
mod over_http1;
mod over_http2;
pub mod replayable_head;
mod target;

use http::Request;

use crate::client::body::RequestBody;
use crate::http::attempt::over_http1::over_single;
use crate::http::attempt::over_http2::over_shared;
pub use crate::http::attempt::target::{AttemptError, AttemptTarget, ConnectBy, UpstreamResponse};
use crate::upstream::clusters::Clusters;

/// Tries once. Where the upstream closed an idle connection while the request was on its way, the request is repeated on
/// a new connection, once in all attempts together: an upstream that closes every connection gets no more requests than
/// the attempts and that one.
///
/// # Errors
/// Connecting, the TLS handshake or the exchange failed.
pub async fn attempt(
    request: Request<RequestBody>,
    target: AttemptTarget<'_>,
    clusters: &Clusters,
) -> Result<UpstreamResponse, AttemptError> {
    if target.http2 {
        over_shared(request, target, clusters).await
    } else {
        over_single(request, target, clusters).await
    }
}
