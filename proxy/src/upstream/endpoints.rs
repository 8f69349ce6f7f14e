//! The endpoints of a cluster: addresses, with the calls of this worker at each.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use egret_config::address::EndpointAddress;
use egret_config::model::endpoint::DestinationWorkload;
use egret_config::model::tls::Hashed;
use egret_config::snapshot::cluster::Member;
use tokio::time::Instant;

use crate::upstream::limits::Permit;

/// One address behind a cluster.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it is.
    pub address: EndpointAddress,
    /// Its share relative to the others, at least 1.
    pub weight: u32,
    /// Its priority; 0 is the nearest.
    pub priority: u32,
    /// Requests and connections this worker has under way there.
    pub active: Cell<u32>,
    /// When it was first resolved, where the cluster warms endpoints up.
    pub since: Cell<Option<Instant>>,
    /// The workload, where it is a pod that is known.
    pub workload: Option<Hashed<DestinationWorkload>>,
    /// The DNS name that the address is of; `None` where the configuration has the address.
    pub name: Option<Arc<str>>,
}

impl Endpoint {
    /// An endpoint with nothing under way.
    pub fn new(address: EndpointAddress, weight: u32, priority: u32) -> Self {
        Self {
            address,
            weight: weight.max(1),
            priority,
            active: Cell::new(0),
            since: Cell::new(None),
            workload: None,
            name: None,
        }
    }

    /// The endpoint of a member at this address.
    fn of(member: &Member, address: EndpointAddress) -> Self {
        Self {
            workload: member.workload.clone(),
            name: member.name().cloned(),
            ..Self::new(address, member.weight, member.priority)
        }
    }
}

/// One active call at an endpoint. It is counted until this is dropped.
#[derive(Debug)]
#[must_use = "the call is counted until this is dropped"]
pub struct Active {
    /// None where nothing is balanced.
    endpoint: Option<Rc<Endpoint>>,
    /// The permit for the request.
    _request: Permit,
}

impl Active {
    /// Begins a call at an endpoint.
    pub fn begin(endpoint: Option<Rc<Endpoint>>, request: Permit) -> Self {
        if let Some(endpoint) = &endpoint {
            endpoint.active.set(endpoint.active.get().saturating_add(1));
        }
        Self {
            endpoint,
            _request: request,
        }
    }

    /// The endpoint; `None` where nothing is balanced.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_deref()
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(endpoint) = &self.endpoint {
            endpoint.active.set(endpoint.active.get().saturating_sub(1));
        }
    }
}

/// The endpoints of members that are addresses or Unix sockets. Names are left out.
pub fn of_addresses(members: &[Member]) -> Vec<Rc<Endpoint>> {
    let endpoints = members.iter().filter_map(|member| {
        let address = member.endpoint_address()?;
        Some(Endpoint::of(member, address))
    });
    endpoints.map(Rc::new).collect()
}

/// The endpoints of a member at these addresses. An address that was there before keeps its state.
pub fn of_answer(
    member: &Member,
    addresses: impl IntoIterator<Item = EndpointAddress>,
    before: &[Rc<Endpoint>],
    into: &mut Vec<Rc<Endpoint>>,
) {
    for address in addresses {
        if into.iter().any(|known| known.address == address) {
            continue;
        }
        let new = Endpoint::of(member, address);
        let kept = before.iter().find(|old| {
            old.address == new.address && old.weight == new.weight && old.priority == new.priority
        });
        into.push(kept.map_or_else(|| Rc::new(new), Rc::clone));
    }
}

#[cfg(test)]
mod tests {
    use egret_config::model::endpoint::Address;

    use super::*;

    #[test]
    fn calls_count_while_they_live() {
        let endpoint = Rc::new(Endpoint::new(
            EndpointAddress::Ip(([10, 0, 0, 1], 80).into()),
            0,
            0,
        ));
        let begin = || Active::begin(Some(Rc::clone(&endpoint)), Permit::default());
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
        let at = |last| EndpointAddress::Ip(([10, 0, 0, last], 80).into());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        of_answer(&member, [at(1), at(2)], &[], &mut before);
        let _call = Active::begin(Some(Rc::clone(&before[1])), Permit::default());
        of_answer(&member, [at(2), at(2)], &before, &mut after);
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].active.get(), 1);
    }
}
