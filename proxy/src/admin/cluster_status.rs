//! `/clusters?format=json`: Envoy's shape (`envoy.admin.v3.Clusters`), and beside its fields what Istio's objects say of
//! each cluster, under Istio's names.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use egret_config::address::EndpointAddress;
use egret_config::model::endpoint::Address;
use egret_config::model::policy::{ConnectionPool, HashOn, LoadBalancer, OutlierDetection};
use egret_config::model::tls::{ClientTls, ClientTlsMode, KeyFiles, Roots};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::{BLACK_HOLE_CLUSTER, Cluster, Member, PASSTHROUGH_CLUSTER};
use egret_config::snapshot::workload::Mode;
use serde_json::{Map, Value, json};

use crate::admin::discovery::{kind, members};
use crate::admin::dns_status::Resolved;
use crate::admin::state::Admin;
use crate::report::metrics::envoy::endpoint::{EndpointCount, EndpointCounts};

/// No limit, as Istio tells Envoy: the largest `uint32`.
const UNLIMITED: u32 = u32::MAX;

/// What is known of the endpoints of a cluster besides its configuration.
#[derive(Clone, Copy, Debug)]
struct Known<'k> {
    resolved: &'k Resolved,
    ejected: &'k [EndpointAddress],
    counts: Option<&'k BTreeMap<EndpointAddress, EndpointCounts>>,
}

/// Every cluster, those for calls that no object is for last.
pub(super) fn values(snapshot: &Snapshot, resolved: &Resolved, admin: &Admin) -> Vec<Value> {
    let counts = admin.metrics.endpoints();
    let clusters = snapshot.clusters.values();
    let mut values: Vec<Value> = clusters
        .map(|cluster| {
            let known = Known {
                resolved,
                ejected: &admin.shared_clusters.ejected(&cluster.name),
                counts: counts.get(&cluster.name),
            };
            value(cluster, known)
        })
        .collect();
    if snapshot.workload.mode == Mode::Sidecar {
        for (name, kind) in [
            (BLACK_HOLE_CLUSTER, "STATIC"),
            (PASSTHROUGH_CLUSTER, "ORIGINAL_DST"),
        ] {
            values.push(json!({
                "name": name,
                "added_via_api": true,
                "circuit_breakers": circuit_breakers(&ConnectionPool::default()),
                "observability_name": name,
                "host_statuses": [],
                "type": kind,
            }));
        }
    }
    values
}

fn value(cluster: &Cluster, known: Known<'_>) -> Value {
    let policy = &cluster.policy;
    let rules: Vec<String> = cluster
        .destination_rules
        .iter()
        .map(ToString::to_string)
        .collect();
    let hosts: Vec<Value> = members(&cluster.discovery)
        .iter()
        .flat_map(|member| hosts(member, known))
        .collect();
    json!({
        "name": *cluster.name,
        "added_via_api": true,
        "circuit_breakers": circuit_breakers(&policy.pool),
        "observability_name": *cluster.name,
        "host_statuses": hosts,
        "host": cluster.host.to_string(),
        "port": cluster.port,
        "subset": cluster.subset,
        "protocol": cluster.protocol.to_string(),
        "type": kind(&cluster.discovery),
        "policy": {
            "loadBalancer": load_balancer(&policy.load_balancer),
            "warmup": policy.warmup.as_ref().map(|warmup| json!({
                "duration": seconds(warmup.duration),
                "minimumPercent": warmup.percent_min,
                "aggression": warmup.aggression,
            })),
            "connectTimeout": seconds(policy.connect_timeout),
            "connectionPool": connection_pool(&policy.pool),
            "outlierDetection": policy.outlier_detection.as_ref().map(outlier_detection),
            "tls": policy.tls.as_deref().map(tls),
        },
        "origin": *cluster.origin,
        "destination_rules": rules,
        "ejected": known.ejected.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// The endpoints of a member: one for each address of a name. A name without addresses is one, by its name.
fn hosts(member: &Member, known: Known<'_>) -> Vec<Value> {
    let port = member.port;
    let with_address = |ip: &IpAddr, name: &str| {
        let endpoint = EndpointAddress::Ip(SocketAddr::new(*ip, port));
        let address = socket_address(&ip.to_string(), port);
        host(address, name, member, known.of(Some(&endpoint)))
    };
    match &member.address {
        Address::Ip(ip) => vec![with_address(ip, "")],
        Address::Name(name) => match known.resolved.addresses(member) {
            [] => {
                let address = socket_address(name, port);
                vec![host(address, name, member, known.of(None))]
            }
            addresses => addresses.iter().map(|ip| with_address(ip, name)).collect(),
        },
        Address::Unix(path) => {
            let address = json!({ "pipe": { "path": **path } });
            let endpoint = EndpointAddress::Unix(Arc::clone(path));
            vec![host(address, "", member, known.of(Some(&endpoint)))]
        }
    }
}

fn socket_address(address: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": address, "port_value": port } })
}

impl Known<'_> {
    /// Whether an endpoint is ejected, and what is counted of it. A name without an address has no counts.
    fn of(&self, endpoint: Option<&EndpointAddress>) -> (bool, EndpointCounts) {
        let is_ejected = endpoint.is_some_and(|endpoint| self.ejected.contains(endpoint));
        let counts = endpoint.and_then(|endpoint| self.counts?.get(endpoint));
        (is_ejected, counts.copied().unwrap_or_default())
    }
}

/// What is counted, in Envoy's shape (`envoy.admin.v3.SimpleMetric`).
fn stats(counts: EndpointCounts) -> Vec<Value> {
    let each = EndpointCount::ALL.iter().zip(counts);
    each.map(|(count, value)| {
        json!({
            "name": count.name(),
            "value": value.to_string(),
            "type": if count.is_gauge() { "GAUGE" } else { "COUNTER" },
        })
    })
    .collect()
}

fn host(
    address: Value,
    name: &str,
    member: &Member,
    (is_ejected, counts): (bool, EndpointCounts),
) -> Value {
    let mut health = Map::new();
    health.insert("eds_health_status".to_owned(), "HEALTHY".into());
    if is_ejected {
        health.insert("failed_outlier_check".to_owned(), true.into());
    }
    let mut parts = member.locality.splitn(3, '/');
    let mut part = || parts.next().unwrap_or_default().to_owned();
    json!({
        "address": address,
        "stats": stats(counts),
        "health_status": health,
        "weight": member.weight,
        "hostname": name,
        "locality": { "region": part(), "zone": part(), "sub_zone": part() },
    })
}

fn circuit_breakers(pool: &ConnectionPool) -> Value {
    let limit = |limit: Option<u32>| limit.unwrap_or(UNLIMITED);
    json!({ "thresholds": [{
        "priority": "DEFAULT",
        "max_connections": limit(pool.connections_max),
        "max_pending_requests": limit(pool.pending_max),
        "max_requests": limit(pool.requests_max),
        "max_retries": limit(pool.retries_max),
    }] })
}

fn load_balancer(balancer: &LoadBalancer) -> Value {
    let hash = match balancer {
        LoadBalancer::LeastRequest => return json!({ "simple": "LEAST_REQUEST" }),
        LoadBalancer::RoundRobin => return json!({ "simple": "ROUND_ROBIN" }),
        LoadBalancer::Random => return json!({ "simple": "RANDOM" }),
        LoadBalancer::Passthrough => return json!({ "simple": "PASSTHROUGH" }),
        LoadBalancer::ConsistentHash(hash) => hash,
    };
    let (key, value) = match &hash.on {
        HashOn::Header(name) => ("httpHeaderName", json!(**name)),
        HashOn::Cookie {
            name, path, ttl, ..
        } => (
            "httpCookie",
            json!({ "name": **name, "path": path.as_deref(), "ttl": ttl.map(seconds) }),
        ),
        HashOn::SourceIp => ("useSourceIp", json!(true)),
        HashOn::Query(name) => ("httpQueryParameterName", json!(**name)),
    };
    json!({ "consistentHash": { key: value } })
}

fn connection_pool(pool: &ConnectionPool) -> Value {
    let keepalive = pool.keepalive.as_ref().map(|keepalive| {
        present([
            ("probes", keepalive.probes.map(Value::from)),
            ("time", keepalive.time.map(seconds)),
            ("interval", keepalive.interval.map(seconds)),
        ])
    });
    let tcp = present([
        ("maxConnections", pool.connections_max.map(Value::from)),
        ("connectTimeout", pool.connect_timeout.map(seconds)),
        ("idleTimeout", pool.tcp_idle_timeout.map(seconds)),
        (
            "maxConnectionDuration",
            pool.connection_duration_max.map(seconds),
        ),
        ("tcpKeepalive", keepalive),
    ]);
    let upgrade = |upgrade| if upgrade { "UPGRADE" } else { "DO_NOT_UPGRADE" };
    let http = present([
        ("http1MaxPendingRequests", pool.pending_max.map(Value::from)),
        ("http2MaxRequests", pool.requests_max.map(Value::from)),
        (
            "maxRequestsPerConnection",
            pool.requests_per_connection_max.map(Value::from),
        ),
        ("maxConcurrentStreams", pool.streams_max.map(Value::from)),
        ("maxRetries", pool.retries_max.map(Value::from)),
        ("idleTimeout", pool.http_idle_timeout.map(seconds)),
        (
            "h2UpgradePolicy",
            pool.h2_upgrade.map(|is| upgrade(is).into()),
        ),
        (
            "useClientProtocol",
            pool.use_client_protocol.then(|| true.into()),
        ),
    ]);
    json!({ "tcp": tcp, "http": http })
}

fn outlier_detection(outlier: &OutlierDetection) -> Value {
    present([
        ("consecutive5xxErrors", Some(outlier.consecutive_5xx.into())),
        (
            "consecutiveGatewayErrors",
            Some(outlier.consecutive_gateway_errors.into()),
        ),
        (
            "consecutiveLocalOriginFailures",
            outlier.consecutive_local_failures.map(Value::from),
        ),
        ("interval", Some(seconds(outlier.interval))),
        (
            "baseEjectionTime",
            Some(seconds(outlier.base_ejection_time)),
        ),
        (
            "maxEjectionPercent",
            Some(outlier.ejection_percent_max.into()),
        ),
        ("minHealthPercent", Some(outlier.health_percent_min.into())),
    ])
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
        "subjectAltNames": tls.subject_alt_names.iter().map(|name| &**name).collect::<Vec<_>>(),
        "roots": match &tls.roots {
            Roots::System => "system",
            Roots::File(path) => path,
            Roots::Pem(_) => "from a Secret",
        },
        "insecureSkipVerify": tls.skip_verify,
    })
}

/// An object of those fields that have a value.
fn present<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter();
    let there = fields.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}

/// A duration as protobuf's JSON has it: `1.5s`.
fn seconds(time: Duration) -> Value {
    format!("{}s", time.as_secs_f64()).into()
}
