//! A pooled connection in use by a call at an endpoint.

use std::rc::Rc;

use crate::client::pool::{Call, Http1Connection, Key, Pool};
use crate::report::metrics::envoy::under_way::RequestInFlight;
use crate::upstream::endpoints::Active;

/// A connection in use. It goes back to its pool when the response has been read to its end, and is closed when this is
/// dropped before.
#[derive(Debug)]
pub struct Lease {
    /// The HTTP/1 connection; none for a shared one, which stays where it is.
    pub single: Option<Http1Connection>,
    /// The stream on a shared connection.
    pub call: Option<Call>,
    /// The pool that it goes back to.
    pub pool: Rc<Pool>,
    /// Its key in the pool.
    pub key: Key,
    /// Counts the call at its endpoint.
    pub active: Option<Active>,
    /// Counts the request while it is under way.
    pub in_flight: RequestInFlight,
}

impl Lease {
    /// The response is complete.
    pub fn give_back(mut self) {
        self.in_flight.complete();
        if let Some(single) = self.single {
            self.pool.put(self.key, single);
        }
    }
}
