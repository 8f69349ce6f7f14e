//! Copies of requests that may have to be sent once more.

use http::{Method, Request};

use crate::client::body::RequestBody;
use crate::client::pool::Http1Connection;
use crate::http::informational::InformationalSender;
use crate::http::outgoing::listen;

/// A copy of a request that may be sent twice unasked: one without a body that changes nothing (RFC 9110, 9.2.1).
#[derive(Debug)]
pub(in crate::http::attempt) struct ReplayableHead {
    request: Request<RequestBody>,
    /// Whether it is a copy of the head alone.
    bare: bool,
}

impl ReplayableHead {
    /// The copy of a request that goes on this connection. Extensions are more work to copy than all the rest, so they are
    /// left out where the connection is known to be kept open: it is closed under a request only if its upstream goes
    /// away at this very moment. What is sent again then says the same, with the names of its headers in lower case.
    pub(in crate::http::attempt) fn of(
        request: &Request<RequestBody>,
        single: &Http1Connection,
    ) -> Option<Self> {
        let safe = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
        );
        let bare = single.is_steady();
        (safe && request.body().is_empty()).then(|| Self {
            request: if bare { head(request) } else { copy(request) },
            bare,
        })
    }

    /// The request, whose informational responses `informational` hears of.
    pub(in crate::http::attempt) fn request(
        self,
        informational: Option<&InformationalSender>,
    ) -> Request<RequestBody> {
        let mut request = self.request;
        if self.bare && informational.is_some() {
            listen(&mut request, None, informational.cloned());
        }
        request
    }
}

/// A copy of a request without its body. The spelling of its header names goes along.
pub fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = head(request);
    copy.extensions_mut().clone_from(request.extensions());
    copy
}

/// A copy of a request without its body and its extensions.
pub(in crate::http::attempt) fn head(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    copy
}
