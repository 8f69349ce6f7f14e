//! DNS. [`names::Names`] is the cache of the proxy's own lookups; [`resolver`] queries the name servers; [`lookup`] has the
//! result types. [`serve`] answers the workload's captured queries: [`answer`] those about services, [`forward`] sends the
//! others to the name servers. [`verify`] checks every response of a name server.

pub mod verify;
mod datagram;
mod transport;
mod log_limit;
pub mod lookup;
pub mod resolver;
pub mod names;
pub mod answer;
pub mod forward;
pub mod serve;

pub use crate::dns::names::Names;
