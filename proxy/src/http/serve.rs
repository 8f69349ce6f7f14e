//! One client connection, served in its version of HTTP.

mod wire;
mod refusal;
mod http1;
mod http2;

use std::rc::Rc;

use egret_config::decide::call::HttpVersion;
use http::Version;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::failure::{Cause, Failure};
use crate::http::downstream::DownstreamConnection;
use crate::http::serve::http2::BadConnection;
use crate::life::files::FdPermit;
use crate::proxy::Proxy;
use crate::report::metrics::envoy::downstream::HttpCounters;

/// Serves a connection until either side ends it, or, once the process drains, to the end of the request under way.
pub async fn serve<S>(
    stream: S,
    version: HttpVersion,
    downstream: Rc<DownstreamConnection>,
    proxy: Rc<Proxy>,
    mut permit: FdPermit,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = downstream.facts.http.as_ref();
    let _active = http.map(HttpCounters::connection);
    match version {
        HttpVersion::Http1 => http1::serve(stream, &downstream, &proxy, &mut permit).await,
        HttpVersion::Http2 => {
            // Boxed: it is far larger than what HTTP/1 needs.
            let served = Box::pin(http2::serve(stream, &downstream, &proxy, &mut permit));
            if let Err(BadConnection(reason)) = served.await {
                report_broken(reason, &downstream, &proxy);
            }
        }
    }
}

/// What is not HTTP/2 never becomes a request of ours. The log has it all the same.
fn report_broken(reason: String, downstream: &DownstreamConnection, proxy: &Proxy) {
    let mut facts = downstream.facts(proxy, None);
    facts.request.protocol = Some(Version::HTTP_2);
    facts.set_request_failure(&Failure::new(Cause::BadConnection, reason));
    facts.end();
}
