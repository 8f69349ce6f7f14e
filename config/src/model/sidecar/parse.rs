//! Sidecar, read.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::host;
use crate::host::HostPattern;
use crate::model::meta::Meta;
use crate::model::outbound_policy::OutboundPolicy;
use crate::model::service::entry;
use crate::model::sidecar::ingress;
use crate::model::sidecar::port::sidecar_port;
use crate::model::sidecar::types::{
    EgressListener, EgressPort, EgressProxy, Import, ImportFrom, Sidecar,
};
use crate::model::{host_name, read};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::shared::Port;
use crate::wire::sidecar as wire;

/// Reads a Sidecar. What comes back counts only if the review passed.
pub(crate) fn parse(
    wire: &wire::Sidecar,
    meta: &Arc<Meta>,
    diagnostics: &mut Diagnostics<'_>,
) -> Sidecar {
    let selects_only = wire::Sidecar {
        workload_selector: wire.workload_selector.clone(),
        ..wire::Sidecar::default()
    };
    if *wire == selects_only {
        diagnostics.error(
            "",
            NO_VALUE,
            (
                "an empty Sidecar",
                "set egress, ingress or outboundTrafficPolicy",
            ),
        );
    }
    let selector = wire.workload_selector.as_ref().map(|selector| {
        if selector.labels.is_empty() {
            diagnostics.warn(
                "workloadSelector",
                NO_VALUE,
                "without labels it selects every workload of the namespace",
            );
        }
        read::selector(diagnostics, "workloadSelector.labels", &selector.labels)
    });
    ingress::check(wire, diagnostics);
    let last = wire.egress.len().saturating_sub(1);
    let mut index = 0;
    let mut ports = Taken::default();
    let namespace = &meta.name.namespace;
    let egress = diagnostics.each("egress", &wire.egress, |diagnostics, wire| {
        if wire.port.is_none() && index != last {
            diagnostics.error(
                "port",
                NO_VALUE,
                (
                    "only the last egress listener may be without a port",
                    "move it to the end",
                ),
            );
        }
        index += 1;
        listener(wire, namespace, &mut ports, diagnostics)
    });
    let mut sidecar = Sidecar {
        meta: Arc::clone(meta),
        selector: selector.filter(|labels| !labels.is_empty()),
        egress,
        outbound_policy: None,
        egress_proxy: None,
    };
    if let Some(policy) = &wire.outbound_traffic_policy {
        diagnostics.within("outboundTrafficPolicy", |diagnostics| {
            outbound(&mut sidecar, policy, &meta.name.namespace, diagnostics);
        });
    }
    sidecar
}

/// A policy that is written but says no mode means REGISTRY_ONLY: that is the enumeration's zero.
fn outbound(
    sidecar: &mut Sidecar,
    wire: &wire::OutboundTrafficPolicy,
    namespace: &str,
    diagnostics: &mut Diagnostics<'_>,
) {
    let modes = [
        ("REGISTRY_ONLY", OutboundPolicy::RegistryOnly),
        ("ALLOW_ANY", OutboundPolicy::AllowAny),
    ];
    sidecar.outbound_policy = read::word(diagnostics, "mode", &wire.mode, &modes);
    let Some(proxy) = &wire.egress_proxy else {
        return;
    };
    if sidecar.outbound_policy != Some(OutboundPolicy::AllowAny) {
        diagnostics.error(
            "egressProxy",
            NO_VALUE,
            ("needs mode ALLOW_ANY", "write it, or leave egressProxy out"),
        );
    }
    diagnostics.within("egressProxy", |diagnostics| {
        if let Some(fault) = host_name::fault_of_name(&proxy.host) {
            diagnostics.error("host", &proxy.host, fault);
        }
        if !proxy.subset.is_empty() && !host_name::is_label(&proxy.subset) {
            diagnostics.error(
                "subset",
                &proxy.subset,
                "not a valid name of a subset: expected letters, digits and dashes",
            );
        }
        let number = proxy.port.as_ref().map_or(0, |port| port.number);
        let Some(port) = read::port(diagnostics, "port.number", number) else {
            return;
        };
        sidecar.egress_proxy = Some(EgressProxy {
            host: host::complete(&proxy.host, namespace),
            port,
            subset: read::optional(&proxy.subset),
        });
    });
}

/// Sockets and ports of egress listeners, each of which may be named once.
#[derive(Default)]
struct Taken {
    ports: Vec<u16>,
    sockets: Vec<String>,
}

fn listener(
    wire: &wire::EgressListener,
    namespace: &str,
    taken: &mut Taken,
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
    let capture = read::word(diagnostics, "captureMode", &wire.capture_mode, &captures);
    let port = match &wire.port {
        None => None,
        Some(port) if port.number == 0 => {
            entry::protocol(diagnostics, &port.protocol);
            if capture == Some(false) {
                let what = (
                    "nothing is captured towards a unix socket",
                    "write NONE or leave it out",
                );
                diagnostics.error("captureMode", &wire.capture_mode, what);
            }
            socket(wire, taken, diagnostics);
            return None;
        }
        Some(port) => Some(egress_port(port, taken, diagnostics)?),
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
    taken: &mut Taken,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<EgressPort> {
    diagnostics.within("port", |diagnostics| {
        let number = sidecar_port(port, diagnostics);
        let protocol = entry::protocol(diagnostics, &port.protocol);
        let number = number?;
        if taken.ports.contains(&number) {
            let what = (
                "another egress listener has this port",
                "use another, or one listener",
            );
            diagnostics.error("number", number, what);
        }
        taken.ports.push(number);
        Some(EgressPort {
            number,
            protocol: protocol?,
            name: port.name.as_str().into(),
            proxies: port.protocol.eq_ignore_ascii_case("HTTP_PROXY"),
        })
    })
}

/// A listener on a unix socket, which egret does not open.
fn socket(wire: &wire::EgressListener, taken: &mut Taken, diagnostics: &mut Diagnostics<'_>) {
    let Some(path) = wire.bind.strip_prefix("unix://") else {
        let what = "expected a port from 1 to 65535, or a bind such as unix:///run/name.sock";
        diagnostics.error("port.number", 0, what);
        return;
    };
    if !read::is_socket(path) {
        let what = "expected an absolute path, as unix:///run/name.sock";
        diagnostics.error("bind", &wire.bind, what);
        return;
    }
    if taken.sockets.contains(&wire.bind) {
        let what = (
            "another egress listener has this socket",
            "use another, or one listener",
        );
        diagnostics.error("bind", &wire.bind, what);
    }
    taken.sockets.push(wire.bind.clone());
    let what = (
        "sockets are not opened, so this listener has no effect",
        "write a port",
    );
    diagnostics.warn("bind", &wire.bind, what);
}

/// Warns of hosts that others of the same listener already import.
fn repeated(wire: &wire::EgressListener, namespace: &str, diagnostics: &mut Diagnostics<'_>) {
    let mut earlier: Vec<(&str, &str)> = Vec::new();
    let mut told = Vec::new();
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
            told.push((
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
    for (at, text, what) in told {
        diagnostics.warn(&format!("hosts[{at}]"), text, what);
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
    if let Some(fault) = host_name::fault_of_pattern(host) {
        diagnostics.error("", text, fault);
        return None;
    }
    if !host.contains('.') && host != "*" {
        let what = (
            "short names have no namespace to complete them here",
            "write the whole name, with its dots",
        );
        diagnostics.error("", text, what);
        return None;
    }
    if host_name::is_partial_wildcard(host) {
        let what = (
            "a wildcard must replace whole labels",
            "write `*.` before the dot",
        );
        diagnostics.error("", text, what);
        return None;
    }
    Some(Import {
        namespace,
        host: pattern,
        exclude,
    })
}
