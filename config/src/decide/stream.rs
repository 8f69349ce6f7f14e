//! What happens to byte streams that a chain took.

use crate::decide::call::Layer;
use crate::decide::dice::Dice;
use crate::decide::trail::{Shares, Trail};
use crate::decide::verdict::{ConnectionDecision, Refusal, Verdict};
use crate::snapshot::chains::{StreamHint, StreamRoute};
use crate::snapshot::target::Target;

/// What a chain is chosen by.
pub(crate) fn stream_hint(layer: &Layer) -> StreamHint<'_> {
    match layer {
        Layer::Tls(hello) => StreamHint::Tls(hello.sni.as_deref()),
        Layer::Http(_) | Layer::Opaque | Layer::Silent => StreamHint::Plain,
    }
}

/// A byte stream to a target of a route.
pub(crate) fn forward<'s>(
    route: &'s StreamRoute,
    mut trail: Trail<'s>,
    dice: Dice<'_>,
) -> ConnectionDecision<'s> {
    trail.shares = Shares::of_streams(route);
    to_target(route.pick(dice), trail)
}

/// A byte stream to a target.
pub(crate) fn to_target<'s>(target: &'s Target, mut trail: Trail<'s>) -> ConnectionDecision<'s> {
    trail.cluster = Some(target.name());
    let verdict = match target {
        Target::Cluster(cluster) => Verdict::Forward(cluster),
        Target::Missing(missing) => Verdict::Refuse(Refusal::NoCluster(missing.clone())),
    };
    ConnectionDecision::new(verdict, trail)
}
