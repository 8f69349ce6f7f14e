//! Names to addresses. [`names::Names`] is what the proxy itself asks; [`resolver`] is who it asks. [`serve`] takes the
//! workload's captured questions: [`answer`] knows the services, [`forward`] passes on the rest.

pub mod resolver;
pub mod names;
pub mod answer;
pub mod forward;
pub mod serve;

pub use crate::dns::names::Names;
