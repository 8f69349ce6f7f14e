//! `trafficDistribution`, read.

use crate::problem::{Diagnostics, Message};
use crate::wire::envelope::Metadata;

/// The annotation with the meaning of a Service's `trafficDistribution`, also for ServiceEntries.
const DISTRIBUTION: &str = "networking.istio.io/traffic-distribution";

/// Whether the nearest endpoints of a service are preferred: by its field, else by its annotation.
pub(super) fn near(field: &str, metadata: &Metadata, diagnostics: &mut Diagnostics<'_>) -> bool {
    let same_node = (
        "the proxy's node is not known: the nearest locality counts",
        "write PreferSameZone",
    );
    match field {
        "PreferClose" | "PreferSameZone" => return true,
        "PreferSameNode" => {
            diagnostics.warn("trafficDistribution", field, same_node);
            return true;
        }
        _ => {}
    }
    let Some(value) = metadata.annotations.get(DISTRIBUTION) else {
        return false;
    };
    let near = value.eq_ignore_ascii_case("PreferSameNode");
    let wrong = match value.to_ascii_lowercase().as_str() {
        "" | "any" => return false,
        "preferclose" | "prefersamezone" => return true,
        _ if near => same_node.into(),
        _ => Message::from("has no effect: expected PreferClose, PreferSameZone or PreferSameNode"),
    };
    diagnostics.warn_elsewhere(
        &format!("metadata.annotations[{DISTRIBUTION}]"),
        value,
        wrong,
    );
    near
}
