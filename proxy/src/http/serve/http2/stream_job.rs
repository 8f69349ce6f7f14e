//! What there is to do about a stream.

use std::rc::Rc;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;

use crate::failure::Failure;
use crate::http::downstream::DownstreamConnection;
use crate::http::serve::http2::open_streams::Open;
use crate::proxy::Proxy;
use crate::report::reporter::DownstreamWire;

/// A stream to be served.
#[derive(Debug)]
pub(super) struct StreamJob {
    pub(super) request: Request<RecvStream>,
    pub(super) respond: SendResponse<Bytes>,
    pub(super) downstream: Rc<DownstreamConnection>,
    pub(super) proxy: Rc<Proxy>,
    pub(super) open: Open,
    /// Counts the bytes of the connection's streams.
    pub(super) wire: Rc<dyn DownstreamWire>,
    /// What is lacking for it.
    pub(super) lacking: Option<Failure>,
}
