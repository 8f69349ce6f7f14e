//! What is known about a call when an endpoint is looked for.

use egret_config::address::{EndpointAddress, OriginalDestination};
use egret_config::snapshot::workload::Mode;

/// What is known about a call when an endpoint is looked for.
#[derive(Clone, Copy, Debug)]
pub struct LoadBalancerContext<'w> {
    /// The original destination. Its family is preferred where a name has addresses of both.
    pub original_dst: OriginalDestination,
    /// On a gateway the original destination is the gateway's own address.
    pub mode: Mode,
    /// The request's host without port, or the SNI.
    pub name: Option<&'w str>,
    /// The endpoints at which this call was already attempted.
    pub tried: AttemptHistory<'w>,
    /// The hash for consistent hashing. Without it the endpoint is picked at random.
    pub hash: Option<u64>,
    /// What the call carries.
    pub carries: Carries,
}

/// The earlier attempts of a call, and how they restrict the next one.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttemptHistory<'w> {
    /// The endpoints of the earlier attempts, in order.
    pub at: &'w [EndpointAddress],
    /// Whether these endpoints are picked only when there are no others.
    pub avoid: bool,
    /// Whether every second failed attempt moves the call to other priorities.
    pub other_priorities: bool,
}

impl<'w> AttemptHistory<'w> {
    /// The endpoints of the priorities that are skipped. As in Envoy, the list is updated after every second attempt.
    pub(in crate::upstream) fn skipped_priorities(&self) -> &'w [EndpointAddress] {
        match self.other_priorities {
            true => &self.at[..self.at.len() / 2 * 2],
            false => &[],
        }
    }
}

/// What a call carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// An HTTP request. `http2MaxRequests` limits how many are active.
    Request,
    /// A byte stream.
    Stream,
}
