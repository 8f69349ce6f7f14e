//! Egress listeners of a Sidecar.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::sidecar::port::sidecar_port;
use crate::model::{host_name, read, service_entry};
use crate::port::Protocol;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::shared::Port;
use crate::wire::sidecar as wire;

/// One egress listener.
#[derive(Clone, Debug)]
pub struct EgressListener {
    /// Only this port; `None` is every port of the imported services.
    pub port: Option<EgressPort>,
    /// An address to listen on instead of the service's.
    pub bind: Option<IpAddr>,
    /// `captureMode: NONE` with a port: applications connect to `bind`, so egret listens there.
    pub dialled: bool,
    /// Imported hosts.
    pub hosts: Vec<Import>,
}

/// The port of an egress listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressPort {
    /// The number.
    pub number: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The name.
    pub name: Arc<str>,
    /// The protocol was HTTP_PROXY: services of every port are called here, by the port in their authority.
    pub proxies: bool,
}

/// `namespace/host` of an egress listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Whose services.
    pub namespace: ImportFrom,
    /// Which hosts.
    pub host: HostPattern,
    /// `~ns/host` or `~/host`: takes them out again.
    pub exclude: bool,
}

/// The namespace part of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportFrom {
    /// `*`.
    Any,
    /// `~/*`: nothing at all.
    Nothing,
    /// A namespace; `.` has become the workload's own at selection, see [`ImportFrom::Own`].
    Namespace(Arc<str>),
    /// `.`: the namespace of the workload that the Sidecar is evaluated for.
    Own,
}

/// Sockets and ports of egress listeners, each of which may be named once.
#[derive(Default)]
pub(super) struct UsedListeners {
    ports: Vec<u16>,
    sockets: Vec<String>,
}

/// Reads one egress listener.
pub(super) fn parse(
    wire: &wire::EgressListener,
    namespace: &str,
    used: &mut UsedListeners,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<EgressListener> {
    if wire.hosts.is_empty() {
        diagnostics.error(
            "hosts",
            NO_VALUE,
            ("at least one is required", "list `*/*` for all"),
        );
    }
    let hosts = diagnostics.each("hosts", &wire.hosts, |diagnostics, text| {
        import(text, diagnostics)
    });
    repeated(wire, namespace, diagnostics);
    let captures = [("DEFAULT", true), ("IPTABLES", false), ("NONE", true)];
    let capture = read::enum_value(diagnostics, "captureMode", &wire.capture_mode, &captures);
    let port = match &wire.port {
        None => None,
        Some(port) if port.number == 0 => {
            service_entry::protocol(diagnostics, &port.protocol);
            if capture == Some(false) {
                let message = (
                    "nothing is captured towards a unix socket",
                    "write NONE or leave it out",
                );
                diagnostics.error("captureMode", &wire.capture_mode, message);
            }
            socket(wire, used, diagnostics);
            return None;
        }
        Some(port) => Some(egress_port(port, used, diagnostics)?),
    };
    let bind = match wire.bind.as_str() {
        // Without capture it is called on loopback, and takes nothing that is addressed elsewhere.
        "" if wire.capture_mode == "NONE" => Some(Ipv4Addr::LOCALHOST.into()),
        "" => None,
        text => read::address(diagnostics, "bind", text),
    };
    let dialled = wire.capture_mode == "NONE" && port.is_some();
    Some(EgressListener {
        port,
        bind,
        dialled,
        hosts,
    })
}

/// The port of a listener on an address.
fn egress_port(
    port: &Port,
    used: &mut UsedListeners,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<EgressPort> {
    diagnostics.within("port", |diagnostics| {
        let number = sidecar_port(port, diagnostics);
        let protocol = service_entry::protocol(diagnostics, &port.protocol);
        let number = number?;
        if used.ports.contains(&number) {
            let message = (
                "another egress listener has this port",
                "use another, or one listener",
            );
            diagnostics.error("number", number, message);
        }
        used.ports.push(number);
        Some(EgressPort {
            number,
            protocol: protocol?,
            name: port.name.as_str().into(),
            proxies: port.protocol.eq_ignore_ascii_case("HTTP_PROXY"),
        })
    })
}

/// A listener on a unix socket, which egret does not open.
fn socket(
    wire: &wire::EgressListener,
    used: &mut UsedListeners,
    diagnostics: &mut Diagnostics<'_>,
) {
    let Some(path) = wire.bind.strip_prefix("unix://") else {
        let message = "expected a port from 1 to 65535, or a bind such as unix:///run/name.sock";
        diagnostics.error("port.number", 0, message);
        return;
    };
    if !read::is_socket(path) {
        let message = "expected an absolute path, as unix:///run/name.sock";
        diagnostics.error("bind", &wire.bind, message);
        return;
    }
    if used.sockets.contains(&wire.bind) {
        let message = (
            "another egress listener has this socket",
            "use another, or one listener",
        );
        diagnostics.error("bind", &wire.bind, message);
    }
    used.sockets.push(wire.bind.clone());
    let message = (
        "sockets are not opened, so this listener has no effect",
        "write a port",
    );
    diagnostics.warn("bind", &wire.bind, message);
}

/// Warns of hosts that others of the same listener already import.
fn repeated(wire: &wire::EgressListener, namespace: &str, diagnostics: &mut Diagnostics<'_>) {
    let mut earlier: Vec<(&str, &str)> = Vec::new();
    let mut warnings = Vec::new();
    for (at, text) in wire.hosts.iter().enumerate() {
        let Some((from, host)) = text.split_once('/') else {
            continue;
        };
        let from = if from == "." { namespace } else { from };
        let other = earlier.iter().find(|(other, of)| {
            let same = *other == from && (*of == host || *of == "*" || host == "*");
            same || (*other == "*" && *of == "*") || (from == "*" && host == "*")
        });
        if let Some((from, host)) = other {
            warnings.push((
                at,
                text,
                (
                    format!("{from}/{host} of the same listener imports some of the same"),
                    "leave the narrower one out",
                ),
            ));
        }
        earlier.push((from, host));
    }
    for (at, text, message) in warnings {
        diagnostics.warn(&format!("hosts[{at}]"), text, message);
    }
}

/// `namespace/host`, where the namespace may be `*`, `.` or `~`, and a leading `~` excludes.
fn import(text: &str, diagnostics: &mut Diagnostics<'_>) -> Option<Import> {
    let Some((namespace, host)) = text.split_once('/') else {
        diagnostics.error(
            "",
            text,
            "expected `namespace/host`, for example `*/*`, `./*` or `istio-system/*.example.com`",
        );
        return None;
    };
    let pattern = HostPattern::parse(host);
    let (namespace, exclude) = match namespace {
        "~" if host == "*" => (ImportFrom::Nothing, false),
        "~" => (ImportFrom::Any, true),
        "*" => (ImportFrom::Any, false),
        "." => (ImportFrom::Own, false),
        name => {
            let bare = name.strip_prefix('~').unwrap_or(name);
            if !host_name::is_label(bare) {
                diagnostics.error("", text, "not a valid name of a namespace before the `/`");
                return None;
            }
            (ImportFrom::Namespace(bare.into()), bare.len() < name.len())
        }
    };
    if let Some(reason) = host_name::problem_of_pattern(host) {
        diagnostics.error("", text, reason);
        return None;
    }
    host_name::admit_full(diagnostics, text, host).then_some(Import {
        namespace,
        host: pattern,
        exclude,
    })
}
