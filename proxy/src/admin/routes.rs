//! `/routes`: the routes of each listener, as `istioctl proxy-config route` shows them.

use egret_config::snapshot::Snapshot;
use egret_config::view::{RouteView, WeightView};
use http::StatusCode;
use serde_json::json;

use crate::admin::page::{Form, Page};
use crate::admin::state::Admin;
use crate::admin::table::Table;

/// Domains named in the table; the rest is counted.
const DOMAINS_SHOWN: usize = 2;

pub(super) fn page(admin: &Admin, form: Form) -> Page {
    let snapshot = admin.current.load();
    match form {
        Form::Text => Page::text(StatusCode::OK, text(&snapshot)),
        Form::Json => Page::json(&json!({ "routes": snapshot.routes() })),
    }
}

pub(super) fn text(snapshot: &Snapshot) -> String {
    let mut table = Table::new([
        "NAME",
        "VHOST NAME",
        "DOMAINS",
        "MATCH",
        "VIRTUAL SERVICE",
        "DESTINATION",
    ]);
    for routes in snapshot.routes() {
        for host in &routes.virtual_hosts {
            for route in &host.routes {
                table.row([
                    routes.name.clone(),
                    host.name.clone(),
                    domains(&host.domains),
                    route.matching.clone(),
                    route.origin.clone(),
                    destination(route),
                ]);
            }
        }
    }
    table.text()
}

fn domains(domains: &[String]) -> String {
    let shown: Vec<&str> = domains
        .iter()
        .take(DOMAINS_SHOWN)
        .map(|domain| &**domain)
        .collect();
    let shown = shown.join(", ");
    match domains.len().saturating_sub(DOMAINS_SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more"),
    }
}

fn destination(route: &RouteView) -> String {
    let alone = route.clusters.len() == 1;
    let cluster = |cluster: &WeightView| {
        let share = if alone {
            String::new()
        } else {
            format!(" ({})", cluster.weight)
        };
        let missing = if cluster.exists {
            ""
        } else {
            " (no such cluster: 503)"
        };
        format!("{}{share}{missing}", cluster.name)
    };
    let mut parts: Vec<String> = route.clusters.iter().map(cluster).collect();
    if !route.action.is_empty() {
        parts.push(route.action.clone());
    }
    parts.join(", ")
}
