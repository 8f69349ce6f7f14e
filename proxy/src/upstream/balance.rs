//! Picks one endpoint of several. Pure: the dice are passed in, and what is remembered is passed in too.

pub mod xxhash;
pub mod hash;
pub mod priority;
pub mod warmup;

use std::cell::Cell;
use std::rc::Rc;

use egret_config::address::EndpointAddress;
use egret_config::decide::Dice;

use crate::upstream::balance::warmup::Shares;
use crate::upstream::endpoints::Endpoint;

/// How an endpoint is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// The less busy of two random ones.
    LeastRequest,
    /// One after the other, in proportion to the weights.
    RoundRobin,
    /// By chance, in proportion to the weights.
    Random,
}

/// The inputs of a pick.
#[derive(Debug)]
pub struct Picker<'p> {
    /// How it is picked.
    pub balance: Balance,
    /// The current weights.
    pub shares: Shares,
    /// The state of round robin.
    pub turn: &'p Cell<u64>,
}

impl Picker<'_> {
    /// Picks one of `endpoints`; `None` when there is none. Endpoints in `avoid` are picked only when there are no others.
    pub fn pick<'e>(
        &self,
        endpoints: &'e [Rc<Endpoint>],
        avoid: &[EndpointAddress],
        dice: Dice<'_>,
    ) -> Option<&'e Rc<Endpoint>> {
        if avoid.is_empty() {
            return self.once(endpoints, dice);
        }
        // A retry is rare, and goes to a host that has not failed this request before if one is left.
        let fresh: Vec<_> = endpoints
            .iter()
            .filter(|endpoint| !avoid.contains(&endpoint.address))
            .cloned()
            .collect();
        match self.once(&fresh, dice) {
            Some(picked) => endpoints
                .iter()
                .find(|endpoint| endpoint.address == picked.address),
            None => self.once(endpoints, dice),
        }
    }

    fn once<'e>(&self, endpoints: &'e [Rc<Endpoint>], dice: Dice<'_>) -> Option<&'e Rc<Endpoint>> {
        let shares = &self.shares;
        match endpoints {
            [] => None,
            [only] => Some(only),
            several => Some(match self.balance {
                Balance::LeastRequest => least_request(several, shares, dice),
                Balance::RoundRobin => round_robin(several, shares, self.turn),
                Balance::Random => by_weight(several, shares, dice),
            }),
        }
    }
}

fn least_request<'e>(
    endpoints: &'e [Rc<Endpoint>],
    shares: &Shares,
    dice: Dice<'_>,
) -> &'e Rc<Endpoint> {
    let mut drawn = || by_weight(endpoints, shares, dice);
    let (one, other) = (drawn(), drawn());
    // Weights are in the draw already; comparing loads per weight as well would count them twice.
    if other.active.get() < one.active.get() {
        other
    } else {
        one
    }
}

fn round_robin<'e>(
    endpoints: &'e [Rc<Endpoint>],
    shares: &Shares,
    turn: &Cell<u64>,
) -> &'e Rc<Endpoint> {
    let now = turn.get();
    turn.set(now.wrapping_add(1));
    // A step that shares no divisor with the sum visits each unit of weight once a cycle, and spreads heavy endpoints
    // out instead of calling them many times in a row.
    let sum = sum(endpoints, shares);
    let step = if uniform(endpoints, shares) {
        shares.of(&endpoints[0])
    } else {
        coprime_near_golden_ratio(sum)
    };
    let position = u128::from(now) * u128::from(step) % u128::from(sum);
    endpoint_at(endpoints, shares, position as u64)
}

fn by_weight<'e>(
    endpoints: &'e [Rc<Endpoint>],
    shares: &Shares,
    dice: Dice<'_>,
) -> &'e Rc<Endpoint> {
    if uniform(endpoints, shares) {
        let index = dice(endpoints.len() as u64) as usize;
        return &endpoints[index.min(endpoints.len() - 1)];
    }
    let position = dice(sum(endpoints, shares));
    endpoint_at(endpoints, shares, position)
}

/// The endpoint at this position in the sum of the weights.
fn endpoint_at<'e>(
    endpoints: &'e [Rc<Endpoint>],
    shares: &Shares,
    mut position: u64,
) -> &'e Rc<Endpoint> {
    let last = endpoints.len() - 1;
    for endpoint in &endpoints[..last] {
        match position.checked_sub(shares.of(endpoint)) {
            None => return endpoint,
            Some(rest) => position = rest,
        }
    }
    &endpoints[last]
}

fn uniform(endpoints: &[Rc<Endpoint>], shares: &Shares) -> bool {
    let first = shares.of(&endpoints[0]);
    endpoints
        .iter()
        .all(|endpoint| shares.of(endpoint) == first)
}

fn sum(endpoints: &[Rc<Endpoint>], shares: &Shares) -> u64 {
    endpoints
        .iter()
        .map(|endpoint| shares.of(endpoint))
        .sum::<u64>()
        .max(1)
}

fn coprime_near_golden_ratio(sum: u64) -> u64 {
    let mut step = (sum * 618 / 1000).max(1);
    while divisor(step, sum) != 1 {
        step -= 1;
    }
    step
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
