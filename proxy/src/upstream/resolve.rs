//! From what a cluster says about its members to addresses: names resolved, of the cluster or of the call.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use egret_config::host::HostPattern;
use egret_config::model::endpoint::Address;
use egret_config::snapshot::cluster::Cluster;
use egret_config::snapshot::cluster::Member;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio::time::timeout_at;

use crate::dns::names::Answer;
use crate::dns::names::Names;
use crate::dns::resolver::Unresolved;
use crate::failure::Cause;
use crate::failure::Failure;
use crate::upstream::endpoints;
use crate::upstream::endpoints::Endpoint;
use crate::upstream::found::Found;
use crate::upstream::live::Wanted;

/// How long a call waits for the slower names of a cluster once one of them has an address.
const OTHER_NAMES_MAX: Duration = Duration::from_millis(50);

/// When the names that failed or were too slow are asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// The endpoints behind the members of a cluster now; those of `before` that are still there keep their state. As long as any name has an address, the call can go on; names that are
/// slow beside others are not waited for.
///
/// # Errors
/// [`Cause::NoAddress`] and [`Cause::NoEndpoint`].
pub async fn members(
    cluster: &Cluster,
    members: &[Member],
    names: &Names,
    before: &[Rc<Endpoint>],
) -> Result<Found, Failure> {
    let mut answers: Vec<Option<Result<Answer, Failure>>> = vec![None; members.len()];
    let mut asked: FuturesUnordered<_> = members
        .iter()
        .enumerate()
        .filter_map(|(place, member)| match &member.address {
            Address::Ip(_) | Address::Unix(_) => None,
            Address::Name(name) => Some(async move { (place, resolve_name(names, name).await) }),
        })
        .collect();
    let mut patience: Option<Instant> = None;
    while let Some((place, answer)) = match patience {
        None => asked.next().await,
        Some(patience) => timeout_at(patience, asked.next()).await.unwrap_or(None),
    } {
        if answer.is_ok() {
            patience.get_or_insert_with(|| Instant::now() + OTHER_NAMES_MAX);
        }
        answers[place] = Some(answer);
    }
    let mut endpoints = Vec::new();
    let mut until: Option<Instant> = None;
    let mut soonest = |at: Instant| until = Some(until.map_or(at, |until| until.min(at)));
    let again = Instant::now() + AGAIN;
    let mut failed = None;
    for (member, answer) in members.iter().zip(answers) {
        match (&member.address, answer) {
            (Address::Ip(ip), _) => {
                endpoints::of_answer(member, [*ip], before, &mut endpoints);
            }
            (Address::Unix(path), _) => endpoints.push(endpoints::of_path(member, path)),
            (Address::Name(_), Some(Ok(answer))) => {
                let addresses = answer.addresses.iter().copied();
                endpoints::of_answer(member, addresses, before, &mut endpoints);
                soonest(answer.valid_until);
            }
            (Address::Name(_), Some(Err(failure))) => {
                failed = Some(failure);
                soonest(again);
            }
            (Address::Name(_), None) => soonest(again),
        }
    }
    if endpoints.is_empty() {
        return Err(failed.unwrap_or_else(|| nobody(cluster, 0)));
    }
    Ok(Found::new(endpoints, until))
}

/// Nobody can be called, of so many that are known.
pub fn nobody(cluster: &Cluster, known: usize) -> Failure {
    let words = match known {
        0 => format!("cluster `{}` has no endpoint", cluster.name),
        known => format!("all {known} endpoints of `{}` are ejected", cluster.name),
    };
    Failure::new(Cause::NoEndpoint, words)
}

/// Where the caller wanted to go, on another port if one is given.
///
/// # Errors
/// [`Cause::NoEndpoint`] on a gateway, which does not know.
pub fn original(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    port: Option<u16>,
) -> Result<SocketAddr, Failure> {
    if !wanted.to_is_original {
        let words = format!(
            "cluster `{}` goes where the caller wanted to go, which a gateway does not know",
            cluster.name
        );
        return Err(Failure::new(Cause::NoEndpoint, words));
    }
    let port = port.unwrap_or(wanted.to.port());
    Ok(SocketAddr::new(wanted.to.ip(), port))
}

/// What the call's own name resolves to, if it is one that is allowed: the address to call, and all of them where there
/// are others. Port 0 is the one that the client dialled.
///
/// # Errors
/// [`Cause::NoEndpoint`] and [`Cause::NoAddress`].
pub async fn per_call(
    cluster: &Cluster,
    allowed: &HostPattern,
    port: u16,
    wanted: &Wanted<'_>,
    names: &Names,
) -> Result<(SocketAddr, Vec<SocketAddr>), Failure> {
    let refused = |words: String| Failure::new(Cause::NoEndpoint, words);
    let name = wanted
        .name
        .filter(|name| !name.is_empty() && allowed.matches(name))
        .ok_or_else(|| {
            let name = wanted.name.unwrap_or("no name");
            refused(format!(
                "`{name}` is not one of `{allowed}` ({})",
                cluster.name
            ))
        })?;
    let port = match port {
        0 => wanted.to.port(),
        port => port,
    };
    let answer = names
        .addresses_for_caller(name)
        .await
        .map_err(|unresolved| no_address(&unresolved))?;
    // The name is the caller's choice, and so is what it resolves to: this machine's own ports are not to be reached by
    // it, nor a gateway by way of itself.
    let is_fit = |address: &SocketAddr| {
        let ip = address.ip().to_canonical();
        let own = !wanted.to_is_original && *address == wanted.to;
        !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast() && !own
    };
    let addresses = answer.addresses.iter();
    let fit: Vec<_> = addresses
        .map(|ip| SocketAddr::new(*ip, port))
        .filter(is_fit)
        .collect();
    let of_family = fit
        .iter()
        .find(|address| address.is_ipv4() == wanted.to.is_ipv4());
    let Some(first) = of_family.or(fit.first()).copied() else {
        let words = format!("`{name}` resolves to addresses of this machine only");
        return Err(refused(words));
    };
    let others = if fit.len() > 1 { fit } else { Vec::new() };
    Ok((first, others))
}

async fn resolve_name(names: &Names, name: &str) -> Result<Answer, Failure> {
    names
        .addresses(name)
        .await
        .map_err(|unresolved| no_address(&unresolved))
}

fn no_address(unresolved: &Unresolved) -> Failure {
    Failure::new(Cause::NoAddress, unresolved.to_string())
}
