//! `/destinations`: every destination that was called since the start, also those that were refused.

mod cells;
mod csv;
mod selection;

use serde_json::{Value, json};

use crate::admin::asked::Asked;
use crate::admin::destinations::cells::{address, millis, protocol, time};
use crate::admin::destinations::selection::{Selection, TableForm};
use crate::admin::page::Page;
use crate::admin::state::Admin;
use crate::report::destinations::{Destination, Listing};

/// The destinations that the query selects, as JSON or CSV.
pub(super) fn page(admin: &Admin, asked: Asked<'_>) -> Page {
    let selection = match Selection::of(asked.query) {
        Ok(selection) => selection,
        Err(wrong) => return Page::bad_request(wrong),
    };
    let mut listing = admin.destinations.listing();
    let total = selection.apply(&mut listing.destinations);
    match selection.form {
        TableForm::Json => Page::json(&value(&listing, total, selection.limit)),
        TableForm::Csv => csv::page(&listing.destinations),
    }
}

fn value(listing: &Listing, total: usize, limit: usize) -> Value {
    let rows: Vec<Value> = listing.destinations.iter().map(row).collect();
    json!({
        "since": time(listing.since),
        "now": time(listing.now),
        "total": total,
        "limit": limit,
        "dropped": listing.dropped,
        "destinations": rows,
    })
}

fn row(one: &Destination) -> Value {
    let latency = one
        .latencies
        .quantile(0.5)
        .zip(one.latencies.quantile(0.99));
    json!({
        "name": one.key.name,
        "named_by": one.key.named_by.name(),
        "address": one.address.as_ref().map(address),
        "port": one.key.port,
        "protocol": protocol(one),
        "verdict": one.verdict().name(),
        "reason": one.reason,
        "cluster": one.cluster,
        "object": one.object,
        "calls": one.calls,
        "active": one.active,
        "failed": one.failed,
        "bytes_sent": one.sent,
        "bytes_received": one.received,
        "latency_ms": latency.map(|(p50, p99)| json!({ "p50": millis(p50), "p99": millis(p99) })),
        "first": time(one.first),
        "last": time(one.last),
    })
}
