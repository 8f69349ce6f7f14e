//! Delegation: an `http` rule that names another VirtualService becomes that one's rules, conditions joined.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::http_match::dashed;
use crate::model::objects::Objects;
use crate::model::route::{HttpAction, HttpRoute};
use crate::model::virtual_service::VirtualService;
use crate::name::ObjectName;
use crate::problem::Problem;
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::routes::SourceRule;
use crate::snapshot::visible::sees;

/// VirtualServices without hosts, by name.
pub(crate) struct Delegates<'o> {
    objects: &'o Objects,
    by_name: HashMap<&'o ObjectName, &'o Arc<VirtualService>>,
}

impl<'o> Delegates<'o> {
    /// Indexes the delegates.
    pub(crate) fn new(objects: &'o Objects) -> Self {
        let by_name = objects
            .virtual_services
            .iter()
            .filter(|vs| vs.hosts.is_empty())
            .map(|vs| (&vs.meta.name, vs))
            .collect();
        Self { objects, by_name }
    }

    /// The `http` rules of a VirtualService, where the delegates' rules replace those that name them. Delegates of
    /// delegates are not followed, as in Istio.
    pub(crate) fn joined(&self, vs: &VirtualService, problems: &mut ProblemSet) -> Vec<SourceRule> {
        let mut joined = Vec::with_capacity(vs.http.len());
        for (index, root) in vs.http.iter().enumerate() {
            let HttpAction::Delegate(name) = &root.action else {
                joined.push(SourceRule {
                    object: vs.meta.clone(),
                    index,
                    route: root.clone(),
                });
                continue;
            };
            let Some(delegate) = self.find(name, vs) else {
                problems.add(Problem {
                    field: format!("spec.http[{index}].delegate"),
                    value: name.to_string(),
                    reason: "no VirtualService without hosts has this name, or it is not exported to this namespace: \
                             the rule has no effect"
                        .to_owned(),
                    ..ProblemSet::warning(&vs.meta)
                });
                continue;
            };
            for (index, leaf) in delegate.http.iter().enumerate() {
                if matches!(leaf.action, HttpAction::Delegate(_)) {
                    continue;
                }
                match join(root, leaf) {
                    Some(route) => joined.push(SourceRule {
                        object: delegate.meta.clone(),
                        index,
                        route: Arc::new(route),
                    }),
                    None => problems.add(Problem {
                        field: format!("spec.http[{index}].match"),
                        reason: format!(
                            "an alternative agrees with none of the rule of {} that delegates here: the rule has no effect",
                            vs.meta.title()
                        ),
                        ..ProblemSet::warning(&delegate.meta)
                    }),
                }
            }
        }
        joined
    }

    fn find(&self, name: &ObjectName, root: &VirtualService) -> Option<&'o Arc<VirtualService>> {
        let delegate = *self.by_name.get(name)?;
        sees(self.objects, &root.meta.name.namespace, delegate).then_some(delegate)
    }
}

/// One delegated rule under its root; `None` when one of its alternatives agrees with none of the root's.
fn join(root: &HttpRoute, leaf: &HttpRoute) -> Option<HttpRoute> {
    let matches = match (&root.matches[..], &leaf.matches[..]) {
        (roots, []) => roots.to_vec(),
        ([], leaves) => leaves.to_vec(),
        (roots, leaves) => {
            let mut agreed = Vec::new();
            for leaf in leaves {
                let before = agreed.len();
                agreed.extend(roots.iter().filter_map(|root| root.merge(leaf)));
                // As in Istio, one alternative that no root allows invalidates the rule.
                if agreed.len() == before {
                    return None;
                }
            }
            agreed
        }
    };
    let mut route = leaf.clone();
    route.matches = matches;
    route.name = dashed(root.name.as_ref(), leaf.name.as_ref());
    route.rewrite = route.rewrite.or_else(|| root.rewrite.clone());
    route.timeout = route.timeout.or(root.timeout);
    route.retries = route.retries.or_else(|| root.retries.clone());
    route.fault = route.fault.or_else(|| root.fault.clone());
    route.cors = route.cors.or_else(|| root.cors.clone());
    if route.mirrors.is_empty() {
        route.mirrors.clone_from(&root.mirrors);
    }
    if route.headers.is_empty() {
        route.headers.clone_from(&root.headers);
    }
    Some(route)
}
