//! `localityLbSetting`: which endpoints are near.

use std::sync::Arc;

use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::shared::LocalityLbSetting;

/// `localityLbSetting`: which endpoints are near. `failover` and `priority_labels` count only beside outlier detection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locality {
    /// `enabled`; `None` is the mesh's.
    pub enabled: Option<bool>,
    /// `distribute`: from a locality, shares of localities in percent. Localities may end in `/*` or be `*`.
    pub distribute: Vec<(Arc<str>, Shares)>,
    /// `failover`: from a region to a region.
    pub failover: Vec<(Arc<str>, Arc<str>)>,
    /// `failoverPriority`: labels, or `label=value`, that make an endpoint near the more of them match from the first on.
    pub priority_labels: Vec<Arc<str>>,
}

/// Localities, each with its share in percent.
pub type Shares = Vec<(Arc<str>, u32)>;

/// Reads a `localityLbSetting`.
pub(crate) fn parse(
    wire: Option<&LocalityLbSetting>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Locality> {
    let wire = wire?;
    check(wire, diagnostics);
    let distribute = wire.distribute.iter().map(|wire| {
        let to = wire.to.iter();
        let to = to.map(|(locality, share)| (locality.as_str().into(), *share));
        (wire.from.as_str().into(), to.collect())
    });
    let failover = wire.failover.iter();
    let labels = wire.failover_priority.iter();
    Some(Locality {
        enabled: wire.enabled,
        distribute: distribute.collect(),
        failover: failover
            .map(|wire| (wire.from.as_str().into(), wire.to.as_str().into()))
            .collect(),
        priority_labels: labels.map(|label| label.as_str().into()).collect(),
    })
}

/// Labels of a locality, which `failover` covers already.
const LOCALITY_LABELS: [&str; 3] = [
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
];

/// Tells what Istio does not admit.
fn check(wire: &LocalityLbSetting, diagnostics: &mut Diagnostics<'_>) {
    if !wire.distribute.is_empty() && !wire.failover.is_empty() {
        let message = ("contradicts failover", "leave one of them out");
        diagnostics.error("distribute", NO_VALUE, message);
    }
    if !wire.failover.is_empty() {
        let mut labels = wire.failover_priority.iter();
        if let Some(label) = labels.find(|label| LOCALITY_LABELS.contains(&label.as_str())) {
            let message = (
                "failover already orders by places",
                "leave this label or failover out",
            );
            diagnostics.error("failoverPriority", label, message);
        }
    }
    let mut from = Vec::new();
    diagnostics.each("distribute", &wire.distribute, |diagnostics, wire| {
        locality(diagnostics, "from", &wire.from, &mut from);
        let mut to = Vec::new();
        for (name, share) in &wire.to {
            locality(diagnostics, "to", name, &mut to);
            if !(1..=100).contains(share) {
                diagnostics.error("to", share, "expected shares from 1 to 100");
            }
        }
        let sum: u64 = wire.to.values().map(|share| u64::from(*share)).sum();
        if sum != 100 {
            diagnostics.error("to", sum, "the shares must add up to 100");
        }
        Some(())
    });
    diagnostics.each("failover", &wire.failover, |diagnostics, wire| {
        if wire.from == wire.to {
            diagnostics.error(
                "to",
                &wire.to,
                ("the same region as `from`", "name another"),
            );
        }
        for (part, region) in [("from", &wire.from), ("to", &wire.to)] {
            if region.contains(['/', '*']) {
                let message = "expected the name of a region alone";
                diagnostics.error(part, region, message);
            }
        }
        Some(())
    });
}

/// `region`, `region/zone` or `region/zone/subzone`, of which the last may be `*`, and which no other overlaps.
fn locality<'w>(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    text: &'w str,
    others: &mut Vec<Vec<&'w str>>,
) {
    let stars = text.matches('*').count();
    if stars > 1 || stars == 1 && !text.ends_with('*') {
        diagnostics.error(part, text, "only the end of a locality may be `*`");
        return;
    }
    let mut steps: Vec<&str> = text.splitn(3, '/').collect();
    if steps.contains(&"") {
        let message = "expected `region`, `region/zone` or `region/zone/subzone`";
        diagnostics.error(part, text, message);
        return;
    }
    if steps.last() == Some(&"*") {
        steps.pop();
    }
    let mut all = others.iter();
    if all.any(|other| other.starts_with(&steps) || steps.starts_with(other)) {
        diagnostics.error(
            part,
            text,
            "overlaps with another locality of the same list",
        );
    }
    others.push(steps);
}
