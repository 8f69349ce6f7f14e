//! `/clusters`: whom this proxy may call, how they are found, and the policy for calling them.

use egret_config::model::endpoint::Address;
use egret_config::model::tls::ClientTls;
use egret_config::model::tls::ClientTlsMode;
use egret_config::model::tls::KeyFiles;
use egret_config::model::tls::Roots;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::BLACK_HOLE_CLUSTER;
use egret_config::snapshot::cluster::Cluster;
use egret_config::snapshot::cluster::Discovery;
use egret_config::snapshot::cluster::Member;
use egret_config::snapshot::cluster::PASSTHROUGH_CLUSTER;
use egret_config::snapshot::workload::Mode;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::admin::Admin;
use crate::admin::page::Form;
use crate::admin::page::Page;
use crate::admin::table::Table;

/// Members named in the table; the rest is counted.
const MEMBERS_SHOWN: usize = 3;

pub(super) fn page(admin: &Admin, form: Form) -> Page {
    let snapshot = admin.current.load();
    match form {
        Form::Text => Page::text(StatusCode::OK, text(&snapshot)),
        // The outer shape is Envoy's, which scripts know.
        Form::Json => Page::json(&json!({ "cluster_statuses": values(&snapshot) })),
    }
}

pub(super) fn text(snapshot: &Snapshot) -> String {
    let mut table = Table::new([
        "SERVICE FQDN",
        "PORT",
        "SUBSET",
        "DIRECTION",
        "TYPE",
        "DESTINATION RULE",
        "ENDPOINTS",
    ]);
    for cluster in snapshot.clusters.values() {
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
            endpoints(&cluster.discovery),
        ]);
    }
    if snapshot.workload.mode == Mode::Sidecar {
        for (name, kind) in [
            (BLACK_HOLE_CLUSTER, "STATIC"),
            (PASSTHROUGH_CLUSTER, "ORIGINAL_DST"),
        ] {
            table.row([name, "-", "-", "-", kind, "", ""].map(str::to_owned));
        }
    }
    table.text()
}

pub(super) fn values(snapshot: &Snapshot) -> Vec<Value> {
    snapshot
        .clusters
        .values()
        .map(|cluster| value(cluster))
        .collect()
}

fn value(cluster: &Cluster) -> Value {
    let policy = &cluster.policy;
    let rules: Vec<String> = cluster
        .destination_rules
        .iter()
        .map(ToString::to_string)
        .collect();
    json!({
        "name": *cluster.name,
        "host": cluster.host.to_string(),
        "port": cluster.port,
        "subset": cluster.subset,
        "protocol": cluster.protocol.to_string(),
        "type": kind(&cluster.discovery),
        "host_statuses": members(&cluster.discovery).iter().map(host_status).collect::<Vec<_>>(),
        "policy": {
            "load_balancer": format!("{:?}", policy.load_balancer),
            "connect_timeout": format!("{:?}", policy.connect_timeout),
            "connection_pool": format!("{:?}", policy.pool),
            "outlier_detection": policy.outlier_detection.as_ref().map(|outlier| format!("{outlier:?}")),
            "tls": policy.tls.as_ref().map(tls),
        },
        "origin": *cluster.origin,
        "destination_rules": rules,
    })
}

fn host_status(member: &Member) -> Value {
    let address = match &member.address {
        Address::Ip(ip) => {
            json!({ "socket_address": { "address": ip, "port_value": member.port } })
        }
        Address::Name(name) => {
            json!({ "socket_address": { "address": **name, "port_value": member.port } })
        }
        Address::Unix(path) => json!({ "pipe": { "path": **path } }),
    };
    json!({ "address": address, "weight": member.weight, "locality": *member.locality })
}

/// How TLS is originated. Keys and certificates are named by file, or not at all.
fn tls(tls: &ClientTls) -> Value {
    let keys = |keys: &KeyFiles| match keys {
        KeyFiles::Files { certificate, .. } => certificate.to_string(),
        KeyFiles::Pem { .. } => "from a Secret".to_owned(),
    };
    let (mode, certificate) = match &tls.mode {
        ClientTlsMode::Simple => ("SIMPLE".to_owned(), None),
        ClientTlsMode::Mutual(files) => ("MUTUAL".to_owned(), Some(keys(files))),
        ClientTlsMode::Unusable(reason) => (format!("unusable: {reason}"), None),
    };
    json!({
        "mode": mode,
        "certificate": certificate,
        "sni": tls.sni,
        "subject_alt_names": tls.subject_alt_names.iter().map(|name| &**name).collect::<Vec<_>>(),
        "roots": match &tls.roots {
            Roots::System => "system",
            Roots::File(path) => path,
            Roots::Pem(_) => "from a Secret",
        },
        "insecure_skip_verify": tls.skip_verify,
    })
}

/// The type of discovery in the words of `istioctl proxy-config cluster`.
fn kind(discovery: &Discovery) -> &'static str {
    match discovery {
        Discovery::Members(_) => "STATIC",
        Discovery::Names { single: false, .. } => "STRICT_DNS",
        Discovery::Names { single: true, .. } => "LOGICAL_DNS",
        Discovery::Original { .. } => "ORIGINAL_DST",
        Discovery::PerCall { .. } => "DYNAMIC_DNS",
    }
}

fn members(discovery: &Discovery) -> &[Member] {
    match discovery {
        Discovery::Members(members) | Discovery::Names { members, .. } => members,
        Discovery::Original { .. } | Discovery::PerCall { .. } => &[],
    }
}

fn endpoints(discovery: &Discovery) -> String {
    let members = members(discovery);
    let mut shown: Vec<String> = members.iter().take(MEMBERS_SHOWN).map(endpoint).collect();
    if members.len() > MEMBERS_SHOWN {
        shown.push(format!("+{}", members.len() - MEMBERS_SHOWN));
    }
    shown.join(",")
}

fn endpoint(member: &Member) -> String {
    let port = member.port;
    match &member.address {
        Address::Ip(ip) => std::net::SocketAddr::new(*ip, port).to_string(),
        Address::Name(name) => format!("{name}:{port}"),
        Address::Unix(path) => format!("unix://{path}"),
    }
}
