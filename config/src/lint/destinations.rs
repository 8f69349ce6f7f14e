//! Subsets that no DestinationRule defines, and DestinationRules for hosts that no service has.

use std::collections::HashMap;
use std::sync::Arc;

use crate::host::{CLUSTER_DOMAIN, HostPattern};
use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::destination::Destination;
use crate::model::policy::DestinationRule;
use crate::model::route::HttpAction;
use crate::model::virtual_service::VirtualService;
use crate::problem::Problem;

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    let rules = Rules::new(&view.objects.destination_rules);
    for vs in &view.objects.virtual_services {
        for (field, destination) in destinations(vs) {
            let Some(subset) = &destination.subset else {
                continue;
            };
            if !rules.define(&destination.host, subset) {
                warnings.push(warning(
                    &vs.meta,
                    field,
                    &destination.host,
                    format!("no DestinationRule defines subset {subset} of this host: calls are answered 503 NC"),
                    "define the subset in a DestinationRule of the client's or the service's namespace, or leave it out",
                ));
            }
        }
    }
    for rule in &view.objects.destination_rules {
        let known = match &rule.host {
            HostPattern::Exact(name) => {
                // The Services of a cluster are seldom among the files.
                name.ends_with(&format!(".{CLUSTER_DOMAIN}"))
                    || view.services.contains_key(&rule.host)
            }
            HostPattern::Suffix(_) | HostPattern::Any => view
                .objects
                .services
                .iter()
                .any(|service| rule.host.covers(&service.host)),
        };
        if !known && !view.objects.services.is_empty() {
            warnings.push(warning(
                &rule.meta,
                "spec.host",
                &rule.host.to_string(),
                "no Service or ServiceEntry has this host: the rule has no effect",
                "write the host exactly as the ServiceEntry has it, or add a ServiceEntry",
            ));
        }
    }
}

/// DestinationRules with subsets, by host.
struct Rules<'o> {
    exact: HashMap<&'o str, Vec<&'o DestinationRule>>,
    wild: Vec<&'o DestinationRule>,
}

impl<'o> Rules<'o> {
    fn new(rules: &'o [Arc<DestinationRule>]) -> Self {
        let mut exact: HashMap<&str, Vec<&DestinationRule>> = HashMap::new();
        let mut wild = Vec::new();
        for rule in rules.iter().filter(|rule| !rule.subsets.is_empty()) {
            match rule.host.exact() {
                Some(name) => exact.entry(name).or_default().push(rule),
                None => wild.push(&**rule),
            }
        }
        Self { exact, wild }
    }

    fn define(&self, host: &str, subset: &str) -> bool {
        let exact = self.exact.get(host).into_iter().flatten();
        let wild = self.wild.iter().filter(|rule| rule.host.matches(host));
        exact
            .chain(wild)
            .any(|rule| rule.subsets.iter().any(|one| *one.name == *subset))
    }
}

/// Every destination of a VirtualService, with its field.
fn destinations(vs: &VirtualService) -> Vec<(String, &Destination)> {
    let mut all = Vec::new();
    for (at, rule) in vs.http.iter().enumerate() {
        if let HttpAction::Route(list) = &rule.action {
            for (index, one) in list.iter().enumerate() {
                all.push((
                    format!("spec.http[{at}].route[{index}].destination"),
                    &one.destination,
                ));
            }
        }
        for (index, mirror) in rule.mirrors.iter().enumerate() {
            all.push((
                format!("spec.http[{at}].mirrors[{index}].destination"),
                &mirror.destination,
            ));
        }
    }
    let tls = vs.tls.iter().map(|rule| &rule.destinations).enumerate();
    let tcp = vs.tcp.iter().map(|rule| &rule.destinations).enumerate();
    for (kind, (at, list)) in tls
        .map(|one| ("tls", one))
        .chain(tcp.map(|one| ("tcp", one)))
    {
        for (index, one) in list.iter().enumerate() {
            all.push((
                format!("spec.{kind}[{at}].route[{index}].destination"),
                &one.destination,
            ));
        }
    }
    all
}
