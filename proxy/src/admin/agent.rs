//! The pages that Istio's agent has: the metrics of the proxy and of the application together, readiness, and orders that
//! only the pod itself may give.

use http::Method;

use crate::admin::page::{Page, Verb};
use crate::admin::pages;
use crate::admin::state::Admin;
use crate::life::end::Command;

/// Whether a path is that of the metrics.
pub(super) fn is_metrics(path: &str) -> bool {
    matches!(path, "/stats/prometheus" | "/metrics")
}

/// A page of the agent's address, but that of the metrics. `is_local` says whether the client is this pod.
pub(super) fn page(admin: &Admin, method: &Method, path: &str, is_local: bool) -> Page {
    let command = match path {
        "/quitquitquit" => Command::Quit,
        "/drain" => Command::Drain,
        _ => return pages::health(admin, method, path),
    };
    if !is_local {
        return Page::remote();
    }
    match Verb::Post.allows(method) {
        true => Page::order(command),
        false => Page::not_allowed(Verb::Post),
    }
}
