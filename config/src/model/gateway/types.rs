//! Types of a Gateway.

use std::net::IpAddr;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::labels::Labels;
use crate::model::meta::Meta;
use crate::model::tls::ServerTlsMode;
use crate::port::Protocol;

/// A Gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The object.
    pub meta: Arc<Meta>,
    /// Labels of the workloads that serve it, in any namespace.
    pub selector: Labels,
    /// The hosts of the services whose members serve it instead, in its own namespace (annotation
    /// `internal.istio.io/gateway-service`). Its servers are then open only on ports that these services have.
    pub services: Option<Vec<Arc<str>>>,
    /// Its servers, in order.
    pub servers: Vec<Server>,
}

/// One server of a Gateway.
#[derive(Clone, Debug)]
pub struct Server {
    /// `port.number`.
    pub port: u16,
    /// `port.name`.
    pub port_name: Arc<str>,
    /// `port.protocol`.
    pub protocol: Protocol,
    /// `bind`: the address to listen on; `None` is all.
    pub bind: Option<IpAddr>,
    /// `hosts`.
    pub hosts: Vec<ServerHost>,
    /// What is done with TLS.
    pub tls: ServerTlsMode,
    /// `name`.
    pub name: Option<Arc<str>>,
}

/// One host of a server: a pattern, maybe only for VirtualServices of one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerHost {
    /// `ns/host`; `.` has become the Gateway's own namespace, `*` none.
    pub namespace: Option<Arc<str>>,
    /// The host.
    pub host: HostPattern,
}
