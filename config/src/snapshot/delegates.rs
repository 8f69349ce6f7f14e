//! Delegation: an `http` rule that names another VirtualService becomes that one's rules, conditions joined.

use std::collections::HashMap;
use std::sync::Arc;

use crate::labels::Labels;
use crate::model::objects::Objects;
use crate::model::route::HttpAction;
use crate::model::route::HttpMatch;
use crate::model::route::HttpRoute;
use crate::model::virtual_service::SourceMatch;
use crate::model::virtual_service::VirtualService;
use crate::name::ObjectName;
use crate::problem::Problem;
use crate::snapshot::findings::Findings;
use crate::snapshot::routes::Written;
use crate::snapshot::visible::sees;
use crate::value::StringMatch;

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

    /// The `http` rules of a VirtualService, those of its delegates in the place of the rules that name them. Delegates of
    /// delegates are not followed, as in Istio.
    pub(crate) fn joined(&self, vs: &VirtualService, findings: &mut Findings) -> Vec<Written> {
        let mut joined = Vec::with_capacity(vs.http.len());
        for (place, root) in vs.http.iter().enumerate() {
            let HttpAction::Delegate(name) = &root.action else {
                joined.push(Written {
                    object: vs.meta.clone(),
                    place,
                    route: root.clone(),
                });
                continue;
            };
            let Some(delegate) = self.find(name, vs) else {
                findings.add(Problem {
                    field: format!("spec.http[{place}].delegate"),
                    value: name.to_string(),
                    reason: "no VirtualService without hosts has this name, or it is not exported to this namespace: \
                             the rule does nothing"
                        .to_owned(),
                    ..Findings::warning(&vs.meta)
                });
                continue;
            };
            for (place, leaf) in delegate.http.iter().enumerate() {
                if matches!(leaf.action, HttpAction::Delegate(_)) {
                    continue;
                }
                match join(root, leaf) {
                    Some(route) => joined.push(Written {
                        object: delegate.meta.clone(),
                        place,
                        route: Arc::new(route),
                    }),
                    None => findings.add(Problem {
                        field: format!("spec.http[{place}].match"),
                        reason: format!(
                            "an alternative agrees with none of the rule of {} that delegates here: the rule does nothing",
                            vs.meta.title()
                        ),
                        ..Findings::warning(&delegate.meta)
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
                let of_leaf = roots.iter().filter(|root| !conflicts(root, leaf));
                agreed.extend(of_leaf.map(|root| both(root, leaf)));
                // As in Istio, one alternative that no root lets through spoils the rule.
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
    let unset = |operations: &crate::model::route::HeaderOperations| {
        operations.remove.is_empty() && operations.set.is_empty() && operations.add.is_empty()
    };
    if unset(&route.headers.request) && unset(&route.headers.response) {
        route.headers.clone_from(&root.headers);
    }
    Some(route)
}

fn dashed(root: Option<&Arc<str>>, leaf: Option<&Arc<str>>) -> Option<Arc<str>> {
    match (root, leaf) {
        (Some(root), Some(leaf)) => Some(format!("{root}-{leaf}").into()),
        (one, other) => one.or(other).cloned(),
    }
}

/// Both alternatives in one; where both say something the delegate's counts, which the root's allows.
fn both(root: &HttpMatch, leaf: &HttpMatch) -> HttpMatch {
    let one = |leaf: &Option<StringMatch>, root: &Option<StringMatch>| {
        leaf.clone().or_else(|| root.clone())
    };
    HttpMatch {
        name: dashed(root.name.as_ref(), leaf.name.as_ref()),
        uri: one(&leaf.uri, &root.uri),
        segments: match leaf.uri {
            Some(_) => leaf.segments,
            None => root.segments,
        },
        ignore_uri_case: leaf.ignore_uri_case,
        scheme: one(&leaf.scheme, &root.scheme),
        method: one(&leaf.method, &root.method),
        authority: one(&leaf.authority, &root.authority),
        headers: overlaid(&root.headers, &leaf.headers),
        without_headers: overlaid(&root.without_headers, &leaf.without_headers),
        query: overlaid(&root.query, &leaf.query),
        source: SourceMatch {
            port: leaf.source.port.or(root.source.port),
            gateways: if leaf.source.gateways.is_empty() {
                root.source.gateways.clone()
            } else {
                leaf.source.gateways.clone()
            },
            labels: Labels(
                root.source
                    .labels
                    .0
                    .iter()
                    .chain(&leaf.source.labels.0)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            ),
            namespace: leaf
                .source
                .namespace
                .clone()
                .or_else(|| root.source.namespace.clone()),
        },
    }
}

type Named = (Arc<str>, StringMatch);

fn overlaid(root: &[Named], leaf: &[Named]) -> Vec<Named> {
    let of_root = root
        .iter()
        .filter(|(name, _)| leaf.iter().all(|(other, _)| other != name));
    leaf.iter().chain(of_root).cloned().collect()
}

fn conflicts(root: &HttpMatch, leaf: &HttpMatch) -> bool {
    let strings = [
        (&root.uri, &leaf.uri),
        (&root.scheme, &leaf.scheme),
        (&root.method, &leaf.method),
        (&root.authority, &leaf.authority),
    ];
    let named = [
        (&root.headers, &leaf.headers),
        (&root.without_headers, &leaf.without_headers),
        (&root.query, &leaf.query),
    ];
    let of = |list: &[Named], wanted: &Arc<str>| {
        list.iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.clone())
    };
    let (from, to) = (&root.source, &leaf.source);
    strings
        .into_iter()
        .any(|(root, leaf)| texts_conflict(root.as_ref(), leaf.as_ref()))
        || named.into_iter().any(|(root, leaf)| {
            leaf.iter()
                .any(|(name, value)| texts_conflict(of(root, name).as_ref(), Some(value)))
        })
        || root.ignore_uri_case != leaf.ignore_uri_case
        || matches!((from.port, to.port), (Some(root), Some(leaf)) if root != leaf)
        || (from.namespace.is_some() && from.namespace != to.namespace)
        || to
            .labels
            .0
            .iter()
            .any(|(key, value)| from.labels.0.get(key).is_some_and(|root| root != value))
        || (!from.gateways.is_empty()
            && to.gateways.iter().any(|leaf| !from.gateways.contains(leaf)))
}

/// Whether a delegate's text is outside of what the root's lets through. Regular expressions and mere presence agree with
/// nothing, as in Istio.
fn texts_conflict(root: Option<&StringMatch>, leaf: Option<&StringMatch>) -> bool {
    use StringMatch::{Exact, ExactIgnoreCase, Prefix, PrefixIgnoreCase, Present, Regex};
    let (Some(root), Some(leaf)) = (root, leaf) else {
        return false;
    };
    match (root, leaf) {
        (Present | Regex(_), _) | (_, Present | Regex(_)) => true,
        (Exact(root), Exact(leaf)) | (ExactIgnoreCase(root), ExactIgnoreCase(leaf)) => root != leaf,
        (Prefix(root), Exact(leaf) | Prefix(leaf))
        | (PrefixIgnoreCase(root), ExactIgnoreCase(leaf) | PrefixIgnoreCase(leaf)) => {
            !leaf.starts_with(&**root)
        }
        (Exact(_) | ExactIgnoreCase(_) | Prefix(_) | PrefixIgnoreCase(_), _) => true,
    }
}
