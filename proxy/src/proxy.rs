//! What a connection needs to be served: four handles.

use std::sync::Arc;

use crate::current::Current;

/// The handles of one worker. Worker-local (`Rc`) where state is, shared (`Arc`) where it is the process's.
pub struct Proxy {
    /// The configuration in force.
    pub current: Arc<Current>,
}
