//! Answers to requests that are not even looked at.

use bytes::Bytes;
use http::{Request, Response};
use tracing::debug;

use crate::client::body::Received;
use crate::failure::{Cause, Failure};
use crate::http::body::{ResponseBody, Source};
use crate::http::downstream::DownstreamConnection;
use crate::http::{answer, headers};
use crate::proxy::Proxy;
use crate::report::reporter::RequestWire;

/// The failure of a request for which there is no descriptor.
pub(super) fn overloaded() -> Failure {
    Failure::new(Cause::Overloaded, "no descriptor is left for this request")
}

/// A malformed request of HTTP/2 gets no answer. The log has it all the same.
pub(super) fn report_malformed<B>(
    request: &Request<B>,
    reason: &'static str,
    downstream: &DownstreamConnection,
    proxy: &Proxy,
    wire: RequestWire,
) {
    debug!(reason, "malformed request");
    let mut facts = downstream.facts(proxy, Some(wire));
    facts.set_request(request);
    facts.set_request_failure(&Failure::new(Cause::BadConnection, reason));
    facts.end();
}

/// The answer to a request that is not even looked at.
pub(super) fn refuse<B>(
    request: &Request<B>,
    failure: &Failure,
    downstream: &DownstreamConnection,
    proxy: &Proxy,
    wire: RequestWire,
) -> Response<ResponseBody> {
    debug!(%failure, "request refused");
    let mut facts = downstream.facts(proxy, Some(wire));
    facts.set_request(request);
    facts.set_request_failure(failure);
    let grpc = answer::is_grpc(request.headers());
    refusal(failure, grpc, proxy)
        .map(|bytes| ResponseBody::new(Source::Ours(bytes), facts, Received::default()))
}

/// The local reply for `failure`, with the headers of this proxy.
pub(super) fn refusal(failure: &Failure, grpc: bool, proxy: &Proxy) -> Response<Bytes> {
    let mut response = answer::failed(failure, grpc, false);
    let own = &proxy.current.load().mesh.proxy_headers;
    headers::sign_response(response.headers_mut(), own);
    response
}
