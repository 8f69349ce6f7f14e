//! Consistent hashing: equal keys go to equal endpoints, and few keys move when endpoints come or go. Pure.

use std::rc::Rc;

use egret_config::model::policy::HashTable;

use crate::upstream::balance::xxhash::xxh64;
use crate::upstream::endpoints::Endpoint;

/// Entries of a ring at most, as in Envoy.
const RING_MAX: f64 = (8 << 20) as f64;

/// A table from hashes to endpoints.
#[derive(Debug)]
pub enum Table {
    /// Points on a ring, in order, each an endpoint's; a key belongs to the next point.
    Ring(Vec<(u64, u32)>),
    /// Google's Maglev: each slot is an endpoint's, and nearly equally many are.
    Maglev(Vec<u32>),
}

impl Table {
    /// A table over these endpoints.
    pub fn new(kind: HashTable, endpoints: &[Rc<Endpoint>]) -> Self {
        match kind {
            HashTable::Ring { size_min } => Self::Ring(ring(size_min, endpoints)),
            HashTable::Maglev { size } => Self::Maglev(maglev(size, endpoints)),
        }
    }

    /// The index of the endpoint that a hash maps to; `None` when there are no endpoints.
    pub fn endpoint_index(&self, hash: u64) -> Option<usize> {
        let index = match self {
            Self::Ring(points) => {
                let next = points.partition_point(|(point, _)| *point < hash);
                points.get(next).or(points.first())?.1
            }
            Self::Maglev(slots) => *slots.get((hash.checked_rem(slots.len() as u64)?) as usize)?,
        };
        Some(index as usize)
    }
}

/// As Envoy's ring: each endpoint has points in proportion to its weight, at least one, at the hashes of
/// `address_0`, `address_1` and so on.
fn ring(size_min: u64, endpoints: &[Rc<Endpoint>]) -> Vec<(u64, u32)> {
    let sum: f64 = endpoints.iter().map(|one| f64::from(one.weight)).sum();
    let Some(lightest) = endpoints.iter().map(|one| one.weight).min() else {
        return Vec::new();
    };
    let lightest = f64::from(lightest) / sum;
    let scale = ((lightest * size_min as f64).ceil() / lightest).min(RING_MAX);
    let mut points = Vec::with_capacity(scale.ceil() as usize);
    let mut points_target = 0.0;
    for (index, endpoint) in endpoints.iter().enumerate() {
        points_target += scale * f64::from(endpoint.weight) / sum;
        let mut number = 0;
        while (points.len() as f64) < points_target {
            let key = format!("{}_{number}", endpoint.address);
            points.push((xxh64(key.as_bytes(), 0), index as u32));
            number += 1;
        }
    }
    points.sort_unstable();
    points
}

/// Each endpoint in turn gets the next free slot of its own order of slots. An endpoint with a lower weight skips turns.
fn maglev(size: u64, endpoints: &[Rc<Endpoint>]) -> Vec<u32> {
    const FREE: u32 = u32::MAX;
    let heaviest = endpoints.iter().map(|one| one.weight).max();
    let Some(heaviest) = heaviest.map(f64::from).filter(|_| size > 1) else {
        return Vec::new();
    };
    struct ConnectTurn {
        offset: u64,
        step: u64,
        next: u64,
        share: f64,
        due: f64,
    }
    let mut turns: Vec<_> = endpoints
        .iter()
        .map(|endpoint| {
            let key = endpoint.address.to_string();
            let share = f64::from(endpoint.weight) / heaviest;
            ConnectTurn {
                offset: xxh64(key.as_bytes(), 0) % size,
                step: xxh64(key.as_bytes(), 1) % (size - 1) + 1,
                next: 0,
                share,
                due: 0.0,
            }
        })
        .collect();
    let mut slots = vec![FREE; size as usize];
    let mut left = slots.len();
    let mut rounds = 0.0;
    while left > 0 {
        rounds += 1.0;
        for (index, turn) in turns.iter_mut().enumerate() {
            if left == 0 {
                break;
            }
            if rounds * turn.share < turn.due {
                continue;
            }
            turn.due += 1.0;
            // The size is a prime, so the order visits each slot.
            loop {
                let slot = (turn.offset + turn.step * turn.next) % size;
                turn.next += 1;
                if slots[slot as usize] == FREE {
                    slots[slot as usize] = index as u32;
                    break;
                }
            }
            left -= 1;
        }
    }
    slots
}

#[cfg(test)]
mod tests;
