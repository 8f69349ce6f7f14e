//! One client connection, served in its version of HTTP.

mod date;
mod wire;
mod http1;
mod http2;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use egret_config::decide::call::HttpVersion;
use http::{Request, Response, Version};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use crate::client::body::Received;
use crate::failure::{Cause, Failure};
use crate::http::body::{ResponseBody, Source};
use crate::http::downstream::DownstreamConnection;
use crate::http::{answer, headers};
use crate::life::files::FdPermit;
use crate::proxy::Proxy;
use crate::report::reporter::RequestWire;

/// How long a client may say nothing between requests: Envoy's idle timeout of connections.
const IDLE_MAX: Duration = Duration::from_secs(60 * 60);

/// Serves a connection until either side ends it, or, once the process drains, to the end of the request under way.
pub async fn serve<S>(
    stream: S,
    version: HttpVersion,
    downstream: Rc<DownstreamConnection>,
    proxy: Rc<Proxy>,
    mut held: FdPermit,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match version {
        HttpVersion::Http1 => http1::serve(stream, &downstream, &proxy, &mut held).await,
        HttpVersion::Http2 => {
            // Boxed: it is far larger than what HTTP/1 needs.
            if let Err(error) = Box::pin(http2::serve(stream, &downstream, &proxy, &mut held)).await
            {
                debug!(%error, "client connection ended");
                if error.is_library() {
                    report_broken(&error, &downstream, &proxy);
                }
            }
        }
    }
}

/// What is not HTTP/2 never becomes a request of ours. The log has it all the same.
fn report_broken(error: &h2::Error, downstream: &DownstreamConnection, proxy: &Proxy) {
    let mut facts = downstream.facts(proxy);
    facts.request.protocol = Some(Version::HTTP_2);
    facts.set_request_failure(&Failure::new(Cause::BadConnection, error.to_string()));
    facts.end();
}

/// Why a request is refused that there is no descriptor for.
fn overloaded() -> Failure {
    Failure::new(Cause::Overloaded, "no descriptor is left for this request")
}

/// A malformed request of HTTP/2 gets no answer. The log has it all the same.
fn report_malformed<B>(
    request: &Request<B>,
    words: &'static str,
    downstream: &DownstreamConnection,
    proxy: &Proxy,
    wire: RequestWire,
) {
    debug!(words, "malformed request");
    let mut facts = downstream.facts(proxy);
    facts.watch_wire(wire);
    facts.set_request(request);
    facts.set_request_failure(&Failure::new(Cause::BadConnection, words));
    facts.end();
}

/// The answer to a request that is not even looked at.
fn refuse<B>(
    request: &Request<B>,
    failure: &Failure,
    downstream: &DownstreamConnection,
    proxy: &Proxy,
    wire: RequestWire,
) -> Response<ResponseBody> {
    debug!(%failure, "request refused");
    let mut facts = downstream.facts(proxy);
    facts.watch_wire(wire);
    facts.set_request(request);
    facts.set_request_failure(failure);
    let grpc = answer::is_grpc(request.headers());
    refusal(failure, grpc, proxy)
        .map(|bytes| ResponseBody::new(Source::Ours(bytes), facts, Received::default()))
}

fn refusal(failure: &Failure, grpc: bool, proxy: &Proxy) -> Response<Bytes> {
    let mut response = answer::failed(failure, grpc, false);
    let own = &proxy.current.load().mesh.proxy_headers;
    headers::sign_response(response.headers_mut(), own);
    response
}
