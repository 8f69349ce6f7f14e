//! Sidecar, read.

use std::sync::Arc;

use crate::host;
use crate::host::HostPattern;
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
use crate::problem::NO_VALUE;
use crate::problem::Review;
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
            "an empty Sidecar; set egress, ingress or outboundTrafficPolicy",
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
    let last = wire.egress.len().saturating_sub(1);
    let mut index = 0;
    let mut ports = Vec::new();
    let egress = review.each("egress", &wire.egress, |review, wire| {
        if wire.port.is_none() && index != last {
            review.error(
                "port",
                NO_VALUE,
                "only the last egress listener may be without a port",
            );
        }
        index += 1;
        listener(wire, &mut ports, review)
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
        review.error("egressProxy", NO_VALUE, "needs mode ALLOW_ANY");
    }
    review.within("egressProxy", |review| {
        if let Some(fault) = read::fault_of_name(&proxy.host) {
            review.error("host", &proxy.host, fault);
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

fn listener(
    wire: &wire::EgressListener,
    ports: &mut Vec<u16>,
    review: &mut Review<'_>,
) -> Option<EgressListener> {
    if wire.hosts.is_empty() {
        review.error("hosts", NO_VALUE, "at least one is required");
    }
    let port = match &wire.port {
        None => None,
        Some(port) => {
            if port.number == 0 && wire.bind.starts_with("unix://") {
                review.warn(
                    "bind",
                    &wire.bind,
                    "not supported yet: the listener is ignored",
                );
                return None;
            }
            review.within("port", |review| {
                if port.target_port > 0 {
                    review.error(
                        "targetPort",
                        port.target_port,
                        "means nothing for a Sidecar; leave it out",
                    );
                }
                if !port.name.is_empty() && !read::is_label(&port.name) {
                    review.error("name", &port.name, "expected letters, digits and dashes");
                }
                let number = read::port(review, "number", port.number)?;
                if ports.contains(&number) {
                    review.error("number", number, "another egress listener has this port");
                }
                ports.push(number);
                Some(EgressPort {
                    number,
                    protocol: entry::protocol(review, &port.protocol)?,
                    name: port.name.as_str().into(),
                    proxies: port.protocol.eq_ignore_ascii_case("HTTP_PROXY"),
                })
            })
        }
    };
    let bind = match wire.bind.as_str() {
        "" => None,
        text => read::address(review, "bind", text),
    };
    Some(EgressListener {
        port,
        bind,
        hosts: review.each("hosts", &wire.hosts, |review, text| import(text, review)),
    })
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
            if !read::is_label(bare) {
                review.error("", text, "not a valid name of a namespace before the `/`");
                return None;
            }
            (ImportFrom::Namespace(bare.into()), bare.len() < name.len())
        }
    };
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    if let Some(fault) = read::fault_of_pattern(host).filter(|_| !is_address) {
        review.error("", text, fault);
        return None;
    }
    Some(Import {
        namespace,
        host: pattern,
        exclude,
    })
}
