//! TLS inside of TLS, and plaintext for ports that expect TLS.

use std::collections::HashMap;
use std::sync::Arc;

use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::policy::{DestinationRule, PortPolicies};
use crate::model::service::Service;
use crate::name::Kind;
use crate::port::PortClass;
use crate::problem::Problem;

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    let mut exact: HashMap<&str, Vec<&Arc<DestinationRule>>> = HashMap::new();
    let mut wild = Vec::new();
    for rule in &view.objects.destination_rules {
        match rule.host.exact() {
            Some(name) => exact.entry(name).or_default().push(rule),
            None => wild.push(rule),
        }
    }
    for service in &view.objects.services {
        let host = service.host.exact();
        let own = host
            .and_then(|host| exact.get(&**host))
            .into_iter()
            .flatten();
        let rules: Vec<&Arc<DestinationRule>> = own
            .chain(wild.iter().filter(|rule| rule.host.covers(&service.host)))
            .copied()
            .collect();
        double_tls(service, &rules, warnings);
        if service.meta.kind == Kind::ServiceEntry {
            plaintext_upstream(service, &rules, warnings);
        }
    }
}

/// Ports whose clients send TLS, and DestinationRules that wrap it in a second TLS.
fn double_tls(service: &Service, rules: &[&Arc<DestinationRule>], warnings: &mut Vec<Problem>) {
    for port in service.ports.iter().filter(|port| port.protocol.is_tls()) {
        for rule in rules {
            let general = ("spec.trafficPolicy".to_owned(), rule.policy.as_ref());
            let subsets = rule.subsets.iter().enumerate().map(|(at, subset)| {
                (
                    format!("spec.subsets[{at}].trafficPolicy"),
                    subset.policy.as_ref(),
                )
            });
            for (field, policy) in std::iter::once(general).chain(subsets) {
                let Some(part) = policy.and_then(|policy| originates(policy, port.number)) else {
                    continue;
                };
                warnings.push(warning(
                    &rule.meta,
                    format!("{field}.{part}"),
                    &format!("{}:{} {}", service.host, port.number, port.protocol),
                    format!(
                        "clients of {} send TLS to port {}, which {} declares {}: it is wrapped in a second TLS, which the \
                         server does not expect",
                        service.host,
                        port.number,
                        service.meta.title(),
                        port.protocol
                    ),
                    "declare a port 80 HTTP with targetPort 443 and call http://, or set tls.mode DISABLE for this port in \
                     portLevelSettings",
                ));
            }
        }
    }
}

/// Which part of a policy originates TLS for a port.
fn originates(policy: &PortPolicies, number: u16) -> Option<String> {
    let at = policy.ports.iter().position(|(port, _)| *port == number);
    let (part, settings) = match at {
        Some(at) => (format!("portLevelSettings[{at}].tls"), &policy.ports[at].1),
        None => ("tls".to_owned(), &policy.all),
    };
    matches!(settings.tls, Some(Some(_))).then_some(part)
}

/// Plaintext HTTP for port 443, which no DestinationRule wraps in TLS.
fn plaintext_upstream(
    service: &Service,
    rules: &[&Arc<DestinationRule>],
    warnings: &mut Vec<Problem>,
) {
    for (at, port) in service.ports.iter().enumerate() {
        let http = port.protocol.class() == Some(PortClass::Http);
        let sent_to = port.target.unwrap_or(port.number);
        let secured = rules.iter().any(|rule| {
            let subsets = rule
                .subsets
                .iter()
                .filter_map(|subset| subset.policy.as_ref());
            rule.policy
                .iter()
                .chain(subsets)
                .any(|policy| originates(policy, port.number).is_some())
        });
        if http && sent_to == 443 && service.endpoints.is_empty() && !secured {
            warnings.push(warning(
                &service.meta,
                format!("spec.ports[{at}].protocol"),
                &format!("{} {}", port.number, port.protocol),
                "plaintext is sent to port 443, where servers expect TLS; clients that send TLS fail",
                "write protocol HTTPS when clients send TLS, or a DestinationRule with trafficPolicy.tls.mode SIMPLE \
                 when they do not",
            ));
        }
    }
}
