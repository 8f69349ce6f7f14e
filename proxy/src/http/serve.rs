//! One client connection, served in its version of HTTP.

mod date;
mod one;
mod two;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use egret_config::decide::call::HttpVersion;
use http::Request;
use http::Response;
use http::Version;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tracing::debug;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::answer;
use crate::http::body::ResponseBody;
use crate::http::body::Source;
use crate::http::caller::Caller;
use crate::http::headers;
use crate::life::files::Held;
use crate::proxy::Proxy;
use crate::upstream::body::Received;

/// How long a client may say nothing between requests: Envoy's idle timeout of connections.
const IDLE_MAX: Duration = Duration::from_secs(60 * 60);

/// Serves a connection until either side ends it, or, once the process drains, to the end of the request under way.
pub async fn serve<S>(
    stream: S,
    version: HttpVersion,
    caller: Rc<Caller>,
    proxy: Rc<Proxy>,
    mut held: Held,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match version {
        HttpVersion::One => one::serve(stream, &caller, &proxy, &mut held).await,
        HttpVersion::Two => {
            // Boxed: it is far larger than what HTTP/1 needs.
            if let Err(error) = Box::pin(two::serve(stream, &caller, &proxy)).await {
                debug!(%error, "client connection ended");
                if error.is_library() {
                    report_broken(&error, &caller, &proxy);
                }
            }
        }
    }
}

/// What is not HTTP/2 never becomes a request of ours. The log has it all the same.
fn report_broken(error: &h2::Error, caller: &Caller, proxy: &Proxy) {
    let mut record = caller.record(proxy);
    record.protocol = Some(Version::HTTP_2);
    record.request_failed(&Failure::new(Cause::BadConnection, error.to_string()));
    record.end();
}

/// The answer to a request that is not even looked at.
fn refuse<B>(
    request: &Request<B>,
    failure: &Failure,
    caller: &Caller,
    proxy: &Proxy,
) -> Response<ResponseBody> {
    debug!(%failure, "request refused");
    let mut record = Box::new(caller.record(proxy));
    record.saw_request(request);
    record.request_failed(failure);
    let grpc = answer::is_grpc(request.headers());
    refusal(failure, grpc, proxy)
        .map(|bytes| ResponseBody::new(Source::Ours(bytes), record, Received::default()))
}

fn refusal(failure: &Failure, grpc: bool, proxy: &Proxy) -> Response<Bytes> {
    let mut response = answer::failed(failure, grpc, false);
    let own = &proxy.current.load().mesh.proxy_headers;
    headers::sign_response(response.headers_mut(), own);
    response
}
