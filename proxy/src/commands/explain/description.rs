//! The description of how a cluster is called.

use std::net::SocketAddr;
use std::sync::Arc;

use egret_config::decide::destination;
use egret_config::decide::destination::{AddressSource, DialRefusal, DialRule, Dialable};
use egret_config::decide::outcome::{Carries, OutcomeKind};
use egret_config::decide::verdict::Refusal;
use egret_config::model::endpoint::Address;
use egret_config::model::policy::LoadBalancer;
use egret_config::model::route;
use egret_config::model::tls::{ClientTls, ClientTlsMode, KeyFiles, Roots};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::{Cluster, Discovery, Member};

use crate::commands::explain::answer::{Answer, Retries, Tls};
use crate::failure::Cause;

/// The certificate of the mesh, which marks ISTIO_MUTUAL.
const MESH_CERTIFICATE: &str = "/etc/certs/cert-chain.pem";

/// What a call sends to a cluster.
pub(super) enum CallContent<'a> {
    /// Bytes.
    Bytes,
    /// Requests for this host.
    Requests(&'a str),
}

/// Adds to an answer how its cluster is called. `listed` returns whether the members of a cluster that has none are known to be
/// none.
pub(super) fn cluster(
    answer: &mut Answer,
    cluster: &Arc<Cluster>,
    content: &CallContent<'_>,
    listed: &dyn Fn(&Cluster) -> bool,
) {
    let policy = &cluster.policy;
    let mut line = format!("{} comes from {}", cluster.name, cluster.origin);
    let rules: Vec<_> = cluster
        .destination_rules
        .iter()
        .map(|rule| format!("DestinationRule {rule}"))
        .collect();
    if !rules.is_empty() {
        line.push_str(&format!(", called as {} says", rules.join(" and ")));
    }
    answer.trail.push(line);
    let direct = matches!(cluster.discovery, Discovery::Original { .. });
    answer.lb = Some(match &policy.load_balancer {
        _ if direct => "PASSTHROUGH",
        LoadBalancer::LeastRequest => "LEAST_REQUEST",
        LoadBalancer::RoundRobin => "ROUND_ROBIN",
        LoadBalancer::Random => "RANDOM",
        LoadBalancer::Passthrough => "PASSTHROUGH",
        LoadBalancer::ConsistentHash(_) => "CONSISTENT_HASH",
    });
    if let Some(origination) = &policy.tls {
        let host = match content {
            CallContent::Requests(host) => Some(*host),
            CallContent::Bytes => None,
        };
        answer.tls = Some(tls(origination, &cluster.service_names, host));
        if let ClientTlsMode::Unusable(why) = &origination.mode {
            fail(answer, Cause::UpstreamTls(Arc::clone(why)), content);
            answer.trail.push(format!(
                "TLS cannot be originated, so the call fails: {why}"
            ));
        }
    }
    if let Discovery::Members(members) = &cluster.discovery
        && members.is_empty()
    {
        if !listed(cluster) {
            answer.trail.push(
                "no EndpointSlice of the Service was loaded, so its endpoints are unknown; without any, calls \
                 are refused (503, UH)"
                    .to_owned(),
            );
            return;
        }
        fail(answer, Cause::NoEndpoint, content);
        answer.trail.push("the cluster has no endpoint".to_owned());
    }
    answer.trail.push(dialled(&cluster.discovery));
}

/// Adds to an answer which endpoints of its cluster may not be dialled, as far as they are addresses: without any other one
/// the call is refused.
pub(super) fn dialable(
    answer: &mut Answer,
    cluster: &Cluster,
    content: &CallContent<'_>,
    snapshot: &Snapshot,
) {
    let members = match &cluster.discovery {
        Discovery::Members(members) | Discovery::Names { members, .. } => members,
        Discovery::Original { .. } | Discovery::PerCall { .. } => return,
    };
    let refusal = |member: &Member| {
        let (ip, source) = match &member.address {
            Address::Ip(ip) => (*ip, AddressSource::Endpoint),
            Address::Name(name) => (name.parse().ok()?, AddressSource::Name),
            Address::Unix(_) => return None,
        };
        let address = SocketAddr::new(ip, member.port);
        let own = destination::own_sockets(snapshot);
        match destination::dialable(address, source, snapshot.workload.mode, own) {
            Dialable::Refused(refusal) => Some(refusal),
            Dialable::Allowed => None,
        }
    };
    let refused: Vec<_> = members.iter().filter_map(refusal).collect();
    for refusal in &refused {
        answer
            .trail
            .push(format!("an endpoint is refused: {refusal}"));
    }
    if members.is_empty() || refused.len() < members.len() {
        return;
    }
    let is_own = |refusal: &DialRefusal| refusal.rule == DialRule::OwnListener;
    if refused.iter().any(is_own) {
        answer.outcome.kind = OutcomeKind::Blackhole;
        fail(answer, Cause::Refused(Refusal::OwnListener), content);
    } else {
        fail(answer, Cause::NoEndpoint, content);
    }
}

/// Sets the failure of an answer's call.
fn fail(answer: &mut Answer, cause: Cause, content: &CallContent<'_>) {
    let carries = match content {
        CallContent::Requests(_) => Carries::Request,
        CallContent::Bytes => Carries::Stream,
    };
    answer.fail(cause, carries);
}

/// Retries as an answer lists them.
pub(super) fn retries(retries: &route::Retries) -> Retries {
    let statuses: Vec<String> = retries.statuses.iter().map(ToString::to_string).collect();
    let conditions = retries.on.iter().map(|condition| &**condition);
    let all: Vec<&str> = conditions
        .chain(statuses.iter().map(String::as_str))
        .collect();
    Retries {
        attempts: retries.attempts,
        per_try_timeout: retries.try_timeout,
        retry_on: all.join(","),
    }
}

fn dialled(discovery: &Discovery) -> String {
    let members = match discovery {
        Discovery::Original { port: None } => {
            return "connects to the original destination".to_owned();
        }
        Discovery::Original { port: Some(port) } => {
            return format!("connects to the original destination, on port {port}");
        }
        Discovery::PerCall { allowed, port } => {
            return format!(
                "resolves the name of the call if it is one of {allowed}, and connects to it on port {port}"
            );
        }
        Discovery::Members(members) | Discovery::Names { members, .. } => members,
    };
    let mut names: Vec<String> = members
        .iter()
        .take(4)
        .map(|member| match &member.address {
            Address::Ip(ip) => SocketAddr::new(*ip, member.port).to_string(),
            Address::Name(name) => format!("{name}:{}", member.port),
            Address::Unix(path) => format!("unix://{path}"),
        })
        .collect();
    if members.len() > names.len() {
        names.push(format!("{} more", members.len() - names.len()));
    }
    if names.is_empty() {
        return "no endpoints".to_owned();
    }
    format!("connects to {}", names.join(" or "))
}

fn tls(tls: &ClientTls, service_names: &[Arc<str>], host: Option<&str>) -> Tls {
    let sni = tls.sni.as_deref().or(host).map(str::to_owned);
    let owned = |names: &[Arc<str>]| names.iter().map(ToString::to_string).collect();
    // The order of the proxy's own verification.
    let verify_san = if tls.skip_verify {
        Vec::new()
    } else if !tls.subject_alt_names.is_empty() {
        owned(&tls.subject_alt_names)
    } else if !service_names.is_empty() {
        owned(service_names)
    } else {
        sni.iter().cloned().collect()
    };
    let mesh = |keys: &KeyFiles| matches!(keys, KeyFiles::Files { certificate, .. } if **certificate == *MESH_CERTIFICATE);
    Tls {
        mode: match &tls.mode {
            ClientTlsMode::Simple => "SIMPLE",
            ClientTlsMode::Mutual(keys) if mesh(keys) => "ISTIO_MUTUAL",
            ClientTlsMode::Mutual(_) => "MUTUAL",
            ClientTlsMode::Unusable(_) => "UNUSABLE",
        },
        sni,
        verify_san,
        ca: match &tls.roots {
            _ if tls.skip_verify => None,
            Roots::System => Some("system".to_owned()),
            Roots::File(path) => Some(path.to_string()),
            Roots::Pem(_) => Some("from a Secret".to_owned()),
        },
    }
}
