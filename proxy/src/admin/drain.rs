//! `/drain_listeners`: Envoy's order to stop accepting.

use crate::admin::asked::Asked;
use crate::admin::page::Page;
use crate::admin::state::Admin;
use crate::life::end::Command;

/// `OK`, with `graceful` and `inboundonly` in the query.
pub(super) fn page(_: &Admin, asked: Asked<'_>) -> Page {
    Page::order(Command::DrainListeners {
        graceful: asked.query.has_flag("graceful"),
        inbound_only: asked.query.has_flag("inboundonly"),
    })
}
