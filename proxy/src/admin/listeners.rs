//! `/listeners`: what is listened on, and what is served there.

use egret_config::snapshot::Snapshot;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::admin::Admin;
use crate::admin::page::Form;
use crate::admin::page::Page;
use crate::admin::table::Table;
use crate::listen::reconcile::Listener;

pub(super) fn page(admin: &Admin, form: Form) -> Page {
    let snapshot = admin.current.load();
    let sockets = admin.board.listeners();
    match form {
        Form::Text => Page::text(StatusCode::OK, text(&snapshot, &sockets)),
        Form::Json => Page::json(&json!({ "listeners": values(&snapshot, &sockets) })),
    }
}

pub(super) fn text(_snapshot: &Snapshot, sockets: &[Listener]) -> String {
    let mut table = Table::new(["ADDRESSES", "PORT", "MATCH", "DESTINATION"]);
    for socket in sockets {
        let (address, destination) = match &socket.state {
            Ok(address) => (
                address.ip().to_string(),
                format!("{} connections", socket.purpose),
            ),
            Err(error) => ("-".to_owned(), format!("NOT LISTENING: {error}")),
        };
        table.row([
            address,
            socket.port.to_string(),
            "ALL".to_owned(),
            destination,
        ]);
    }
    table.text()
}

pub(super) fn values(_snapshot: &Snapshot, sockets: &[Listener]) -> Vec<Value> {
    sockets
        .iter()
        .map(|socket| {
            json!({
                "purpose": socket.purpose.to_string(),
                "port": socket.port,
                "address": socket.state.as_ref().ok().map(|address| address.ip()),
                "error": socket.state.as_ref().err(),
            })
        })
        .collect()
}
