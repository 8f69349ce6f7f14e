//! Which DestinationRule applies to a service, and its policy for one port and subset.

use std::collections::BTreeMap;

use crate::host::HostPattern;
use crate::labels::Labels;
use crate::model::meta::ExportTo;
use crate::model::objects::Objects;
use crate::model::policy::{DestinationRule, PortPolicies, Subset, TrafficPolicy};
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
    /// root namespace; in each those of the most specific host. The first namespace with one ends the search, but rules
    /// with selectors that do not select the workload are none.
    pub(crate) fn for_service(&self, workload: &Workload, service: &Service) -> Merged<'o> {
        let own = &*workload.namespace;
        let root = &*self.objects.mesh.root_namespace;
        let host = &service.host;
        let of_own = if own == root {
            self.groups(own, host, |rule| self.is_private(rule))
        } else {
            self.groups(own, host, |rule| self.is_seen_at_home(rule))
        };
        let selected = of_own.iter().find(|group| {
            let selector = group.selector();
            selector.is_some_and(|selector| selector.select(&workload.labels))
        });
        if let Some(group) = selected {
            return group.merged();
        }
        let exported = |namespace: &str| {
            let mut groups = self.groups(namespace, host, |rule| !self.is_private(rule));
            let default = &self.objects.mesh.destination_rule_export_to;
            groups
                .retain(|group| includes(group.first.export_to.as_ref(), default, namespace, own));
            general(&groups)
        };
        general(&of_own)
            .or_else(|| exported(&service.meta.name.namespace))
            .or_else(|| exported(root))
            .unwrap_or_default()
    }

    /// Whether a rule counts for its own namespace alone.
    fn is_private(&self, rule: &DestinationRule) -> bool {
        let default = &self.objects.mesh.destination_rule_export_to;
        let own = &*rule.meta.name.namespace;
        match rule.export_to.as_ref().unwrap_or(default) {
            ExportTo::All => false,
            ExportTo::Nobody => true,
            ExportTo::Namespaces(list) => list.iter().all(|one| **one == *own || **one == *"."),
        }
    }

    /// Whether a rule counts for its own namespace at all. Without `exportTo` it does, whatever the mesh's default is.
    fn is_seen_at_home(&self, rule: &DestinationRule) -> bool {
        let own = &*rule.meta.name.namespace;
        match &rule.export_to {
            None | Some(ExportTo::All) => true,
            Some(ExportTo::Nobody) => false,
            Some(ExportTo::Namespaces(list)) => list.iter().any(|one| **one == *own),
        }
    }

    /// The rules of a namespace for the most specific host that has any candidate.
    fn groups(
        &self,
        namespace: &str,
        host: &HostPattern,
        is_candidate: impl Fn(&DestinationRule) -> bool,
    ) -> Vec<Group<'o>> {
        let Some(rules) = self.by_namespace.get(namespace) else {
            return Vec::new();
        };
        let groups = rules.covering(host).into_iter().map(|rules| {
            let mut rules: Vec<_> = rules
                .iter()
                .copied()
                .filter(|rule| is_candidate(rule))
                .collect();
            rules.sort_by_key(|rule| rule.selector.is_none());
            grouped(&rules)
        });
        groups
            .into_iter()
            .find(|groups| !groups.is_empty())
            .unwrap_or_default()
    }
}

/// Rules of one namespace and host that count as one.
struct Group<'o> {
    /// The oldest, which has priority.
    first: &'o DestinationRule,
    /// All of them, in order of age.
    rules: Vec<&'o DestinationRule>,
    /// Its rule is in an earlier group, too, which some of those that see it do not see.
    again: bool,
}

impl<'o> Group<'o> {
    fn selector(&self) -> Option<&'o Labels> {
        self.first.selector.as_ref()
    }

    fn merged(&self) -> Merged<'o> {
        Merged {
            rules: self.rules.clone(),
        }
    }

    /// Whether a younger rule adds to these; and whether it also counts alone.
    fn takes(&self, rule: &DestinationRule) -> (bool, bool) {
        let (first, same) = (self.first, self.selector() == rule.selector.as_ref());
        let only_first = first.selector.is_some() && rule.selector.is_none();
        if only_first {
            // The rule for some workloads is visible where the other is, except rules that are for others alone.
            return (true, true);
        }
        if !same {
            return (false, true);
        }
        match (&first.export_to, &rule.export_to) {
            (one, other) if alike(one.as_ref(), other.as_ref()) => (true, false),
            (Some(ExportTo::Namespaces(few)), Some(ExportTo::Namespaces(many)))
                if few.iter().all(|one| many.contains(one)) =>
            {
                (true, true)
            }
            _ => (false, true),
        }
    }
}

/// Rules in the order in which they count, put together as Istio does: those that are exported alike and select alike.
fn grouped<'o>(rules: &[&'o DestinationRule]) -> Vec<Group<'o>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for rule in rules {
        let (mut joined, mut alone) = (false, true);
        for group in &mut groups {
            let (takes, stands) = group.takes(rule);
            if takes {
                group.rules.push(rule);
                joined |= group.selector().is_none();
            }
            alone &= stands;
        }
        if alone {
            groups.push(Group {
                first: rule,
                rules: vec![rule],
                again: joined,
            });
        }
    }
    groups
}

/// Whether two rules are exported to the same namespaces.
fn alike(one: Option<&ExportTo>, other: Option<&ExportTo>) -> bool {
    match (one, other) {
        (Some(ExportTo::Namespaces(one)), Some(ExportTo::Namespaces(other))) => {
            one.len() == other.len() && one.iter().all(|name| other.contains(name))
        }
        (one, other) => one == other,
    }
}

/// What counts for workloads that no selector selects: of groups that are exported differently the youngest.
fn general<'o>(groups: &[Group<'o>]) -> Option<Merged<'o>> {
    let mut general = groups.iter().filter(|group| group.selector().is_none());
    let own = general.clone().rfind(|group| !group.again);
    own.or_else(|| general.next_back()).map(Group::merged)
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

    /// The settings of one port, maybe of a subset: the port's settings instead of the host's, and the subset's blocks
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
        let (locality, warmup) = match own.load_balancer {
            Some(_) => (own.locality, own.warmup),
            None => (policy.locality, policy.warmup),
        };
        TrafficPolicy {
            load_balancer: own.load_balancer.or(policy.load_balancer),
            locality,
            warmup,
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
