//! What is known about a call, as data.

use std::sync::Arc;

use crate::address::{ClientAddress, LocalAddress, OriginalDestination};
use crate::model::gateway::Server;

/// The addresses of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The client's.
    pub client: ClientAddress,
    /// The address that decisions are about: the original destination on a sidecar, the gateway's own address on a gateway.
    pub original_dst: OriginalDestination,
    /// The one that upstreams and reports get. Behind a PROXY header it is another than the gateway's own.
    pub local: LocalAddress,
}

impl Arrival {
    /// The addresses of a connection without a PROXY header.
    pub fn new(client: ClientAddress, original_dst: OriginalDestination) -> Self {
        Self {
            client,
            original_dst,
            local: original_dst.as_local(),
        }
    }
}

/// The kind of a connection, by its first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Plaintext HTTP.
    Http(HttpVersion),
    /// A TLS ClientHello.
    Tls(ClientHello),
    /// Something else.
    Opaque,
    /// Nothing yet, for as long as the snapshot's wait: the server may send first.
    Silent,
}

/// The version of HTTP on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2 (by its preface or ALPN).
    Http2,
}

/// The plaintext fields of a ClientHello.
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
    /// Its addresses.
    pub arrival: Arrival,
    /// Its kind; of a TLS connection that a gateway terminated, the kind of its content.
    pub layer: &'c Layer,
    /// The gateway server that terminated TLS, if one did.
    pub terminated: Option<&'c Terminated>,
}

/// TLS that a gateway terminated on this connection.
#[derive(Clone, Debug)]
pub struct Terminated {
    /// The server whose chain took it.
    pub server: Arc<Server>,
    /// What is inside.
    pub inside: Inside,
    /// The SNI that chose it.
    pub sni: Option<Arc<str>>,
}

/// The content of a TLS connection that a gateway terminated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inside {
    /// HTTP, whose requests the route table of this name decides: `https.<port>.<portName>.<gateway>.<namespace>`.
    Http(Arc<str>),
    /// Bytes for the route of the server.
    Bytes,
}

/// One HTTP request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'c> {
    /// The addresses of its connection.
    pub arrival: Arrival,
    /// The gateway server that terminated TLS, if one did.
    pub terminated: Option<&'c Terminated>,
    /// The method, as sent.
    pub method: &'c str,
    /// `http` or `https`.
    pub scheme: &'c str,
    /// The Host header or `:authority`, as sent.
    pub authority: &'c str,
    /// Path and query, normalised, as [`path_for_rules`] has it.
    pub path: &'c str,
    /// The other headers.
    pub headers: &'c http::HeaderMap,
}

/// The path of a request target that rules match; for `OPTIONS *` it is the root.
pub fn path_for_rules(target: &str) -> &str {
    match target {
        "*" => "/",
        target => target,
    }
}
