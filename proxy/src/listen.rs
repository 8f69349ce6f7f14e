//! Listening: sockets bound before anything is served, one accept loop for each socket and worker, and the ports of a
//! gateway, which come and go with the configuration.

pub mod bind;
pub mod binder;
pub mod handover;
pub mod accept;
pub mod worker;
pub mod reconcile;
