//! One alternative of an HTTP rule.

use std::sync::Arc;

use crate::model::condition::{Condition, Merged};
use crate::model::source::{GatewayName, SourceMatch};
use crate::value::StringMatch;

/// One alternative of an HTTP rule. All conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct HttpMatch {
    /// `name`.
    pub name: Option<Arc<str>>,
    /// Its conditions, in the order in which they are checked.
    pub conditions: Arc<[Condition]>,
    /// `ignoreUriCase`, which a root and its delegate have to agree on.
    pub ignore_uri_case: bool,
    /// `port`, `gateways`, `sourceLabels`, `sourceNamespace`.
    pub source: SourceMatch,
}

impl HttpMatch {
    /// `uri`.
    pub fn path(&self) -> Option<&StringMatch> {
        self.conditions
            .iter()
            .find_map(|condition| match condition {
                Condition::Path(text) => Some(text),
                Condition::Scheme(_)
                | Condition::Method(_)
                | Condition::Authority(_)
                | Condition::Header(..)
                | Condition::WithoutHeader(..)
                | Condition::Query(..) => None,
            })
    }

    /// Whether every request of its clients matches.
    pub fn takes_all(&self) -> bool {
        self.conditions.iter().all(Condition::is_always_met)
    }

    /// Whether every request that matches `later` matches this too. `gateways` are those of the VirtualService of both.
    pub fn covers(&self, later: &Self, gateways: &[GatewayName]) -> bool {
        let covered = |wider: &Condition| {
            wider.is_always_met()
                || later
                    .conditions
                    .iter()
                    .any(|narrower| wider.covers(narrower))
        };
        self.source.covers(&later.source, gateways) && self.conditions.iter().all(covered)
    }

    /// This alternative of a root, and one of its delegate, in one; where both set something the delegate's counts.
    /// `None` when the root's does not let the delegate's through.
    pub fn merge(&self, leaf: &Self) -> Option<Self> {
        if self.ignore_uri_case != leaf.ignore_uri_case {
            return None;
        }
        let source = self.source.merge(&leaf.source)?;
        let mut conditions: Vec<Condition> = leaf.conditions.to_vec();
        for root in self.conditions.iter() {
            let mut merged = leaf.conditions.iter().map(|leaf| root.merge(leaf));
            // At most one of the delegate's is about the same part.
            match merged.find(|merged| *merged != Merged::Both) {
                None | Some(Merged::Both) => conditions.push(root.clone()),
                Some(Merged::Leaf) => {}
                Some(Merged::Conflict) => return None,
            }
        }
        conditions.sort_by_key(Condition::rank);
        Some(Self {
            name: dashed(self.name.as_ref(), leaf.name.as_ref()),
            conditions: conditions.into(),
            ignore_uri_case: leaf.ignore_uri_case,
            source,
        })
    }
}

/// The name of a rule of a delegate below its root's, or of one of its alternatives.
pub(crate) fn dashed(root: Option<&Arc<str>>, leaf: Option<&Arc<str>>) -> Option<Arc<str>> {
    match (root, leaf) {
        (Some(root), Some(leaf)) => Some(format!("{root}-{leaf}").into()),
        (one, other) => one.or(other).cloned(),
    }
}
