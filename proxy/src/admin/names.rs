//! `/names`: the names that captured DNS queries are answered for.

use std::net::IpAddr;

use http::StatusCode;
use serde_json::json;

use crate::admin::page::{Form, Page};
use crate::admin::state::Admin;
use crate::admin::table::Table;

pub(super) fn page(admin: &Admin, form: Form) -> Page {
    let snapshot = admin.current.load();
    let captured = snapshot.workload.dns_capture;
    let names = snapshot.names.all();
    match form {
        Form::Text if !captured => Page::text(
            StatusCode::OK,
            "DNS queries are not captured: start with --dns-capture\n",
        ),
        Form::Text => {
            let mut table = Table::new(["NAME", "ADDRESSES"]);
            for (name, addresses) in names {
                table.row([name, texts(addresses).join(" ")]);
            }
            Page::text(StatusCode::OK, table.text())
        }
        Form::Json => {
            let names: serde_json::Map<_, _> = names
                .into_iter()
                .map(|(name, addresses)| (name, json!(texts(addresses))))
                .collect();
            Page::json(&json!({ "captured": captured, "names": names }))
        }
    }
}

fn texts(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}
