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
    /// Where this call was tried already.
    pub tried: AttemptHistory<'w>,
    /// What consistent hashing goes by; without it chance decides.
    pub hash: Option<u64>,
    /// What is to be carried there.
    pub carries: Carries,
}

/// Where a call was tried already, and what follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttemptHistory<'w> {
    /// The endpoints, in order.
    pub at: &'w [EndpointAddress],
    /// They are taken only when there are no others.
    pub avoid: bool,
    /// Other priorities have their turn when every other try has failed.
    pub other_priorities: bool,
}

impl<'w> AttemptHistory<'w> {
    /// Endpoints whose priorities have had their turn: Envoy looks at them after every second try.
    pub(in crate::upstream) fn done(&self) -> &'w [EndpointAddress] {
        match self.other_priorities {
            true => &self.at[..self.at.len() / 2 * 2],
            false => &[],
        }
    }
}

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// An HTTP request; of these there may be `http2MaxRequests` at once.
    Request,
    /// Bytes.
    Stream,
}
