//! Port of a Sidecar's listener, read.

use crate::model::{host_name, read};
use crate::problem::Diagnostics;
use crate::wire::shared::Port;

/// What ports of both directions have in common.
pub(super) fn sidecar_port(port: &Port, diagnostics: &mut Diagnostics<'_>) -> Option<u16> {
    if port.target_port > 0 {
        let message = ("has no effect in a Sidecar", "leave it out");
        diagnostics.error("targetPort", port.target_port, message);
    }
    if !port.name.is_empty() && !host_name::is_label(&port.name) {
        diagnostics.error("name", &port.name, "expected letters, digits and dashes");
    }
    read::port(diagnostics, "number", port.number)
}
