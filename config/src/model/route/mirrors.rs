//! `mirror` and `mirrors` of an HTTP rule.

use std::sync::Arc;

use crate::model::destination::Destination;
use crate::model::read;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::virtual_service as wire;

/// `mirror`.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Where the copy goes.
    pub destination: Destination,
    /// Share in millionths.
    pub share: u32,
}

/// Reads both, of which a rule has one.
pub(super) fn parse(
    wire: &wire::HttpRoute,
    namespace: &Arc<str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Mirror> {
    if wire.mirror.is_some() && !wire.mirrors.is_empty() {
        diagnostics.error("mirrors", NO_VALUE, "only one of mirror and mirrors");
    }
    let old = wire.mirror_percent.map(|percent| {
        diagnostics.warn(
            "mirrorPercent",
            percent,
            ("the old form", "write mirrorPercentage"),
        );
        read::millionths(diagnostics, "mirrorPercent", f64::from(percent))
    });
    let new = wire.mirror_percentage.as_ref();
    let share =
        new.map(|share| read::millionths(diagnostics, "mirrorPercentage.value", share.value));
    if let Some(destination) = &wire.mirror {
        let share = share.or(old).unwrap_or(1_000_000);
        let destination = read::destination(diagnostics, "mirror", Some(destination), namespace);
        return destination
            .map(|destination| Mirror { destination, share })
            .into_iter()
            .collect();
    }
    diagnostics.each("mirrors", &wire.mirrors, |diagnostics, wire| {
        let share = wire.percentage.as_ref().map_or(1_000_000, |percentage| {
            read::millionths(diagnostics, "percentage.value", percentage.value)
        });
        let destination = read::destination(
            diagnostics,
            "destination",
            wire.destination.as_ref(),
            namespace,
        );
        Some(Mirror {
            destination: destination?,
            share,
        })
    })
}
