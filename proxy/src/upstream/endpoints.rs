//! Who is behind a cluster: addresses with what this worker has going on at each.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use egret_config::model::endpoint::{Address, DestinationWorkload};
use egret_config::model::tls::Hashed;
use egret_config::snapshot::cluster::Member;
use tokio::time::Instant;

use crate::sys::stand_in;
use crate::upstream::limits::Permit;

/// One address behind a cluster.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it is.
    pub address: SocketAddr,
    /// Its share relative to the others, at least 1.
    pub weight: u32,
    /// How near it is; 0 is nearest.
    pub priority: u32,
    /// Requests and connections this worker has under way there.
    pub active: Cell<u32>,
    /// Since when it is known, where its share grows from then on.
    pub since: Cell<Option<Instant>>,
    /// The workload, where it is a pod that is known.
    pub workload: Option<Hashed<DestinationWorkload>>,
}

impl Endpoint {
    /// An endpoint with nothing under way.
    pub fn new(address: SocketAddr, weight: u32, priority: u32) -> Self {
        Self {
            address,
            weight: weight.max(1),
            priority,
            active: Cell::new(0),
            since: Cell::new(None),
            workload: None,
        }
    }

    /// The endpoint of a member at this address.
    fn of(member: &Member, address: SocketAddr) -> Self {
        Self {
            workload: member.workload.clone(),
            ..Self::new(address, member.weight, member.priority)
        }
    }
}

/// One call under way at an endpoint; it counts as long as this lives.
#[derive(Debug)]
#[must_use = "the call counts only while this lives"]
pub struct Active {
    /// None where nothing is balanced.
    endpoint: Option<Rc<Endpoint>>,
    /// Its place among the requests that the cluster may have under way.
    _request: Permit,
}

impl Active {
    /// Begins a call at an endpoint.
    pub fn begin(endpoint: Option<&Rc<Endpoint>>, request: Permit) -> Self {
        if let Some(endpoint) = endpoint {
            endpoint.active.set(endpoint.active.get().saturating_add(1));
        }
        Self {
            endpoint: endpoint.map(Rc::clone),
            _request: request,
        }
    }

    /// The workload at the endpoint, where it is a pod that is known.
    pub fn workload(&self) -> Option<&Hashed<DestinationWorkload>> {
        self.endpoint.as_ref()?.workload.as_ref()
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(endpoint) = &self.endpoint {
            endpoint.active.set(endpoint.active.get().saturating_sub(1));
        }
    }
}

/// The endpoint of a member that is a Unix socket.
pub fn of_path(member: &Member, path: &Arc<str>) -> Rc<Endpoint> {
    let address = stand_in::of(path);
    Rc::new(Endpoint::of(member, address))
}

/// The endpoints of members that are addresses or Unix sockets. Names are left out.
pub fn of_addresses(members: &[Member]) -> Vec<Rc<Endpoint>> {
    members
        .iter()
        .filter_map(|member| match member.address {
            Address::Ip(ip) => {
                let address = SocketAddr::new(ip, member.port);
                Some(Rc::new(Endpoint::of(member, address)))
            }
            Address::Unix(ref path) => Some(of_path(member, path)),
            Address::Name(_) => None,
        })
        .collect()
}

/// The endpoints of what a name resolves to. An address that was there before keeps its state.
pub fn of_answer(
    member: &Member,
    addresses: impl IntoIterator<Item = IpAddr>,
    before: &[Rc<Endpoint>],
    into: &mut Vec<Rc<Endpoint>>,
) {
    for ip in addresses {
        let address = SocketAddr::new(ip, member.port);
        if into.iter().any(|known| known.address == address) {
            continue;
        }
        let new = Endpoint::of(member, address);
        let kept = before.iter().find(|old| {
            old.address == address && old.weight == new.weight && old.priority == new.priority
        });
        into.push(kept.map_or_else(|| Rc::new(new), Rc::clone));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_count_while_they_live() {
        let endpoint = Rc::new(Endpoint::new(([10, 0, 0, 1], 80).into(), 0, 0));
        let begin = || Active::begin(Some(&endpoint), Permit::default());
        let (one, two) = (begin(), begin());
        assert_eq!(endpoint.active.get(), 2);
        drop((one, two));
        assert_eq!((endpoint.active.get(), endpoint.weight), (0, 1));
    }

    #[test]
    fn an_address_keeps_its_state_over_a_new_answer() {
        let member = Member {
            address: Address::Name("x.test".into()),
            port: 80,
            weight: 1,
            locality: "".into(),
            priority: 0,
            workload: None,
        };
        let ips: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        let (mut before, mut after) = (Vec::new(), Vec::new());
        of_answer(&member, ips, &[], &mut before);
        let _call = Active::begin(Some(&before[1]), Permit::default());
        of_answer(&member, [ips[1], ips[1]], &before, &mut after);
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].active.get(), 1);
    }
}
