//! Which DestinationRule applies to a service, and what it amounts to for one port and subset.

use std::collections::BTreeMap;

use crate::host::HostPattern;
use crate::model::meta::ExportTo;
use crate::model::objects::Objects;
use crate::model::policy::DestinationRule;
use crate::model::policy::PortPolicies;
use crate::model::policy::Subset;
use crate::model::policy::TrafficPolicy;
use crate::model::service::Service;
use crate::snapshot::patterns::PatternMap;
use crate::snapshot::services::includes;
use crate::snapshot::workload::Workload;

/// The DestinationRules of a configuration, by namespace and host.
pub(crate) struct DestinationRules<'o> {
    objects: &'o Objects,
    by_namespace: BTreeMap<&'o str, PatternMap<Vec<&'o DestinationRule>>>,
}

/// The rules that apply to a service, merged: the first decides.
#[derive(Default)]
pub(crate) struct Merged<'o> {
    /// The rules, in order.
    pub(crate) rules: Vec<&'o DestinationRule>,
}

impl<'o> DestinationRules<'o> {
    /// Indexes the rules.
    pub(crate) fn new(objects: &'o Objects) -> Self {
        let mut by_namespace: BTreeMap<&str, PatternMap<Vec<_>>> = BTreeMap::new();
        for rule in &objects.destination_rules {
            by_namespace
                .entry(&rule.meta.name.namespace)
                .or_default()
                .entry(&rule.host, Vec::new)
                .push(&**rule);
        }
        Self {
            objects,
            by_namespace,
        }
    }

    /// The rules for a service as a workload calls it: of the workload's namespace, else of the service's, else of the
    /// root namespace; in each those of the most specific host. The first namespace with one ends the search.
    pub(crate) fn for_service(&self, workload: &Workload, service: &Service) -> Merged<'o> {
        let own = &*workload.namespace;
        let root = &*self.objects.mesh.root_namespace;
        let default = &self.objects.mesh.destination_rule_export_to;
        let private = |rule: &DestinationRule| match rule.export_to.as_ref().unwrap_or(default) {
            ExportTo::All => false,
            ExportTo::Nobody => true,
            ExportTo::Namespaces(list) => list.iter().all(|one| **one == *own || **one == *"."),
        };
        let exported = |rule: &DestinationRule| {
            rule.selector.is_none()
                && includes(
                    rule.export_to.as_ref(),
                    default,
                    &rule.meta.name.namespace,
                    own,
                )
        };
        let selects = |rule: &DestinationRule| {
            rule.selector
                .as_ref()
                .is_none_or(|selector| selector.select(&workload.labels))
        };
        let step = |namespace: &str, wanted: &dyn Fn(&DestinationRule) -> bool| {
            self.find(namespace, &service.host, wanted)
        };
        let of_own = if own == root {
            step(own, &|rule| selects(rule) && private(rule))
        } else {
            step(own, &selects)
        };
        of_own
            .or_else(|| step(&service.meta.name.namespace, &exported))
            .or_else(|| step(root, &exported))
            .unwrap_or_default()
    }

    fn find(
        &self,
        namespace: &str,
        host: &HostPattern,
        wanted: &dyn Fn(&DestinationRule) -> bool,
    ) -> Option<Merged<'o>> {
        let rules = self.by_namespace.get(namespace)?;
        rules.covering(host).into_iter().find_map(|group| {
            let mut rules: Vec<_> = group.iter().copied().filter(|rule| wanted(rule)).collect();
            rules.sort_by_key(|rule| rule.selector.is_none());
            (!rules.is_empty()).then_some(Merged { rules })
        })
    }
}

impl<'o> Merged<'o> {
    /// The subsets, the first of each name.
    pub(crate) fn subsets(&self) -> Vec<&'o Subset> {
        let mut subsets: Vec<&Subset> = Vec::new();
        for subset in self.rules.iter().flat_map(|rule| &rule.subsets) {
            if subsets.iter().all(|known| known.name != subset.name) {
                subsets.push(subset);
            }
        }
        subsets
    }

    /// What is said for one port, maybe of a subset: the port's settings instead of the host's, and the subset's blocks
    /// over them.
    pub(crate) fn policy(&self, port: u16, subset: Option<&Subset>) -> TrafficPolicy {
        let base = self.rules.iter().find_map(|rule| rule.policy.as_ref());
        let mut policy = base.map_or_else(TrafficPolicy::default, |base| {
            entry(base, port).unwrap_or(&base.all).clone()
        });
        let Some(own) = subset.and_then(|subset| subset.policy.as_ref()) else {
            return policy;
        };
        if let Some(own) = entry(own, port) {
            let tunnel = policy.tunnel;
            let proxy_protocol = policy.proxy_protocol;
            let retry_budget = policy.retry_budget;
            policy = own.clone();
            policy.tunnel = policy.tunnel.or(tunnel);
            policy.proxy_protocol = policy.proxy_protocol.or(proxy_protocol);
            policy.retry_budget = policy.retry_budget.or(retry_budget);
            return policy;
        }
        let own = own.all.clone();
        let locality = match own.load_balancer {
            Some(_) => own.locality,
            None => policy.locality,
        };
        TrafficPolicy {
            load_balancer: own.load_balancer.or(policy.load_balancer),
            locality,
            connection_pool: own.connection_pool.or(policy.connection_pool),
            outlier_detection: own.outlier_detection.or(policy.outlier_detection),
            tls: own.tls.or(policy.tls),
            tunnel: own.tunnel.or(policy.tunnel),
            proxy_protocol: own.proxy_protocol.or(policy.proxy_protocol),
            retry_budget: own.retry_budget.or(policy.retry_budget),
        }
    }
}

fn entry(policies: &PortPolicies, port: u16) -> Option<&TrafficPolicy> {
    policies
        .ports
        .iter()
        .find(|(number, _)| *number == port)
        .map(|(_, policy)| policy)
}
