//! The smallest YAML that would allow a refused call.

use std::net::IpAddr;

use egret_config::decide::flag::Flag;
use egret_config::decide::outcome::OutcomeKind;
use egret_config::host::{HostPattern, split_authority};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};

use crate::commands::explain::answer::Answer;
use crate::commands::explain::call::Protocol;
use crate::source::registered::Registered;

/// The change that would allow a refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remedy {
    /// A description of the YAML, or advice.
    pub(super) advice: String,
    /// Documents; empty when there is only advice.
    pub(super) yaml: String,
}

/// The change that would allow a call; `None` when it is not refused, or when it is invalid.
/// `services` are all that are registered, visible to the workload or not.
pub(super) fn remedy(
    snapshot: &Snapshot,
    services: &[Registered],
    answer: &Answer,
) -> Option<Remedy> {
    let workload = &snapshot.workload;
    match (answer.outcome.kind, answer.flag()) {
        (OutcomeKind::Blackhole, _) if answer.is_own_listener() => None,
        (OutcomeKind::Blackhole, _) => Some(registration(snapshot, services, answer)),
        (OutcomeKind::Route, Some(Flag::NC)) => missing(snapshot, services, answer),
        (OutcomeKind::Route, Some(Flag::UH)) => Some(Remedy {
            advice: "Give its ServiceEntry `endpoints`, or `resolution: DNS`; of a subset, endpoints with its labels."
                .to_owned(),
            yaml: String::new(),
        }),
        (OutcomeKind::NotFound, _) => not_found(workload, answer),
        (OutcomeKind::NoListener, _) => Some(Remedy {
            advice: "This would open the port:".to_owned(),
            yaml: gateway(workload, answer),
        }),
        (OutcomeKind::NoChain, _) => Some(Remedy {
            advice: "This would allow it (the destination also needs a ServiceEntry or Service):".to_owned(),
            yaml: format!("{}---\n{}", gateway(workload, answer), virtual_service(workload, answer)),
        }),
        _ => None,
    }
}

/// The destination of the call: a name if the call has one.
fn called(answer: &Answer) -> Option<String> {
    let host = answer
        .call
        .host
        .as_deref()
        .map(|host| split_authority(host).0.to_ascii_lowercase());
    let named = if answer.call.protocol.is_tls() {
        answer.sni.clone()
    } else {
        host
    };
    named
        .filter(|name| !name.is_empty() && name.parse::<IpAddr>().is_err())
        .filter(|_| answer.call.protocol != Protocol::Tcp && !is_connect(answer))
}

/// A ServiceEntry for an unregistered destination; for a registered one the reason why it does not count.
fn registration(snapshot: &Snapshot, services: &[Registered], answer: &Answer) -> Remedy {
    let namespace = &*snapshot.workload.namespace;
    let port = answer.to.port();
    let text_only = |advice: String| Remedy {
        advice,
        yaml: String::new(),
    };
    let Some(name) = called(answer) else {
        return Remedy {
            advice: "This would allow it:".to_owned(),
            yaml: by_address(namespace, answer),
        };
    };
    let own = services
        .iter()
        .filter(|service| service.host.matches(&name));
    let mut own: Vec<&Registered> = own.collect();
    own.sort_by(|one, other| one.host.by_specificity(&other.host));
    let is_in = |service: &&&Registered| service.ports.iter().any(|(number, _)| *number == port);
    if let Some(service) = own.iter().find(is_in) {
        let title = service.meta.title();
        let declared = service.ports.iter().find(|(number, _)| *number == port);
        let declared = declared
            .map(|(_, protocol)| protocol.to_string())
            .unwrap_or_default();
        let visible = snapshot
            .clusters
            .keys()
            .any(|cluster| cluster.ends_with(&format!("||{}", service.host)));
        return text_only(if visible {
            format!(
                "{title} has the host and port {port}, but for {declared}: its protocol is not that of this call. Declare the port \
                 as {}, or call it as {declared}.",
                protocol(answer)
            )
        } else {
            format!(
                "{title} has the host and port {port}, but namespace {namespace} does not see it: see its `exportTo`, and \
                 `egress.hosts` of the Sidecar, where \"{}/{name}\" would let it in.",
                service.meta.name.namespace
            )
        });
    }
    if let Some(service) = own.first() {
        return Remedy {
            advice: format!(
                "{} has the host, but not the port. Add to its ports:",
                service.meta.title()
            ),
            yaml: port_yaml(answer, "  "),
        };
    }
    Remedy {
        advice: "This would allow it:".to_owned(),
        yaml: by_name(namespace, &name, answer),
    }
}

/// A ServiceEntry for a name.
fn by_name(namespace: &str, name: &str, answer: &Answer) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: {}\n  namespace: {namespace}\nspec:\n  \
         hosts:\n  - {name}\n  ports:\n{}  resolution: DNS\n",
        label(name),
        port_yaml(answer, "  "),
    )
}

/// A ServiceEntry for an address. Its host is a name that is never resolved.
fn by_address(namespace: &str, answer: &Answer) -> String {
    let ip = answer.to.ip();
    let name = format!("ip-{}", ip.to_string().replace(['.', ':'], "-"));
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  \
         hosts:\n  - {name}.external\n  addresses:\n  - {ip}\n  ports:\n{}  resolution: NONE\n",
        port_yaml(answer, "  "),
    )
}

fn port_yaml(answer: &Answer, indent: &str) -> String {
    let protocol = protocol(answer);
    let port = answer.to.port();
    let name = protocol.to_ascii_lowercase();
    format!(
        "{indent}- number: {port}\n{indent}  name: {name}-{port}\n{indent}  protocol: {protocol}\n"
    )
}

/// Whether an HTTP proxy is called: what it carries are bytes.
fn is_connect(answer: &Answer) -> bool {
    let protocol = &answer.call.protocol;
    answer.call.method == "CONNECT" && *protocol != Protocol::Tcp && !protocol.is_tls()
}

fn protocol(answer: &Answer) -> &'static str {
    if is_connect(answer) {
        return "TCP";
    }
    match answer.call.protocol {
        Protocol::Http => "HTTP",
        Protocol::Http2 => "HTTP2",
        Protocol::Https | Protocol::Tls => "TLS",
        Protocol::Tcp => "TCP",
    }
}

/// What a cluster lacks, of which only the name is known: `outbound|port|subset|host`.
fn missing(snapshot: &Snapshot, services: &[Registered], answer: &Answer) -> Option<Remedy> {
    let namespace = &snapshot.workload.namespace;
    let cluster = answer.outcome.cluster.as_deref()?;
    let mut parts = cluster.splitn(4, '|').skip(1);
    let (port, subset, host) = (parts.next()?, parts.next()?, parts.next()?);
    let there = |subset: &str| {
        let name = format!("outbound|{port}|{subset}|{host}");
        snapshot.clusters.contains_key(&*name)
    };
    if !subset.is_empty() && there("") {
        return Some(Remedy {
            advice: format!(
                "No DestinationRule that applies here defines subset {subset}. This would:"
            ),
            yaml: format!(
                "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n  name: {}\n  namespace: {namespace}\nspec:\n  \
                 host: {host}\n  subsets:\n  - name: {subset}\n    labels: {{}}\n",
                label(host)
            ),
        });
    }
    let pattern = HostPattern::parse(host);
    let known: Vec<&Registered> = services
        .iter()
        .filter(|service| service.host == pattern)
        .collect();
    if let Some(service) = known.first() {
        let title = service.meta.title();
        let has_port = known.iter().any(|one| {
            one.ports
                .iter()
                .any(|(number, _)| number.to_string() == port)
        });
        return Some(Remedy {
            advice: if has_port {
                format!(
                    "{title} has the host and the port, but namespace {namespace} does not see it (see its `exportTo`), or it has no way to be resolved."
                )
            } else {
                format!(
                    "{title} has no port {port}: add it there, or write `port.number` of one that it has into the destination."
                )
            },
            yaml: String::new(),
        });
    }
    Some(Remedy {
        advice: format!("No service has host {host}. This would be one:"),
        yaml: format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: {}\n  namespace: {namespace}\nspec:\n  \
             hosts:\n  - {host}\n  ports:\n  - number: {port}\n    name: http-{port}\n    protocol: HTTP\n  resolution: DNS\n",
            label(host)
        ),
    })
}

fn not_found(workload: &Workload, answer: &Answer) -> Option<Remedy> {
    if let Some(host) = &answer.outcome.virtual_host {
        return Some(Remedy {
            advice: format!(
                "The rules of virtual host {host} leave this request out. Let one of them match it, or add a last rule \
                 without `match`."
            ),
            yaml: String::new(),
        });
    }
    called(answer)?;
    Some(Remedy {
        advice: "This would allow it (the destination also needs a ServiceEntry or Service):"
            .to_owned(),
        yaml: virtual_service(workload, answer),
    })
}

/// A VirtualService for a call at a gateway.
fn virtual_service(workload: &Workload, answer: &Answer) -> String {
    let name = called(answer).unwrap_or_else(|| "example.com".to_owned());
    let port = answer.to.port();
    let route = format!(
        "    route:\n    - destination:\n        host: {name}\n        port:\n          number: {port}\n"
    );
    let rule = match answer.call.protocol {
        Protocol::Https | Protocol::Tls => {
            format!(
                "  tls:\n  - match:\n    - port: {port}\n      sniHosts:\n      - {name}\n{route}"
            )
        }
        Protocol::Tcp => format!("  tcp:\n  - match:\n    - port: {port}\n{route}"),
        Protocol::Http | Protocol::Http2 => {
            format!("  http:\n  - match:\n    - port: {port}\n{route}")
        }
    };
    let gateways = match workload.mode {
        Mode::Gateway => format!("  gateways:\n  - {}/egress\n", workload.namespace),
        Mode::Sidecar => String::new(),
    };
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: {}\n  namespace: {}\nspec:\n  hosts:\n  - \
         {name}\n{gateways}{rule}",
        label(&name),
        workload.namespace,
    )
}

/// A Gateway with a server for a call.
fn gateway(workload: &Workload, answer: &Answer) -> String {
    let name = called(answer).unwrap_or_else(|| "*".to_owned());
    let (protocol, port) = (protocol(answer), answer.to.port());
    let selector: String = workload
        .labels
        .0
        .iter()
        .map(|(key, value)| format!("    {key}: {value}\n"))
        .collect();
    let selector = if selector.is_empty() {
        String::new()
    } else {
        format!("  selector:\n{selector}")
    };
    let tls = if protocol == "TLS" {
        "    tls:\n      mode: PASSTHROUGH\n"
    } else {
        ""
    };
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata:\n  name: egress\n  namespace: {}\nspec:\n{selector}  \
         servers:\n  - port:\n      number: {port}\n      name: {}-{port}\n      protocol: {protocol}\n    hosts:\n    - \"{name}\"\n{tls}",
        workload.namespace,
        protocol.to_ascii_lowercase(),
    )
}

/// A host as the name of an object.
fn label(host: &str) -> String {
    host.trim_start_matches("*.").replace(['.', '*'], "-")
}
