use std::collections::BTreeMap;
use std::slice;

use super::*;

fn endpoints(weights: &[u32]) -> Vec<Rc<Endpoint>> {
    weights
        .iter()
        .enumerate()
        .map(|(index, weight)| {
            let address = EndpointAddress::Ip(([10, 0, 0, index as u8], 80).into());
            Rc::new(Endpoint::new(address, *weight, 0))
        })
        .collect()
}

/// A picker that gives each endpoint its whole share.
fn picker(balance: Balance, turn: &Cell<u64>) -> Picker<'_> {
    Picker {
        balance,
        shares: Shares::Whole,
        turn,
    }
}

/// How often each endpoint is picked in `rounds` picks.
fn counts(balance: Balance, weights: &[u32], rounds: usize) -> Vec<usize> {
    let (endpoints, turn) = (endpoints(weights), Cell::new(0));
    let mut dice = fastrand::Rng::with_seed(7);
    let mut counts = BTreeMap::new();
    for _ in 0..rounds {
        let picked = picker(balance, &turn).pick(&endpoints, &[], &mut |n| dice.u64(..n));
        let picked = picked.expect("some");
        *counts.entry(picked.address.clone()).or_insert(0) += 1;
    }
    endpoints
        .iter()
        .map(|endpoint| counts.get(&endpoint.address).copied().unwrap_or(0))
        .collect()
}

#[test]
fn round_robin_is_exact() {
    assert_eq!(counts(Balance::RoundRobin, &[1, 1, 1], 30), [10, 10, 10]);
    assert_eq!(counts(Balance::RoundRobin, &[5, 3, 1], 90), [50, 30, 10]);
    assert_eq!(counts(Balance::RoundRobin, &[7, 7], 30), [15, 15]);
}

#[test]
fn round_robin_spreads_heavy_endpoints() {
    let (endpoints, turn) = (endpoints(&[3, 3, 2]), Cell::new(0));
    let picks: Vec<_> = (0..8)
        .map(|_| {
            let picker = picker(Balance::RoundRobin, &turn);
            let picked = picker.pick(&endpoints, &[], &mut |_| 0);
            picked.expect("some").address.clone()
        })
        .collect();
    assert!(
        picks
            .windows(3)
            .all(|three| three[0] != three[1] || three[1] != three[2]),
        "{picks:?}"
    );
}

#[test]
fn chance_follows_the_weights() {
    for balance in [Balance::Random, Balance::LeastRequest] {
        let counts = counts(balance, &[1, 3], 4000);
        assert!((800..1200).contains(&counts[0]), "{balance:?} {counts:?}");
    }
}

#[test]
fn the_less_busy_of_two_is_picked() {
    let endpoints = endpoints(&[1, 1]);
    endpoints[0].active.set(5);
    let mut rolls = [0, 1].into_iter();
    let turn = Cell::new(0);
    let picker = picker(Balance::LeastRequest, &turn);
    let picked = picker.pick(&endpoints, &[], &mut |_| rolls.next().expect("two rolls"));
    assert_eq!(picked.expect("some").address, endpoints[1].address);
}

#[test]
fn failed_hosts_are_avoided_while_others_are_left() {
    let endpoints = endpoints(&[1, 1]);
    let [first, second] = [0, 1].map(|index: usize| endpoints[index].address.clone());
    for balance in [Balance::LeastRequest, Balance::RoundRobin, Balance::Random] {
        let turn = Cell::new(0);
        let pick = |avoid: &[EndpointAddress]| {
            let picked = picker(balance, &turn).pick(&endpoints, avoid, &mut |_| 0);
            picked.expect("some").address.clone()
        };
        let (one, other) = (slice::from_ref(&first), slice::from_ref(&second));
        assert_eq!(pick(one), second);
        assert_eq!(pick(other), first);
        let both = [first.clone(), second.clone()];
        assert!(both.contains(&pick(&both)));
    }
    let turn = Cell::new(0);
    let picked = picker(Balance::Random, &turn).pick(&[], &[first], &mut |_| 0);
    assert!(picked.is_none());
}
