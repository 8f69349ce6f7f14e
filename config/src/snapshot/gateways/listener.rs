//! Ports of a gateway, and what they do.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::gateway::Server;
use crate::model::tls::{Hashed, ServerTls};
use crate::snapshot::bound_port::BoundPort;
use crate::snapshot::chains::{ChainOrigin, FilterChains, StreamRoute};
use crate::snapshot::table::RouteTable;

/// The listeners of a gateway, by port.
pub(crate) type Gateways = BTreeMap<BoundPort, GatewayListener>;

/// One port of a gateway.
#[derive(Debug)]
pub(crate) struct GatewayListener {
    /// `address:port`.
    pub(crate) key: Arc<str>,
    /// Plaintext HTTP.
    pub(crate) http: Option<Arc<RouteTable>>,
    /// The servers that plaintext HTTP is for.
    pub(crate) http_origins: Vec<ChainOrigin>,
    /// TLS, by server name.
    pub(crate) tls: FilterChains<TlsAction>,
    /// Any byte stream.
    pub(crate) tcp: Option<(StreamRoute, ChainOrigin)>,
}

/// What a gateway does with a TLS connection.
#[derive(Debug)]
pub(crate) enum TlsAction {
    /// Terminates TLS and treats the content as HTTP.
    Http {
        /// How TLS is terminated.
        tls: Hashed<ServerTls>,
        /// The server.
        server: Arc<Server>,
        /// Where requests are routed.
        table: Arc<RouteTable>,
    },
    /// Terminates TLS and forwards the content.
    Stream {
        /// How TLS is terminated.
        tls: Hashed<ServerTls>,
        /// The server.
        server: Arc<Server>,
        /// The clusters.
        route: StreamRoute,
    },
    /// Forwards it unchanged.
    Passthrough(StreamRoute),
    /// The SNI names the cluster: `outbound_.port_.subset_.host`, of these hosts.
    NamedBySni(HashSet<HostPattern>),
}

impl GatewayListener {
    /// Whether it does nothing, so that its port is not opened.
    pub(super) fn is_idle(&self) -> bool {
        self.http.is_none() && self.tls.is_empty() && self.tcp.is_none()
    }
}
