//! Where one attempt goes, and what comes of it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egret_config::address::{EndpointAddress, OriginalDestination};
use http::{HeaderValue, Request, Response, Version};
use tokio::time::Instant;

use crate::client::body::RequestBody;
use crate::client::pool::{Call, Http1Connection, Key, Pool};
use crate::codec::incoming::Incoming;
use crate::dial::connect::Dial;
use crate::dial::stream::Stream;
use crate::failure::Failure;
use crate::http::informational::InformationalSender;
use crate::report::facts::{Attempt, UpstreamConnectionFacts};
use crate::report::metrics::envoy::cluster::ClusterCounters;
use crate::report::metrics::envoy::under_way::{PendingRequest, RequestInFlight};
use crate::tls::Alpn;
use crate::upstream::cluster_runtime::ClusterRuntime;
use crate::upstream::clusters::{Clusters, Opening};
use crate::upstream::endpoints::Active;
use crate::upstream::lease::Lease;
use crate::upstream::limits::Permit;

/// How a request gets to its endpoint.
#[derive(Debug)]
pub struct AttemptTarget<'w> {
    /// Connections that may be used again.
    pub pool: &'w Rc<Pool>,
    /// The endpoint, and the TLS name.
    pub key: Key,
    /// Where the name of the call is kept, too, if it names the destination.
    pub others: Vec<SocketAddr>,
    /// Counts the call at the endpoint.
    pub active: Option<Active>,
    /// How a new connection is made.
    pub connect: ConnectBy<'w>,
    /// HTTP/2 instead of HTTP/1.
    pub http2: bool,
    /// The name to send where TLS is originated.
    pub host: Option<&'w str>,
    /// Receives the informational responses of HTTP/2.
    pub informational: Option<&'w InformationalSender>,
    /// The facts about this attempt.
    pub facts: &'w mut Attempt,
    /// The counters of the cluster.
    pub counters: &'w Arc<ClusterCounters>,
    /// Whether the request may still be repeated outside of the retry policy. All attempts of a request share it.
    pub repeat: &'w Cell<bool>,
}

/// How a new connection is made.
#[derive(Clone, Copy, Debug)]
pub enum ConnectBy<'w> {
    /// As the policy of the endpoint's cluster says, to other addresses, too, where it has them.
    Cluster(&'w ClusterRuntime),
    /// To the original destination.
    Original(OriginalDestination, Dial<'w>),
}

/// The head of a response, with what is needed to read the rest.
#[derive(Debug)]
pub struct UpstreamResponse {
    /// The response.
    pub response: Response<Incoming>,
    /// The connection.
    pub lease: Lease,
    /// The endpoint that answered.
    pub address: EndpointAddress,
    /// From the request handed over to the head received.
    pub took: Duration,
    /// A cookie for the client, by which its next requests go to the same endpoint.
    pub cookie: Option<HeaderValue>,
}

/// A try that came to nothing.
#[derive(Debug)]
pub struct AttemptError {
    /// Why.
    pub failure: Failure,
    /// The request, if nothing of it was sent.
    pub request: Option<Box<Request<RequestBody>>>,
}

impl AttemptTarget<'_> {
    /// Notes that the request begins to be sent, over this version of HTTP. What comes back counts it.
    pub(super) fn begin_request(&mut self, protocol: Version, at: Instant) -> RequestInFlight {
        self.facts.begin_request(protocol, at);
        let endpoint = match self.connect {
            ConnectBy::Cluster(_) => self.counters.by_endpoint.of(&self.key.address),
            // Those of passthrough are whatever clients connect to.
            ConnectBy::Original(..) => None,
        };
        RequestInFlight::begin(self.counters, endpoint, protocol)
    }
}

/// Makes a new connection; the key then names the address that answered.
pub(super) async fn open(
    target: &mut AttemptTarget<'_>,
    clusters: &Clusters,
    alpn: Alpn,
    permit: Permit,
) -> Result<(Stream, Arc<UpstreamConnectionFacts>), Failure> {
    let _pending = PendingRequest::begin(target.counters);
    let live = match target.connect {
        ConnectBy::Cluster(live) => live,
        ConnectBy::Original(to, dial) => {
            let (stream, facts) = clusters.connect_original(to.0, dial).await?;
            return Ok((stream.guarded(permit).with_http(), Arc::new(facts)));
        }
    };
    let opening = Opening {
        live,
        address: &target.key.address,
        others: &target.others,
        host: target.host,
        alpn,
        ends: target.key.ends.as_deref().copied(),
        permit,
    };
    let opened = clusters.open(opening).await?;
    target.key.address = opened.address;
    Ok((opened.stream.with_http(), opened.facts))
}

/// What a response came on.
pub(super) enum Carrier {
    Http1Connection(Http1Connection, RequestInFlight),
    Http2Connection(Call, RequestInFlight),
}

/// A response with its lease.
pub(super) fn reply(
    response: Response<Incoming>,
    began: Instant,
    carrier: Carrier,
    target: AttemptTarget<'_>,
) -> UpstreamResponse {
    let address = target.key.address.clone();
    target.facts.endpoint = address.clone();
    let answered = Instant::now();
    target.facts.answered = Some(answered);
    let (single, call, mut in_flight) = match carrier {
        Carrier::Http1Connection(single, in_flight) => (Some(single), None, in_flight),
        Carrier::Http2Connection(call, in_flight) => (None, Some(call), in_flight),
    };
    in_flight.answered(response.status());
    let lease = Lease {
        single,
        call,
        pool: Rc::clone(target.pool),
        key: target.key,
        active: target.active,
        in_flight,
    };
    UpstreamResponse {
        response,
        lease,
        address,
        took: answered.duration_since(began),
        cookie: None,
    }
}
