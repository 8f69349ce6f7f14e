//! `/server_info` and `/ready`: what this process is, and whether it is at work.

use egret_config::snapshot::workload::{Mode, Workload};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::admin::page::Page;
use crate::admin::state::Admin;
use crate::life::drain::Phase;
use crate::report::metrics::identity::UNKNOWN;

/// Envoy's shape (`envoy.admin.v3.ServerInfo`), and beside its fields what only egret has.
pub(super) fn page(admin: &Admin) -> Page {
    let snapshot = admin.current.load();
    let workload = &snapshot.workload;
    let uptime = Timestamp::now().duration_since(admin.started).as_secs();
    let status = admin.status.state();
    Page::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": state(admin),
        "hot_restart_version": "disabled",
        "command_line_options": {
            "concurrency": admin.threads,
            "mode": "Serve",
            "service_cluster": service_cluster(workload),
            "service_node": node_id(admin, workload),
            "service_zone": "",
        },
        "uptime_current_epoch": format!("{uptime}s"),
        "uptime_all_epochs": format!("{uptime}s"),
        "node": {
            "id": node_id(admin, workload),
            "cluster": service_cluster(workload),
            "metadata": metadata(admin, workload),
            "user_agent_name": "egret",
        },
        "mode": mode(workload.mode),
        "policy": snapshot.outbound_policy().name(),
        "namespace": *workload.namespace,
        "pod": admin.surroundings.pod,
        "labels": labels(workload),
        "pod_ips": workload.addresses,
        "threads": admin.threads,
        "pid": std::process::id(),
        "started": admin.started.to_string(),
        "uptime_seconds": uptime,
        "calls": calls(admin),
        "configuration": {
            "status": if status.rejected.is_some() { "rejected" } else { "accepted" },
            "version": status.loaded.as_ref().map(|loaded| loaded.version),
            "since": status.loaded.as_ref().map(|loaded| loaded.at.to_string()),
        },
    }))
}

/// `good` with 200 when the process is ready, else 503 with its state and what it waits for.
pub(super) fn readiness(admin: &Admin, good: &str) -> Page {
    match state(admin) {
        "LIVE" => Page::text(StatusCode::OK, good),
        other => {
            let mut body = format!("{other}\n");
            for missing in admin.ready.missing() {
                body.push_str(&format!("waiting for {missing}\n"));
            }
            Page::text(StatusCode::SERVICE_UNAVAILABLE, body)
        }
    }
}

/// The state in Envoy's words.
fn state(admin: &Admin) -> &'static str {
    if admin.drain.phase() != Phase::Running {
        "DRAINING"
    } else if admin.ready.is_ready() {
        "LIVE"
    } else {
        "PRE_INITIALIZING"
    }
}

/// Istio's id of a proxy: `sidecar~IP~POD.NAMESPACE~NAMESPACE.svc.cluster.local`.
fn node_id(admin: &Admin, workload: &Workload) -> String {
    let kind = match workload.mode {
        Mode::Sidecar => "sidecar",
        Mode::Gateway => "router",
    };
    let pod = admin.surroundings.pod.as_deref().unwrap_or(UNKNOWN);
    let ip = workload.addresses.first();
    let ip = ip.map_or_else(String::new, ToString::to_string);
    let namespace = &workload.namespace;
    format!("{kind}~{ip}~{pod}.{namespace}~{namespace}.svc.cluster.local")
}

/// Istio's name of a proxy's cluster: `app.namespace`.
fn service_cluster(workload: &Workload) -> String {
    let app = workload.labels.value("app").unwrap_or("istio-proxy");
    format!("{app}.{}", workload.namespace)
}

/// Under Istio's names; what is not known is left out.
fn metadata(admin: &Admin, workload: &Workload) -> Value {
    let addresses: Vec<String> = workload.addresses.iter().map(ToString::to_string).collect();
    let mut metadata = Map::new();
    for (name, value) in [
        ("NAME", admin.surroundings.pod.as_deref()),
        ("NAMESPACE", Some(&*workload.namespace)),
        ("WORKLOAD_NAME", admin.surroundings.workload.as_deref()),
        ("CLUSTER_ID", admin.surroundings.cluster.as_deref()),
        ("INSTANCE_IPS", Some(&*addresses.join(","))),
    ] {
        if let Some(value) = value {
            metadata.insert(name.to_owned(), value.into());
        }
    }
    metadata.insert("LABELS".to_owned(), labels(workload));
    Value::Object(metadata)
}

/// Calls that ended, by verdict.
fn calls(admin: &Admin) -> Value {
    let verdicts = admin.destinations.verdicts().into_iter();
    let counts = verdicts.map(|(verdict, count)| (verdict.name().to_owned(), count.into()));
    Value::Object(counts.collect())
}

fn labels(workload: &Workload) -> Value {
    let labels = workload.labels.0.iter();
    Value::Object(
        labels
            .map(|(key, value)| (key.to_string(), json!(**value)))
            .collect(),
    )
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Sidecar => "sidecar",
        Mode::Gateway => "gateway",
    }
}
