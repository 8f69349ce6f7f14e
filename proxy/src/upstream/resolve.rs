//! Resolves the members of a cluster to addresses, by their names or by the name of the call.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use egret_config::address::EndpointAddress;
use egret_config::decide::destination::{AddressSource, DialRefusal, DialRule, Dialable};
use egret_config::host::HostPattern;
use egret_config::model::endpoint::Address;
use egret_config::snapshot::cluster::{Cluster, Member};
use egret_config::snapshot::workload::Mode;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use crate::dns::lookup::Unresolved;
use crate::dns::names::{Answer, Names};
use crate::failure::{Cause, Failure};
use crate::own_sockets::OwnSockets;
use crate::upstream::endpoint_set::EndpointSet;
use crate::upstream::endpoints;
use crate::upstream::endpoints::Endpoint;
use crate::upstream::load_balancer_context::LoadBalancerContext;

/// How long a call waits for the slower names of a cluster once one of them has an address.
const OTHER_NAMES_MAX: Duration = Duration::from_millis(50);

/// When names that failed or were too slow are resolved again.
const AGAIN: Duration = Duration::from_secs(1);

/// The current endpoints of a cluster's members. Endpoints of `before` that are still resolved keep their state. The call
/// continues as soon as one name has an address; it waits at most `OTHER_NAMES_MAX` for the other names.
///
/// # Errors
/// [`Cause::NoAddress`], [`Cause::NoEndpoint`], and `Refusal::OwnListener` where the names lead to this proxy alone.
pub async fn members(
    cluster: &Cluster,
    members: &[Member],
    (names, own): (&Names, &OwnSockets),
    before: &[Rc<Endpoint>],
) -> Result<EndpointSet, Failure> {
    let mut answers: Vec<Option<Result<Answer, Failure>>> = vec![None; members.len()];
    let mut lookups: FuturesUnordered<_> = members
        .iter()
        .enumerate()
        .filter_map(|(index, member)| match &member.address {
            Address::Ip(_) | Address::Unix(_) => None,
            Address::Name(name) => Some(async move { (index, resolve_name(names, name).await) }),
        })
        .collect();
    let mut deadline: Option<Instant> = None;
    while let Some((index, answer)) = match deadline {
        None => lookups.next().await,
        Some(deadline) => timeout_at(deadline, lookups.next()).await.unwrap_or(None),
    } {
        if answer.is_ok() {
            deadline.get_or_insert_with(|| Instant::now() + OTHER_NAMES_MAX);
        }
        answers[index] = Some(answer);
    }
    let mut endpoints = Vec::new();
    let mut until: Option<Instant> = None;
    let mut soonest = |at: Instant| until = Some(until.map_or(at, |until| until.min(at)));
    let again = Instant::now() + AGAIN;
    let (mut failed, mut refused) = (None, None);
    let mut allowed = |ip, port| {
        let address = SocketAddr::new(ip, port);
        let refusal = refusal(own, address, AddressSource::Name);
        let is_allowed = refusal.is_none();
        refused = refused.or(refusal);
        is_allowed.then_some(EndpointAddress::Ip(address))
    };
    for (member, answer) in members.iter().zip(answers) {
        match (&member.address, answer) {
            (Address::Ip(_) | Address::Unix(_), _) => {
                endpoints::of_answer(member, member.endpoint_address(), before, &mut endpoints);
            }
            (Address::Name(_), Some(Ok(answer))) => {
                let addresses = answer.addresses.iter().copied();
                let addresses = addresses.filter_map(|ip| allowed(ip, member.port));
                endpoints::of_answer(member, addresses, before, &mut endpoints);
                soonest(answer.valid_until);
            }
            (Address::Name(_), Some(Err(failure))) => {
                failed = Some(failure);
                soonest(again);
            }
            (Address::Name(name), None) => {
                let old = names.facts(name).map(|facts| facts.addresses);
                let old = old.iter().flat_map(|addresses| addresses.iter().copied());
                let old = old.filter_map(|ip| allowed(ip, member.port));
                endpoints::of_answer(member, old, before, &mut endpoints);
                soonest(again);
            }
        }
    }
    if endpoints.is_empty() {
        return Err(match (failed, refused) {
            (_, Some(refusal)) => not_dialled(cluster, own, refusal),
            (Some(failure), None) => failure,
            (None, None) => no_usable_endpoint(cluster, 0),
        });
    }
    Ok(EndpointSet::new(endpoints, until))
}

/// The failure of a call to a cluster without a usable endpoint; `known` is the number of its endpoints.
pub fn no_usable_endpoint(cluster: &Cluster, known: usize) -> Failure {
    let message = match known {
        0 => format!("cluster `{}` has no endpoint", cluster.name),
        known => format!("all {known} endpoints of `{}` are ejected", cluster.name),
    };
    Failure::new(Cause::NoEndpoint, message)
}

/// The original destination, or its address on `port` if one is given.
///
/// # Errors
/// [`Cause::NoEndpoint`] on a gateway, which has no original destination.
pub fn original(
    cluster: &Cluster,
    context: &LoadBalancerContext<'_>,
    port: Option<u16>,
) -> Result<SocketAddr, Failure> {
    if context.mode == Mode::Gateway {
        let message = format!(
            "cluster `{}` needs an original destination, which a gateway does not have",
            cluster.name
        );
        return Err(Failure::new(Cause::NoEndpoint, message));
    }
    let port = port.unwrap_or(context.original_dst.port());
    Ok(SocketAddr::new(context.original_dst.ip(), port))
}

/// The addresses of the call's own name, if `allowed` matches it: the address to call, and all of them where there are
/// others. Port 0 stands for the port of the original destination.
///
/// # Errors
/// [`Cause::NoEndpoint`] and [`Cause::NoAddress`].
pub async fn per_call(
    cluster: &Cluster,
    allowed: &HostPattern,
    port: u16,
    context: &LoadBalancerContext<'_>,
    (names, own): (&Names, &OwnSockets),
) -> Result<(SocketAddr, Vec<SocketAddr>), Failure> {
    let no_endpoint = |message: String| Failure::new(Cause::NoEndpoint, message);
    let name = context
        .name
        .filter(|name| !name.is_empty() && allowed.matches(name))
        .ok_or_else(|| {
            let name = context.name.unwrap_or("no name");
            no_endpoint(format!(
                "`{name}` is not one of `{allowed}` ({})",
                cluster.name
            ))
        })?;
    let port = match port {
        0 => context.original_dst.port(),
        port => port,
    };
    let answer = names
        .addresses_for_caller(name)
        .await
        .map_err(|unresolved| no_address(&unresolved))?;
    // A gateway does not dial itself either, on whichever address it listens.
    let is_gateway =
        |address: SocketAddr| context.mode == Mode::Gateway && address == context.original_dst.0;
    let mut refused = None;
    let mut fit = Vec::new();
    for ip in answer.addresses.iter() {
        let address = SocketAddr::new(*ip, port);
        let refusal = match refusal(own, address, AddressSource::ClientName) {
            None if is_gateway(address) => Some(DialRefusal::own_listener(address)),
            refusal => refusal,
        };
        match refusal {
            None => fit.push(address),
            Some(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    let of_family = fit
        .iter()
        .find(|address| address.is_ipv4() == context.original_dst.0.is_ipv4());
    let Some(first) = of_family.or(fit.first()).copied() else {
        let why = refused.map_or_else(|| "it has no address".to_owned(), |it| it.to_string());
        return Err(no_endpoint(format!("`{name}` leads nowhere: {why}")));
    };
    let others = if fit.len() > 1 { fit } else { Vec::new() };
    Ok((first, others))
}

/// Why an address may not be dialled; `None` where it may be.
fn refusal(own: &OwnSockets, address: SocketAddr, source: AddressSource) -> Option<DialRefusal> {
    match own.dialable(address, source) {
        Dialable::Allowed => None,
        Dialable::Refused(refusal) => Some(refusal),
    }
}

/// The failure of a call when no address of its names may be dialled.
fn not_dialled(cluster: &Cluster, own: &OwnSockets, refusal: DialRefusal) -> Failure {
    match refusal.rule {
        DialRule::OwnListener => own.refused(refusal),
        DialRule::GatewayLoopback | DialRule::ClientName => {
            let message = format!("cluster `{}`: {refusal}", cluster.name);
            Failure::new(Cause::NoEndpoint, message)
        }
    }
}

async fn resolve_name(names: &Names, name: &str) -> Result<Answer, Failure> {
    names
        .addresses(name)
        .await
        .map_err(|unresolved| no_address(&unresolved))
}

fn no_address(unresolved: &Unresolved) -> Failure {
    // The format of Envoy's dynamic forward proxy.
    let reason = unresolved.reason.name();
    let why = format!("dns_resolution_failure{{{reason}}}: {unresolved}");
    Failure::new(Cause::NoAddress(why.into()), unresolved.to_string())
}
