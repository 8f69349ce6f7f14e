//! The known endpoints of a cluster, and which of them are healthy.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use egret_config::address::{EndpointAddress, OriginalDestination};
use egret_config::decide::Dice;
use egret_config::model::policy::HashTable;
use tokio::time::Instant;

use crate::upstream::balance::hash::Table;
use crate::upstream::balance::priority;
use crate::upstream::endpoints::Endpoint;

/// The known endpoints of a cluster.
#[derive(Debug)]
pub struct EndpointSet {
    /// IPv4 first.
    endpoints: Rc<[Rc<Endpoint>]>,
    /// How many are IPv4.
    v4: usize,
    /// When they have to be resolved again; `None` for never.
    until: Option<Instant>,
    /// The last result of `usable`, for all endpoints and for each family.
    usable: RefCell<[Option<OfVersion>; 3]>,
}

/// The usable endpoints, and the version of the set of ejected endpoints they were computed for.
type OfVersion = (u64, Rc<HealthyEndpoints>);

/// Which of the endpoints a call may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyFilter {
    /// All.
    All,
    /// Those of the family that this address has, or all when there are none of it.
    Family(OriginalDestination),
    /// The first of that family.
    First(OriginalDestination),
}

/// The healthy endpoints, by priority.
#[derive(Debug)]
pub struct HealthyEndpoints {
    levels: Vec<PriorityLevel>,
    loads: Vec<u64>,
}

/// The endpoints of one priority.
#[derive(Debug, Default)]
pub struct PriorityLevel {
    /// The healthy ones.
    pub endpoints: Vec<Rc<Endpoint>>,
    /// How many there are, healthy or not.
    all: usize,
    table: OnceCell<Table>,
}

impl EndpointSet {
    /// These endpoints. They have to be resolved again at `until`.
    pub fn new(mut endpoints: Vec<Rc<Endpoint>>, until: Option<Instant>) -> Self {
        endpoints.sort_by_key(|endpoint| !endpoint.address.is_ipv4());
        let v4 = endpoints
            .iter()
            .filter(|endpoint| endpoint.address.is_ipv4())
            .count();
        Self {
            endpoints: endpoints.into(),
            v4,
            until,
            usable: RefCell::default(),
        }
    }

    /// All of them.
    pub fn endpoints(&self) -> &Rc<[Rc<Endpoint>]> {
        &self.endpoints
    }

    /// Their addresses.
    pub fn addresses(&self) -> Vec<EndpointAddress> {
        let all = self.endpoints.iter();
        all.map(|endpoint| endpoint.address.clone()).collect()
    }

    /// Whether they have to be resolved again.
    pub fn is_stale(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// The healthy endpoints, at `version` of the set of ejected endpoints. With less than `health_min` percent healthy
    /// all are used, so that the remaining ones are not overloaded (Envoy's panic mode).
    pub fn usable(
        &self,
        among: FamilyFilter,
        version: u64,
        ejected: impl FnOnce() -> Vec<EndpointAddress>,
        health_min: u32,
    ) -> Rc<HealthyEndpoints> {
        let index = match among {
            FamilyFilter::All => 0,
            FamilyFilter::Family(to) | FamilyFilter::First(to) => 1 + usize::from(to.0.is_ipv6()),
        };
        if let Some((made_of, usable)) = &self.usable.borrow()[index]
            && *made_of == version
        {
            return Rc::clone(usable);
        }
        let usable = Rc::new(HealthyEndpoints::new(
            self.among(among),
            &ejected(),
            health_min,
        ));
        self.usable.borrow_mut()[index] = Some((version, Rc::clone(&usable)));
        usable
    }

    fn among(&self, among: FamilyFilter) -> &[Rc<Endpoint>] {
        let family = |to: OriginalDestination| {
            let (v4, v6) = self.endpoints.split_at(self.v4);
            let (preferred, other) = if to.0.is_ipv4() { (v4, v6) } else { (v6, v4) };
            if preferred.is_empty() {
                other
            } else {
                preferred
            }
        };
        match among {
            FamilyFilter::All => &self.endpoints,
            FamilyFilter::Family(to) => family(to),
            FamilyFilter::First(to) => family(to).get(..1).unwrap_or_default(),
        }
    }
}

impl HealthyEndpoints {
    fn new(endpoints: &[Rc<Endpoint>], ejected: &[EndpointAddress], health_min: u32) -> Self {
        let mut levels: Vec<PriorityLevel> = Vec::new();
        let healthy = |endpoint: &Endpoint| !ejected.contains(&endpoint.address);
        let healthy_count = endpoints
            .iter()
            .filter(|endpoint| healthy(endpoint))
            .count();
        let panic = healthy_count * 100 < endpoints.len() * health_min as usize;
        for endpoint in endpoints {
            let priority = endpoint.priority as usize;
            if levels.len() <= priority {
                levels.resize_with(priority + 1, PriorityLevel::default);
            }
            let level = &mut levels[priority];
            level.all += 1;
            if panic || healthy(endpoint) {
                level.endpoints.push(Rc::clone(endpoint));
            }
        }
        let counts: Vec<_> = levels
            .iter()
            .map(|level| (level.endpoints.len(), level.all))
            .collect();
        Self {
            loads: priority::loads(&counts),
            levels,
        }
    }

    /// The priority that a call goes to; `None` when no endpoint is healthy. Priorities of the endpoints in `skipped` are
    /// used only when no other priority has a healthy endpoint.
    pub fn level(&self, skipped: &[EndpointAddress], dice: Dice<'_>) -> Option<&PriorityLevel> {
        let chosen = self.other(skipped, dice);
        let chosen = chosen.or_else(|| priority::choose(&self.loads, dice));
        self.levels.get(chosen?)
    }

    fn other(&self, skipped: &[EndpointAddress], dice: Dice<'_>) -> Option<usize> {
        if skipped.is_empty() {
            return None;
        }
        let left = self.levels.iter().map(|level| {
            let endpoints = &level.endpoints;
            match endpoints.iter().any(|one| skipped.contains(&one.address)) {
                true => (0, level.all),
                false => (endpoints.len(), level.all),
            }
        });
        let left: Vec<_> = left.collect();
        priority::choose(&priority::loads(&left), dice)
    }
}

impl PriorityLevel {
    /// The endpoint that a hash leads to.
    pub fn hashed(&self, kind: HashTable, hash: u64) -> Option<&Rc<Endpoint>> {
        let table = self.table.get_or_init(|| Table::new(kind, &self.endpoints));
        self.endpoints.get(table.endpoint_index(hash)?)
    }
}

#[cfg(test)]
mod tests;
