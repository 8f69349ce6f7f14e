//! The keys of pooled connections.

use std::sync::Arc;

use egret_config::address::EndpointAddress;

use crate::dial::proxy_protocol::Ends;

/// What makes two connections of one cluster interchangeable. The rest of the TLS identity is the cluster's policy, and
/// each cluster has a pool of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The endpoint.
    pub address: EndpointAddress,
    /// The name sent and verified, where it depends on the request.
    pub name: Option<Arc<str>>,
    /// The addresses of a PROXY header, where one is sent: the connection then serves one client. Boxed: it is rare.
    pub ends: Option<Box<Ends>>,
}
