//! The endpoints of a cluster as far as they are known, and which of them are fit to be called.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use egret_config::address::{EndpointAddress, OriginalDestination};
use egret_config::decide::Dice;
use egret_config::model::policy::HashTable;
use tokio::time::Instant;

use crate::upstream::balance::hash::Table;
use crate::upstream::balance::priority;
use crate::upstream::endpoints::Endpoint;

/// The endpoints of a cluster, as far as they are known.
#[derive(Debug)]
pub struct EndpointSet {
    /// IPv4 first.
    endpoints: Rc<[Rc<Endpoint>]>,
    /// How many are IPv4.
    v4: usize,
    /// Until when they hold; `None` for ever.
    until: Option<Instant>,
    /// What was made of them last, for all of them and for each family.
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

/// Endpoints that are fit to be called, by priority.
#[derive(Debug)]
pub struct HealthyEndpoints {
    levels: Vec<PriorityLevel>,
    loads: Vec<u64>,
}

/// The endpoints of one priority.
#[derive(Debug, Default)]
pub struct PriorityLevel {
    /// Those that are fit.
    pub endpoints: Vec<Rc<Endpoint>>,
    /// How many there are, fit or not.
    all: usize,
    table: OnceCell<Table>,
}

impl EndpointSet {
    /// These endpoints, to be asked for again at `until`.
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

    /// Whether they have to be asked for again.
    pub fn is_stale(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// Those that are fit, at `version` of the set of ejected endpoints. With less than `health_min` percent of them
    /// well all count as fit: then it is better to try than to overload the rest.
    pub fn usable(
        &self,
        among: FamilyFilter,
        version: u64,
        ejected: impl FnOnce() -> Vec<EndpointAddress>,
        health_min: u32,
    ) -> Rc<HealthyEndpoints> {
        let place = match among {
            FamilyFilter::All => 0,
            FamilyFilter::Family(to) | FamilyFilter::First(to) => 1 + usize::from(to.0.is_ipv6()),
        };
        if let Some((made_of, usable)) = &self.usable.borrow()[place]
            && *made_of == version
        {
            return Rc::clone(usable);
        }
        let usable = Rc::new(HealthyEndpoints::new(
            self.among(among),
            &ejected(),
            health_min,
        ));
        self.usable.borrow_mut()[place] = Some((version, Rc::clone(&usable)));
        usable
    }

    fn among(&self, among: FamilyFilter) -> &[Rc<Endpoint>] {
        let family = |to: OriginalDestination| {
            let (v4, v6) = self.endpoints.split_at(self.v4);
            let (wanted, other) = if to.0.is_ipv4() { (v4, v6) } else { (v6, v4) };
            if wanted.is_empty() { other } else { wanted }
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
        let well = |endpoint: &Endpoint| !ejected.contains(&endpoint.address);
        let well_count = endpoints.iter().filter(|endpoint| well(endpoint)).count();
        let panic = well_count * 100 < endpoints.len() * health_min as usize;
        for endpoint in endpoints {
            let place = endpoint.priority as usize;
            if levels.len() <= place {
                levels.resize_with(place + 1, PriorityLevel::default);
            }
            let level = &mut levels[place];
            level.all += 1;
            if panic || well(endpoint) {
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

    /// The priority that a call goes to; `None` when no endpoint is fit. Priorities that endpoints in `done` are of are
    /// left out, unless nobody else is fit.
    pub fn level(&self, done: &[EndpointAddress], dice: Dice<'_>) -> Option<&PriorityLevel> {
        let chosen = self.other(done, dice);
        let chosen = chosen.or_else(|| priority::choose(&self.loads, dice));
        self.levels.get(chosen?)
    }

    fn other(&self, done: &[EndpointAddress], dice: Dice<'_>) -> Option<usize> {
        if done.is_empty() {
            return None;
        }
        let left = self.levels.iter().map(|level| {
            let endpoints = &level.endpoints;
            match endpoints.iter().any(|one| done.contains(&one.address)) {
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
        self.endpoints.get(table.place(hash)?)
    }
}

#[cfg(test)]
mod tests;
