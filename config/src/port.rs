//! Ports and their protocols.

pub mod well_known;

use std::fmt;

/// The application protocol of a service or server port.
///
/// Istio's names (`ServiceEntry.ports[].protocol`, `Gateway.servers[].port.protocol`, a Kubernetes port's
/// `appProtocol` or name prefix). `Auto` is Istio's "unsupported protocol": the bytes decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Plaintext HTTP/1.
    Http,
    /// Plaintext HTTP/2.
    Http2,
    /// gRPC over plaintext HTTP/2.
    Grpc,
    /// gRPC-Web over HTTP/1.
    GrpcWeb,
    /// TLS, with HTTP inside.
    Https,
    /// TLS, opaque inside.
    Tls,
    /// Opaque bytes.
    Tcp,
    /// MongoDB's protocol, opaque to egret.
    Mongo,
    /// Redis' protocol, opaque to egret.
    Redis,
    /// MySQL's protocol (the server speaks first), opaque to egret.
    Mysql,
    /// Datagrams: never proxied.
    Udp,
    /// Not declared: decided by the first bytes.
    Auto,
}

/// The class of a port: the three ways in which Istio builds its listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortClass {
    /// HTTP requests, plaintext.
    Http,
    /// A byte stream, TLS included.
    Tcp,
    /// HTTP when the bytes are HTTP, a byte stream otherwise.
    Auto,
}

impl Protocol {
    /// Reads a protocol as a ServiceEntry or Gateway spells it, in any case. Empty means [`Protocol::Auto`];
    /// `None` means that the name is unknown.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "" => Self::Auto,
            "HTTP" | "HTTP_PROXY" => Self::Http,
            "HTTP2" => Self::Http2,
            "GRPC" => Self::Grpc,
            "GRPC-WEB" => Self::GrpcWeb,
            "HTTPS" => Self::Https,
            "TLS" => Self::Tls,
            "TCP" => Self::Tcp,
            "MONGO" => Self::Mongo,
            "REDIS" => Self::Redis,
            "MYSQL" => Self::Mysql,
            "UDP" => Self::Udp,
            _ => return None,
        })
    }

    /// Derives the protocol of a Kubernetes service port: `appProtocol` first, then the port name's prefix before
    /// `-`, with Istio's exceptions (`kubernetes.io/h2c|ws|wss`, `grpc-web`, and the server-first ports 25, 53, 3306,
    /// 27017, which are TCP by default).
    pub fn of_kubernetes_port(number: u16, name: &str, app_protocol: Option<&str>) -> Self {
        match app_protocol {
            Some("kubernetes.io/h2c") => return Self::Http2,
            Some("kubernetes.io/ws") => return Self::Http,
            Some("kubernetes.io/wss") => return Self::Https,
            _ => {}
        }
        let text = app_protocol.unwrap_or(name).to_ascii_lowercase();
        if text == "grpc-web" || text.starts_with("grpc-web-") {
            return Self::GrpcWeb;
        }
        let prefix = text.split('-').next().unwrap_or_default();
        match Self::parse(prefix) {
            Some(Self::Auto) | None if matches!(number, 25 | 53 | 3306 | 27017) => Self::Tcp,
            Some(known) => known,
            None => Self::Auto,
        }
    }

    /// The class that decides how a listener treats the port; `None` for datagrams, which have no listener.
    pub fn class(self) -> Option<PortClass> {
        Some(match self {
            Self::Http | Self::Http2 | Self::Grpc | Self::GrpcWeb => PortClass::Http,
            Self::Https | Self::Tls | Self::Tcp | Self::Mongo | Self::Redis | Self::Mysql => {
                PortClass::Tcp
            }
            Self::Auto => PortClass::Auto,
            Self::Udp => return None,
        })
    }

    /// Whether TLS is on the wire, so that an SNI may choose the route.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTP",
            Self::Http2 => "HTTP2",
            Self::Grpc => "GRPC",
            Self::GrpcWeb => "GRPC-Web",
            Self::Https => "HTTPS",
            Self::Tls => "TLS",
            Self::Tcp => "TCP",
            Self::Mongo => "MONGO",
            Self::Redis => "REDIS",
            Self::Mysql => "MYSQL",
            Self::Udp => "UDP",
            Self::Auto => "auto",
        })
    }
}
