//! What a connection needs to be served: four handles.

use std::rc::Rc;
use std::sync::Arc;

use crate::current::Current;

/// The handles of one worker. Worker-local (`Rc`) where state is, shared (`Arc`) where it is the process's.
pub struct Proxy {
    /// The configuration in force.
    pub current: Arc<Current>,
}

impl Proxy {
    /// The handles of one worker; to be called on the worker's thread, inside its `LocalSet`, because it starts a task
    /// there that forgets clusters which a reload took away and closes connections that idled too long.
    pub fn start(current: Arc<Current>) -> Rc<Self> {
        Rc::new(Self { current })
    }
}
