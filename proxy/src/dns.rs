//! Names to addresses. [`names::Names`] is what the proxy itself asks; [`resolver`] asks the name servers, and
//! [`lookup`] is what comes of it. [`serve`] takes the workload's captured questions: [`answer`] knows the services,
//! [`forward`] passes on the rest. Both believe only what [`verify`] lets pass.

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
