//! Which Telemetry objects count for a workload.

use std::sync::Arc;

use crate::model::objects::Objects;
use crate::model::telemetry::Telemetry;
use crate::problem::Problem;
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::workload::Workload;

/// The objects that count, from the most general to the most special: that of the root namespace and that of the
/// workload's namespace, each the oldest without selector, then those whose selector has the workload's labels.
pub(super) fn levels<'o>(
    objects: &'o Objects,
    workload: &Workload,
    problems: &mut ProblemSet,
) -> Vec<&'o Telemetry> {
    let root = &objects.mesh.root_namespace;
    let own = &workload.namespace;
    let mut levels = Vec::new();
    for namespace in [Some(root), Some(own).filter(|own| *own != root)] {
        levels.extend(namespace.and_then(|namespace| general(objects, namespace, problems)));
    }
    let selects = |telemetry: &&Arc<Telemetry>| {
        let selector = telemetry.selector.as_ref();
        telemetry.meta.name.namespace == *own
            && selector.is_some_and(|selector| selector.select(&workload.labels))
    };
    let special = objects.telemetries.iter().filter(selects);
    levels.extend(special.map(|telemetry| &**telemetry));
    levels
}

/// The oldest object of a namespace without selector; the others are reported.
fn general<'o>(
    objects: &'o Objects,
    namespace: &Arc<str>,
    problems: &mut ProblemSet,
) -> Option<&'o Telemetry> {
    let mut all = objects.telemetries.iter().filter(|telemetry| {
        telemetry.selector.is_none() && telemetry.meta.name.namespace == *namespace
    });
    let first = all.next()?;
    for other in all {
        problems.add(Problem {
            field: "spec.selector".to_owned(),
            reason: format!(
                "ignored: {} has no selector either, is of the same namespace, and comes first",
                first.meta.title()
            ),
            hint: "put both into one object, or write a selector".to_owned(),
            ..ProblemSet::warning(&other.meta)
        });
    }
    Some(first)
}
