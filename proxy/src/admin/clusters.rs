//! `/clusters`: whom this proxy may call, how they are found, and the policy for calling them.

use egret_config::model::endpoint::Address;
use egret_config::re2::Search;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::{BLACK_HOLE_CLUSTER, Discovery, Member, PASSTHROUGH_CLUSTER};
use egret_config::snapshot::workload::Mode;
use http::StatusCode;
use serde_json::json;

use crate::admin::asked::Asked;
use crate::admin::cluster_status;
use crate::admin::discovery::{kind, members};
use crate::admin::dns_status::Resolved;
use crate::admin::page::{Form, Page};
use crate::admin::state::Admin;
use crate::admin::table::Table;

/// Members named in the table; the rest is counted.
const MEMBERS_SHOWN: usize = 3;

pub(super) fn page(admin: &Admin, asked: Asked<'_>) -> Page {
    let filter = match asked.query.value("filter").as_deref() {
        None | Some("") => None,
        Some(expression) => match Search::new(expression) {
            Ok(search) => Some(search),
            Err(wrong) => return Page::bad_request(format_args!("filter: {wrong}")),
        },
    };
    let is_shown = |name: &str| filter.as_ref().is_none_or(|filter| filter.is_in(name));
    let snapshot = admin.current.load();
    let resolved = Resolved::of(&admin.names);
    match asked.form {
        Form::Text => {
            let table = text(&snapshot, &resolved, &is_shown);
            let ejections = ejections(&snapshot, admin);
            Page::text(StatusCode::OK, table + &ejections + &resolved.failures())
        }
        Form::Json => {
            let mut values = cluster_status::values(&snapshot, &resolved, admin);
            values.retain(|value| value["name"].as_str().is_some_and(is_shown));
            Page::json(&json!({ "cluster_statuses": values, "names": resolved.values() }))
        }
    }
}

/// The endpoints that outlier detection leaves out now; nothing when there are none.
fn ejections(snapshot: &Snapshot, admin: &Admin) -> String {
    let mut table = Table::new(["EJECTED", "CLUSTER"]);
    let mut any = false;
    for cluster in snapshot.clusters.keys() {
        for endpoint in admin.shared_clusters.ejected(cluster) {
            any = true;
            table.row([endpoint.to_string(), cluster.to_string()]);
        }
    }
    if any {
        format!("\n{}", table.text())
    } else {
        String::new()
    }
}

/// A table of the clusters whose names are to be shown.
pub(super) fn text(
    snapshot: &Snapshot,
    resolved: &Resolved,
    is_shown: &dyn Fn(&str) -> bool,
) -> String {
    let mut table = Table::new([
        "SERVICE FQDN",
        "PORT",
        "SUBSET",
        "DIRECTION",
        "TYPE",
        "DESTINATION RULE",
        "ENDPOINTS",
    ]);
    let clusters = snapshot.clusters.values();
    for cluster in clusters.filter(|cluster| is_shown(&cluster.name)) {
        let rules: Vec<_> = cluster
            .destination_rules
            .iter()
            .map(|rule| format!("{}.{}", rule.name, rule.namespace))
            .collect();
        table.row([
            cluster.host.to_string(),
            cluster.port.to_string(),
            cluster.subset.as_deref().unwrap_or("-").to_owned(),
            "outbound".to_owned(),
            kind(&cluster.discovery).to_owned(),
            rules.join(","),
            endpoints(&cluster.discovery, resolved),
        ]);
    }
    if snapshot.workload.mode == Mode::Sidecar {
        for (name, kind) in [
            (BLACK_HOLE_CLUSTER, "STATIC"),
            (PASSTHROUGH_CLUSTER, "ORIGINAL_DST"),
        ] {
            if !is_shown(name) {
                continue;
            }
            table.row([name, "-", "-", "-", kind, "", ""].map(str::to_owned));
        }
    }
    table.text()
}

fn endpoints(discovery: &Discovery, resolved: &Resolved) -> String {
    let members = members(discovery);
    let mut shown: Vec<String> = members
        .iter()
        .take(MEMBERS_SHOWN)
        .map(|member| endpoint(member, resolved))
        .collect();
    if members.len() > MEMBERS_SHOWN {
        shown.push(format!("+{}", members.len() - MEMBERS_SHOWN));
    }
    shown.join(",")
}

fn endpoint(member: &Member, resolved: &Resolved) -> String {
    let port = member.port;
    match &member.address {
        Address::Ip(ip) => std::net::SocketAddr::new(*ip, port).to_string(),
        Address::Name(name) => match resolved.addresses(member) {
            [] => match resolved.failing(member) {
                None => format!("{name}:{port}"),
                Some(reason) => format!("{name}:{port} ({reason})"),
            },
            [first, ..] => format!("{name}:{port} ({first})"),
        },
        Address::Unix(path) => format!("unix://{path}"),
    }
}
