//! `/config_dump`: what was loaded, what is wrong with it, what it was compiled to, and how many lines the access log has.

use std::fmt::Write;

use egret_config::model::mesh::{AccessLogEncoding, Mesh};
use http::StatusCode;
use serde_json::{Value, json};

use crate::admin::dns_status::Resolved;
use crate::admin::page::{Form, Page};
use crate::admin::state::Admin;
use crate::admin::{cluster_status, clusters, listeners, routes};
use crate::source::problem_json;
use crate::source::status::{Loaded, Rejected};

pub(super) fn page(admin: &Admin, form: Form) -> Page {
    match form {
        Form::Text => Page::text(StatusCode::OK, text(admin)),
        Form::Json => Page::json(&value(admin)),
    }
}

fn text(admin: &Admin) -> String {
    let state = admin.status.state();
    let snapshot = admin.current.load();
    let mut text = String::new();
    if let Some(rejected) = &state.rejected {
        let _ = writeln!(
            text,
            "status: rejected (since {}); what is shown here is the last good configuration",
            rejected.since
        );
        for reason in &rejected.reasons {
            let _ = writeln!(text, "  {reason}");
        }
    } else {
        text.push_str("status: accepted\n");
    }
    if let Some(loaded) = &state.loaded {
        let _ = writeln!(
            text,
            "version: {} (in force since {}, compiled in {:?})",
            loaded.version, loaded.at, loaded.took
        );
        text.push_str("\nFILES\n");
        for (file, bytes) in &loaded.files {
            let _ = writeln!(text, "  {file} ({bytes} bytes)");
        }
        text.push_str("\nOBJECTS\n");
        for (kind, count) in &loaded.counts {
            let _ = writeln!(text, "  {count} {kind}");
        }
        for (title, location) in &loaded.objects {
            let _ = writeln!(text, "  {title} ({location})");
        }
        text.push_str("\nPROBLEMS\n");
        for problem in &loaded.problems {
            let _ = writeln!(text, "  {}: {problem}", problem.severity);
        }
    }
    text.push_str("\nMESH\n");
    for (name, value) in mesh(&snapshot.mesh).as_object().into_iter().flatten() {
        let _ = writeln!(text, "  {name}: {value}");
    }
    let lines = admin.access_log.counts();
    let _ = writeln!(
        text,
        "\nACCESS LOG\n  lines written: {}\n  lines dropped: {}",
        lines.written, lines.dropped
    );
    for (title, table) in [
        (
            "LISTENERS",
            listeners::text(&snapshot, &admin.listener_status.listeners()),
        ),
        ("ROUTES", routes::text(&snapshot)),
        (
            "CLUSTERS",
            clusters::text(&snapshot, &Resolved::of(&admin.names), &|_| true),
        ),
    ] {
        let _ = write!(text, "\n{title}\n{table}");
    }
    text
}

fn value(admin: &Admin) -> Value {
    let state = admin.status.state();
    let snapshot = admin.current.load();
    let lines = admin.access_log.counts();
    json!({
        "status": if state.rejected.is_some() { "rejected" } else { "accepted" },
        "rejected": state.rejected.as_deref().map(rejected),
        "loaded": state.loaded.as_deref().map(loaded),
        "mesh": mesh(&snapshot.mesh),
        "access_log": { "lines_written": lines.written, "lines_dropped": lines.dropped },
        "sockets": listeners::sockets(&admin.listener_status.listeners()),
        "listeners": snapshot.listeners(),
        "routes": snapshot.routes(),
        "clusters": cluster_status::values(&snapshot, &Resolved::of(&admin.names), admin),
    })
}

fn rejected(rejected: &Rejected) -> Value {
    json!({ "since": rejected.since.to_string(), "problems": rejected.reasons })
}

fn loaded(loaded: &Loaded) -> Value {
    let files: Vec<Value> = loaded
        .files
        .iter()
        .map(|(file, bytes)| json!({ "file": **file, "bytes": bytes }))
        .collect();
    let counts: serde_json::Map<String, Value> = loaded
        .counts
        .iter()
        .map(|(kind, count)| (kind.to_string(), json!(count)))
        .collect();
    let objects: Vec<Value> = loaded
        .objects
        .iter()
        .map(|(title, location)| problem_json::with_location(json!({ "object": title }), location))
        .collect();
    json!({
        "version": loaded.version,
        "since": loaded.at.to_string(),
        "files": files,
        "counts": counts,
        "objects": objects,
        "problems": loaded.problems.iter().map(problem_json::json).collect::<Vec<_>>(),
    })
}

/// The mesh-wide settings under MeshConfig's names.
fn mesh(mesh: &Mesh) -> Value {
    json!({
        "outboundTrafficPolicy": mesh.outbound_policy.name(),
        "accessLogFile": *mesh.access_log_file,
        "accessLogEncoding": match mesh.access_log_encoding {
            AccessLogEncoding::Text => "TEXT",
            AccessLogEncoding::Json => "JSON",
        },
        "connectTimeout": format!("{:?}", mesh.connect_timeout),
        "protocolDetectionTimeout": mesh.detection_timeout.map(|timeout| format!("{timeout:?}")),
        "rootNamespace": *mesh.root_namespace,
        "dnsRefreshRate": format!("{:?}", mesh.dns_refresh_rate),
        "from": mesh.meta.as_ref().map(|meta| format!("{} ({})", meta.title_or_kind(), meta.location)),
    })
}
