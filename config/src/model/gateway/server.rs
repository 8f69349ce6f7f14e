//! One server of a Gateway.

use std::net::IpAddr;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::secret::Secrets;
use crate::model::tls::ServerTlsMode;
use crate::model::{host_name, read, tls};
use crate::port::{PortClass, Protocol};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::gateway as wire;

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

/// Reads one server.
pub(super) fn parse(
    wire: &wire::Server,
    namespace: &Arc<str>,
    secrets: &Secrets,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Server> {
    if wire.hosts.is_empty() {
        diagnostics.error("hosts", NO_VALUE, ("at least one is required", "list one"));
    }
    let hosts = diagnostics.each("hosts", &wire.hosts, |diagnostics, text| {
        host(text, namespace, diagnostics)
    });
    let Some(port) = &wire.port else {
        diagnostics.error(
            "port",
            NO_VALUE,
            ("required", "give number, protocol and name"),
        );
        return None;
    };
    let (number, protocol) = diagnostics.within("port", |diagnostics| {
        if port.name.is_empty() {
            diagnostics.error("name", NO_VALUE, ("required", "give a name such as `https`"));
        }
        if port.target_port > 0 {
            diagnostics.error("targetPort", port.target_port, ("has no effect in a Gateway", "leave it out"));
        }
        let number = server_port(port.number, &wire.bind, diagnostics);
        let protocol = match Protocol::parse(&port.protocol) {
            Some(Protocol::Auto | Protocol::Udp) | None => {
                diagnostics.error("protocol", &port.protocol, "expected one of HTTP, HTTP2, GRPC, GRPC-Web, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL");
                None
            }
            known => known,
        };
        (number, protocol)
    });
    let bind = match wire.bind.as_str() {
        "" => None,
        path if path.starts_with("unix://") => {
            if read::is_socket(&path["unix://".len()..]) {
                let message = (
                    "sockets are not opened, so the server stays closed",
                    "write a port",
                );
                diagnostics.warn("bind", path, message);
            } else {
                let message = "expected an absolute path, as unix:///run/name.sock";
                diagnostics.error("bind", path, message);
            }
            return None;
        }
        text => read::address(diagnostics, "bind", text),
    };
    let tls = tls(
        wire.tls.as_ref(),
        protocol?,
        namespace,
        secrets,
        diagnostics,
    );
    Some(Server {
        port: number?,
        port_name: port.name.as_str().into(),
        protocol: protocol?,
        bind: bind.filter(|address| !address.is_unspecified()),
        hosts,
        tls: tls?,
        name: read::optional(&wire.name),
    })
}

/// The port of a server; 0 where it listens on a socket.
fn server_port(number: u32, bind: &str, diagnostics: &mut Diagnostics<'_>) -> Option<u16> {
    match (number, bind.starts_with("unix://")) {
        (0, true) => None,
        (number, true) => {
            let message = (
                "a unix socket has no port",
                "write 0, or an address in bind",
            );
            diagnostics.error("number", number, message);
            None
        }
        (number, false) => read::port(diagnostics, "number", number),
    }
}

/// `host`, `*`, `namespace/host`, `./host` or `*/host`.
fn host(text: &str, own: &Arc<str>, diagnostics: &mut Diagnostics<'_>) -> Option<ServerHost> {
    let (namespace, host) = match text.split_once('/') {
        None => (None, text),
        Some(("*", host)) => (None, host),
        Some((".", host)) => (Some(Arc::clone(own)), host),
        Some((namespace, host)) => {
            if !host_name::is_label(namespace) {
                diagnostics.error("", text, "expected `host`, `*` or `namespace/host`");
                return None;
            }
            (Some(Arc::from(namespace)), host)
        }
    };
    let is_address = host.parse::<IpAddr>().is_ok();
    if let Some(reason) = host_name::problem_of_pattern(host).filter(|_| !is_address) {
        diagnostics.error("", text, reason);
        return None;
    }
    host_name::admit_full(diagnostics, text, host).then(|| ServerHost {
        namespace,
        host: HostPattern::parse(host),
    })
}

/// `None` closes the server; the problem was reported.
fn tls(
    wire: Option<&wire::ServerTls>,
    protocol: Protocol,
    namespace: &str,
    secrets: &Secrets,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<ServerTlsMode> {
    let Some(wire) = wire else {
        if protocol.is_tls() {
            diagnostics.error("tls", NO_VALUE, format!("required for protocol {protocol}"));
        }
        return Some(ServerTlsMode::None);
    };
    if protocol.is_tls() {
        if wire.https_redirect {
            let message = (
                "has no effect on a port with TLS",
                "set it on the HTTP port",
            );
            diagnostics.warn("tls.httpsRedirect", true, message);
        }
        return diagnostics.within("tls", |diagnostics| {
            tls::server::parse(wire, diagnostics, secrets, namespace)
        });
    }
    if protocol.class() != Some(PortClass::Http) {
        diagnostics.error(
            "tls",
            NO_VALUE,
            (format!("not for protocol {protocol}"), "write TLS or HTTPS"),
        );
        return None;
    }
    let files = [
        &wire.server_certificate,
        &wire.private_key,
        &wire.ca_certificates,
    ];
    let named = files.iter().any(|file| !file.is_empty());
    if named || !tls::server::passes_through(wire) {
        diagnostics.error(
            "tls",
            NO_VALUE,
            (
                "on a plaintext HTTP port only httpsRedirect",
                "write protocol HTTPS for TLS",
            ),
        );
        return None;
    }
    let bare = wire::ServerTls {
        https_redirect: wire.https_redirect,
        mode: wire.mode.clone(),
        ..wire::ServerTls::default()
    };
    if *wire != bare {
        let message = (
            "has no effect on a plaintext HTTP port but for httpsRedirect",
            "write protocol HTTPS for TLS",
        );
        diagnostics.warn("tls", NO_VALUE, message);
    }
    Some(match wire.https_redirect {
        true => ServerTlsMode::RedirectToHttps,
        false => ServerTlsMode::None,
    })
}
