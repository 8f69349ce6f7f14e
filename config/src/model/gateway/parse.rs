//! Gateway, read.

use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::gateway::Gateway;
use crate::model::gateway::Server;
use crate::model::gateway::ServerHost;
use crate::model::gateway::ServerTlsMode;
use crate::model::host_name;
use crate::model::meta::Meta;
use crate::model::read;
use crate::model::secret::Secrets;
use crate::model::tls;
use crate::port::PortClass;
use crate::port::Protocol;
use crate::problem::NO_VALUE;
use crate::problem::Review;
use crate::wire::envelope::Metadata;
use crate::wire::gateway as wire;

/// The annotation that names the services of a Gateway, as Istio writes it for the Gateway API.
const SERVICES: &str = "internal.istio.io/gateway-service";

/// Reads a Gateway. What comes back counts only if the review passed.
pub(crate) fn parse(
    wire: &wire::Gateway,
    metadata: &Metadata,
    meta: &Arc<Meta>,
    secrets: &Secrets,
    review: &mut Review<'_>,
) -> Gateway {
    if wire.servers.is_empty() {
        review.error(
            "servers",
            NO_VALUE,
            ("at least one is required", "list one"),
        );
    }
    let mut names: Vec<&str> = Vec::new();
    for server in &wire.servers {
        let name = server.port.as_ref().map_or("", |port| port.name.as_str());
        if !name.is_empty() && names.contains(&name) {
            review.error(
                "servers",
                name,
                "two servers have a port of this name; port names are unique within a Gateway",
            );
        }
        names.push(name);
    }
    let namespace = &meta.name.namespace;
    if !host_name::is_label(&meta.name.name) {
        let what = (
            "the name of a Gateway has no dots, as others could not name it",
            "write letters, digits and dashes",
        );
        review.error_elsewhere("metadata.name", &meta.name.name, what);
    }
    Gateway {
        meta: Arc::clone(meta),
        selector: read::selector(review, "selector", &wire.selector),
        services: metadata
            .annotations
            .get(SERVICES)
            .map(|hosts| hosts.split(',').map(|host| host.trim().into()).collect()),
        servers: review.each("servers", &wire.servers, |review, wire| {
            server(wire, namespace, secrets, review)
        }),
    }
}

fn server(
    wire: &wire::Server,
    namespace: &Arc<str>,
    secrets: &Secrets,
    review: &mut Review<'_>,
) -> Option<Server> {
    if wire.hosts.is_empty() {
        review.error("hosts", NO_VALUE, ("at least one is required", "list one"));
    }
    let hosts = review.each("hosts", &wire.hosts, |review, text| {
        host(text, namespace, review)
    });
    let Some(port) = &wire.port else {
        review.error(
            "port",
            NO_VALUE,
            ("required", "give number, protocol and name"),
        );
        return None;
    };
    let (number, protocol) = review.within("port", |review| {
        if port.name.is_empty() {
            review.error("name", NO_VALUE, ("required", "give a name such as `https`"));
        }
        if port.target_port > 0 {
            review.error("targetPort", port.target_port, ("means nothing for a Gateway", "leave it out"));
        }
        let number = server_port(port.number, &wire.bind, review);
        let protocol = match Protocol::parse(&port.protocol) {
            Some(Protocol::Auto | Protocol::Udp) | None => {
                review.error("protocol", &port.protocol, "expected one of HTTP, HTTP2, GRPC, GRPC-Web, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL");
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
                let what = (
                    "sockets are not opened, so the server stays closed",
                    "write a port",
                );
                review.warn("bind", path, what);
            } else {
                let what = "expected an absolute path, as unix:///run/name.sock";
                review.error("bind", path, what);
            }
            return None;
        }
        text => read::address(review, "bind", text),
    };
    let tls = tls(wire.tls.as_ref(), protocol?, namespace, secrets, review);
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
fn server_port(number: u32, bind: &str, review: &mut Review<'_>) -> Option<u16> {
    match (number, bind.starts_with("unix://")) {
        (0, true) => None,
        (number, true) => {
            let what = (
                "a unix socket has no port",
                "write 0, or an address in bind",
            );
            review.error("number", number, what);
            None
        }
        (number, false) => read::port(review, "number", number),
    }
}

/// `host`, `*`, `namespace/host`, `./host` or `*/host`.
fn host(text: &str, own: &Arc<str>, review: &mut Review<'_>) -> Option<ServerHost> {
    let (namespace, host) = match text.split_once('/') {
        None => (None, text),
        Some(("*", host)) => (None, host),
        Some((".", host)) => (Some(Arc::clone(own)), host),
        Some((namespace, host)) => {
            if !host_name::is_label(namespace) {
                review.error("", text, "expected `host`, `*` or `namespace/host`");
                return None;
            }
            (Some(Arc::from(namespace)), host)
        }
    };
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    if let Some(fault) = host_name::fault_of_pattern(host).filter(|_| !is_address) {
        review.error("", text, fault);
        return None;
    }
    if !host.contains(['.', '*', ':']) {
        review.error(
            "",
            text,
            (
                "short names mean nothing here",
                "write the whole name, with its dots",
            ),
        );
        return None;
    }
    if host_name::is_partial_wildcard(host) {
        let what = (
            "a wildcard must stand for whole labels",
            "write `*.` before the dot",
        );
        review.error("", text, what);
        return None;
    }
    Some(ServerHost {
        namespace,
        host: HostPattern::parse(host),
    })
}

/// `None` closes the server, and was told.
fn tls(
    wire: Option<&wire::ServerTls>,
    protocol: Protocol,
    namespace: &str,
    secrets: &Secrets,
    review: &mut Review<'_>,
) -> Option<ServerTlsMode> {
    let Some(wire) = wire else {
        if protocol.is_tls() {
            review.error("tls", NO_VALUE, format!("required for protocol {protocol}"));
        }
        return Some(ServerTlsMode::None);
    };
    if protocol.is_tls() {
        if wire.https_redirect {
            let what = (
                "has no effect on a port with TLS",
                "set it on the HTTP port",
            );
            review.warn("tls.httpsRedirect", true, what);
        }
        return review.within("tls", |review| {
            tls::server::parse(wire, review, secrets, namespace)
        });
    }
    if protocol.class() != Some(PortClass::Http) {
        review.error(
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
        review.error(
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
        let what = (
            "has no effect on a plaintext HTTP port but for httpsRedirect",
            "write protocol HTTPS for TLS",
        );
        review.warn("tls", NO_VALUE, what);
    }
    Some(match wire.https_redirect {
        true => ServerTlsMode::RedirectToHttps,
        false => ServerTlsMode::None,
    })
}
