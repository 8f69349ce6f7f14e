//! `/clusters`: whom this proxy may call, how they are found, and the policy for calling them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

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
use crate::dns::names::Names;

/// Members named in the table; the rest is counted.
const MEMBERS_SHOWN: usize = 3;

pub(super) fn page(admin: &Admin, form: Form) -> Page {
    let snapshot = admin.current.load();
    let resolved = Resolved::of(&admin.names);
    match form {
        Form::Text => {
            let table = text(&snapshot, &resolved);
            Page::text(StatusCode::OK, table + &ejections(&snapshot, admin))
        }
        // The outer shape is Envoy's, which scripts know.
        Form::Json => {
            let mut values = values(&snapshot, &resolved);
            for (cluster, value) in snapshot.clusters.keys().zip(&mut values) {
                value["ejected"] = json!(admin.standings.ejected(cluster));
            }
            Page::json(&json!({ "cluster_statuses": values }))
        }
    }
}

/// The endpoints that outlier detection leaves out now; nothing when there are none.
fn ejections(snapshot: &Snapshot, admin: &Admin) -> String {
    let mut table = Table::new(["EJECTED", "CLUSTER"]);
    let mut any = false;
    for cluster in snapshot.clusters.keys() {
        for endpoint in admin.standings.ejected(cluster) {
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

/// What names resolved to, as far as they were asked for.
#[derive(Debug, Default)]
pub(super) struct Resolved(BTreeMap<Arc<str>, Arc<[IpAddr]>>);

impl Resolved {
    pub(super) fn of(names: &Names) -> Self {
        let known = names.list().into_iter();
        Self(
            known
                .filter_map(|(name, answer)| Some((name, answer?.addresses)))
                .collect(),
        )
    }

    fn addresses(&self, member: &Member) -> &[IpAddr] {
        let Address::Name(name) = &member.address else {
            return &[];
        };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        self.0.get(&*name).map_or(&[], |addresses| addresses)
    }
}

pub(super) fn text(snapshot: &Snapshot, resolved: &Resolved) -> String {
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
            endpoints(&cluster.discovery, resolved),
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

pub(super) fn values(snapshot: &Snapshot, resolved: &Resolved) -> Vec<Value> {
    snapshot
        .clusters
        .values()
        .map(|cluster| value(cluster, resolved))
        .collect()
}

fn value(cluster: &Cluster, resolved: &Resolved) -> Value {
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
        "host_statuses": members(&cluster.discovery).iter().map(|member| host_status(member, resolved)).collect::<Vec<_>>(),
        "policy": {
            "load_balancer": format!("{:?}", policy.load_balancer),
            "warmup": policy.warmup.as_ref().map(|warmup| format!("{warmup:?}")),
            "connect_timeout": format!("{:?}", policy.connect_timeout),
            "connection_pool": format!("{:?}", policy.pool),
            "outlier_detection": policy.outlier_detection.as_ref().map(|outlier| format!("{outlier:?}")),
            "tls": policy.tls.as_deref().map(tls),
        },
        "origin": *cluster.origin,
        "destination_rules": rules,
    })
}

fn host_status(member: &Member, resolved: &Resolved) -> Value {
    let address = match &member.address {
        Address::Ip(ip) => {
            json!({ "socket_address": { "address": ip, "port_value": member.port } })
        }
        Address::Name(name) => {
            json!({ "socket_address": { "address": **name, "port_value": member.port } })
        }
        Address::Unix(path) => json!({ "pipe": { "path": **path } }),
    };
    json!({ "address": address, "weight": member.weight, "locality": *member.locality,
        "resolved": resolved.addresses(member),
    })
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
            [] => format!("{name}:{port}"),
            [first, ..] => format!("{name}:{port} ({first})"),
        },
        Address::Unix(path) => format!("unix://{path}"),
    }
}
