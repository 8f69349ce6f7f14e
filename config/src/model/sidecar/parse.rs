//! Sidecar, read.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::host;
use crate::host::HostPattern;
use crate::model::host_name;
use crate::model::mesh::OutboundPolicy;
use crate::model::meta::Meta;
use crate::model::read;
use crate::model::service::entry;
use crate::model::sidecar::EgressListener;
use crate::model::sidecar::EgressPort;
use crate::model::sidecar::EgressProxy;
use crate::model::sidecar::Import;
use crate::model::sidecar::ImportFrom;
use crate::model::sidecar::Sidecar;
use crate::model::sidecar::ingress;
use crate::problem::NO_VALUE;
use crate::problem::Review;
use crate::wire::shared::Port;
use crate::wire::sidecar as wire;

/// Reads a Sidecar. What comes back counts only if the review passed.
pub(crate) fn parse(wire: &wire::Sidecar, meta: &Arc<Meta>, review: &mut Review<'_>) -> Sidecar {
    let selects_only = wire::Sidecar {
        workload_selector: wire.workload_selector.clone(),
        ..wire::Sidecar::default()
    };
    if *wire == selects_only {
        review.error(
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
            review.warn(
                "workloadSelector",
                NO_VALUE,
                "without labels it selects every workload of the namespace",
            );
        }
        read::selector(review, "workloadSelector.labels", &selector.labels)
    });
    ingress::check(wire, review);
    let last = wire.egress.len().saturating_sub(1);
    let mut index = 0;
    let mut ports = Taken::default();
    let namespace = &meta.name.namespace;
    let egress = review.each("egress", &wire.egress, |review, wire| {
        if wire.port.is_none() && index != last {
            review.error(
                "port",
                NO_VALUE,
                (
                    "only the last egress listener may be without a port",
                    "move it to the end",
                ),
            );
        }
        index += 1;
        listener(wire, namespace, &mut ports, review)
    });
    let mut sidecar = Sidecar {
        meta: Arc::clone(meta),
        selector: selector.filter(|labels| !labels.is_empty()),
        egress,
        outbound_policy: None,
        egress_proxy: None,
    };
    if let Some(policy) = &wire.outbound_traffic_policy {
        review.within("outboundTrafficPolicy", |review| {
            outbound(&mut sidecar, policy, &meta.name.namespace, review);
        });
    }
    sidecar
}

/// A policy that is written but says no mode means REGISTRY_ONLY: that is the enumeration's zero.
fn outbound(
    sidecar: &mut Sidecar,
    wire: &wire::OutboundTrafficPolicy,
    namespace: &str,
    review: &mut Review<'_>,
) {
    let modes = [
        ("REGISTRY_ONLY", OutboundPolicy::RegistryOnly),
        ("ALLOW_ANY", OutboundPolicy::AllowAny),
    ];
    sidecar.outbound_policy = read::word(review, "mode", &wire.mode, &modes);
    let Some(proxy) = &wire.egress_proxy else {
        return;
    };
    if sidecar.outbound_policy != Some(OutboundPolicy::AllowAny) {
        review.error(
            "egressProxy",
            NO_VALUE,
            ("needs mode ALLOW_ANY", "write it, or leave egressProxy out"),
        );
    }
    review.within("egressProxy", |review| {
        if let Some(fault) = host_name::fault_of_name(&proxy.host) {
            review.error("host", &proxy.host, fault);
        }
        if !proxy.subset.is_empty() && !host_name::is_label(&proxy.subset) {
            review.error(
                "subset",
                &proxy.subset,
                "not a valid name of a subset: expected letters, digits and dashes",
            );
        }
        let number = proxy.port.as_ref().map_or(0, |port| port.number);
        let Some(port) = read::port(review, "port.number", number) else {
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
    review: &mut Review<'_>,
) -> Option<EgressListener> {
    if wire.hosts.is_empty() {
        review.error(
            "hosts",
            NO_VALUE,
            ("at least one is required", "list `*/*` for all"),
        );
    }
    let hosts = review.each("hosts", &wire.hosts, |review, text| import(text, review));
    repeated(wire, namespace, review);
    let captures = [("DEFAULT", true), ("IPTABLES", false), ("NONE", true)];
    let capture = read::word(review, "captureMode", &wire.capture_mode, &captures);
    let port = match &wire.port {
        None => None,
        Some(port) if port.number == 0 => {
            entry::protocol(review, &port.protocol);
            if capture == Some(false) {
                let what = (
                    "nothing is captured towards a unix socket",
                    "write NONE or leave it out",
                );
                review.error("captureMode", &wire.capture_mode, what);
            }
            socket(wire, taken, review);
            return None;
        }
        Some(port) => Some(egress_port(port, taken, review)?),
    };
    let bind = match wire.bind.as_str() {
        // Without capture it is called on loopback, and takes nothing that is addressed elsewhere.
        "" if wire.capture_mode == "NONE" => Some(Ipv4Addr::LOCALHOST.into()),
        "" => None,
        text => read::address(review, "bind", text),
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
fn egress_port(port: &Port, taken: &mut Taken, review: &mut Review<'_>) -> Option<EgressPort> {
    review.within("port", |review| {
        let number = sidecar_port(port, review);
        let protocol = entry::protocol(review, &port.protocol);
        let number = number?;
        if taken.ports.contains(&number) {
            let what = (
                "another egress listener has this port",
                "use another, or one listener",
            );
            review.error("number", number, what);
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

/// What ports of both directions have in common.
pub(super) fn sidecar_port(port: &Port, review: &mut Review<'_>) -> Option<u16> {
    if port.target_port > 0 {
        let what = ("means nothing for a Sidecar", "leave it out");
        review.error("targetPort", port.target_port, what);
    }
    if !port.name.is_empty() && !host_name::is_label(&port.name) {
        review.error("name", &port.name, "expected letters, digits and dashes");
    }
    read::port(review, "number", port.number)
}

/// A listener on a unix socket, which egret does not open.
fn socket(wire: &wire::EgressListener, taken: &mut Taken, review: &mut Review<'_>) {
    let Some(path) = wire.bind.strip_prefix("unix://") else {
        let what = "expected a port from 1 to 65535, or a bind such as unix:///run/name.sock";
        review.error("port.number", 0, what);
        return;
    };
    if !read::is_socket(path) {
        let what = "expected an absolute path, as unix:///run/name.sock";
        review.error("bind", &wire.bind, what);
        return;
    }
    if taken.sockets.contains(&wire.bind) {
        let what = (
            "another egress listener has this socket",
            "use another, or one listener",
        );
        review.error("bind", &wire.bind, what);
    }
    taken.sockets.push(wire.bind.clone());
    let what = (
        "sockets are not opened, so this listener does nothing",
        "write a port",
    );
    review.warn("bind", &wire.bind, what);
}

/// Warns of hosts that others of the same listener already import.
fn repeated(wire: &wire::EgressListener, namespace: &str, review: &mut Review<'_>) {
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
        review.warn(&format!("hosts[{at}]"), text, what);
    }
}

/// `namespace/host`, where the namespace may be `*`, `.` or `~`, and a leading `~` excludes.
fn import(text: &str, review: &mut Review<'_>) -> Option<Import> {
    let Some((namespace, host)) = text.split_once('/') else {
        review.error(
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
                review.error("", text, "not a valid name of a namespace before the `/`");
                return None;
            }
            (ImportFrom::Namespace(bare.into()), bare.len() < name.len())
        }
    };
    if let Some(fault) = host_name::fault_of_pattern(host) {
        review.error("", text, fault);
        return None;
    }
    if !host.contains('.') && host != "*" {
        let what = (
            "short names mean nothing here",
            "write the whole name, with its dots",
        );
        review.error("", text, what);
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
    Some(Import {
        namespace,
        host: pattern,
        exclude,
    })
}
