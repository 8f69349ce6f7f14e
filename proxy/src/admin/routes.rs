//! `/routes`: the routes of each listener, as `istioctl proxy-config route` shows them.

use egret_config::snapshot::Snapshot;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::admin::Admin;
use crate::admin::page::Form;
use crate::admin::page::Page;
use crate::admin::table::Table;

pub(super) fn page(admin: &Admin, form: Form) -> Page {
    let snapshot = admin.current.load();
    match form {
        Form::Text => Page::text(StatusCode::OK, text(&snapshot)),
        Form::Json => Page::json(&json!({ "routes": values(&snapshot) })),
    }
}

pub(super) fn text(_snapshot: &Snapshot) -> String {
    Table::new([
        "NAME",
        "VHOST NAME",
        "DOMAINS",
        "MATCH",
        "VIRTUAL SERVICE",
        "DESTINATION",
    ])
    .text()
}

pub(super) fn values(_snapshot: &Snapshot) -> Vec<Value> {
    Vec::new()
}
