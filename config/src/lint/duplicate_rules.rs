//! Two DestinationRules of one namespace for one host: their subsets are joined, but only one of their policies counts.

use std::collections::HashMap;

use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::policy::DestinationRule;
use crate::problem::Problem;

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    let mut first: HashMap<_, Vec<&DestinationRule>> = HashMap::new();
    for rule in view
        .objects
        .destination_rules
        .iter()
        .filter(|rule| rule.selector.is_none())
    {
        let key = (&rule.meta.name.namespace, &rule.host);
        let earlier = first.entry(key).or_default();
        if rule.policy.is_some()
            && let Some(winner) = earlier.iter().find(|one| one.policy.is_some())
        {
            warnings.push(warning(
                &rule.meta,
                "spec.trafficPolicy",
                &rule.host.to_string(),
                format!(
                    "{} has a trafficPolicy for this host too and wins, as the older one: of this one only the \
                     subsets have an effect",
                    winner.meta.title()
                ),
                "put both into one DestinationRule",
            ));
        }
        for subset in &rule.subsets {
            let holder = earlier
                .iter()
                .find(|one| one.subsets.iter().any(|known| known.name == subset.name));
            if let Some(holder) = holder {
                warnings.push(warning(
                    &rule.meta,
                    format!("spec.subsets[{}]", subset.name),
                    &subset.name,
                    format!(
                        "{} defines this subset too and wins, as the older one",
                        holder.meta.title()
                    ),
                    "give the subsets different names, or put both into one DestinationRule",
                ));
            }
        }
        earlier.push(rule);
    }
}
