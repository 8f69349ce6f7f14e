//! What is known about a call, as data.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::gateway::Server;

/// Where a connection came in and whom it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The caller.
    pub client: SocketAddr,
    /// Whom the caller dialled: the original destination on a sidecar, the gateway's own address on a gateway.
    pub to: SocketAddr,
}

/// What the first bytes of a connection turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Plaintext HTTP.
    Http(HttpVersion),
    /// A TLS ClientHello.
    Tls(ClientHello),
    /// Something else.
    Opaque,
    /// Nothing yet, for as long as the snapshot says to wait: the server may speak first.
    Silent,
}

/// The version of HTTP on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0 or 1.1.
    One,
    /// HTTP/2 (its preface was seen, or ALPN chose it).
    Two,
}

/// What a ClientHello says, in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// Server name, lower case.
    pub sni: Option<Arc<str>>,
    /// Application protocols offered, in order.
    pub alpn: Vec<Box<[u8]>>,
}

/// A connection whose first bytes are known.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'c> {
    /// Where it came in.
    pub arrival: Arrival,
    /// What it is; inside a TLS that a gateway terminated, what is inside.
    pub layer: &'c Layer,
    /// The gateway server that terminated TLS, if one did.
    pub terminated: Option<&'c Terminated>,
}

/// TLS that a gateway terminated on this connection.
#[derive(Clone, Debug)]
pub struct Terminated {
    /// The server whose chain took it.
    pub server: Arc<Server>,
    /// Name of the route table of that chain, `https.<port>.<portName>.<gateway>.<namespace>`.
    pub table: Arc<str>,
    /// The SNI that chose it.
    pub sni: Option<Arc<str>>,
}

/// One HTTP request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'c> {
    /// Where its connection came in.
    pub arrival: Arrival,
    /// The gateway server that terminated TLS, if one did.
    pub terminated: Option<&'c Terminated>,
    /// The method, as sent.
    pub method: &'c str,
    /// `http` or `https`.
    pub scheme: &'c str,
    /// The Host header or `:authority`, as sent.
    pub authority: &'c str,
    /// Path and query, normalised; `*` for `OPTIONS *`.
    pub path: &'c str,
    /// The other headers.
    pub headers: &'c http::HeaderMap,
}
