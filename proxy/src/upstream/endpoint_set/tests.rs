use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::*;

/// Endpoints `10.0.0.N` of these priorities, and one more, of IPv6.
fn endpoint_set(priorities: &[u32]) -> EndpointSet {
    let v4 = priorities
        .iter()
        .enumerate()
        .map(|(number, priority)| Rc::new(Endpoint::new(v4(number as u8), 1, *priority)));
    let v6 = Rc::new(Endpoint::new(v6(), 1, 0));
    EndpointSet::new(std::iter::once(v6).chain(v4).collect(), None)
}

fn v4(number: u8) -> EndpointAddress {
    EndpointAddress::Ip(([10, 0, 0, number], 80).into())
}

fn v6() -> EndpointAddress {
    EndpointAddress::Ip(([0xfd00, 0, 0, 0, 0, 0, 0, 1], 80).into())
}

/// Original destinations of both families.
const TO_V4: OriginalDestination =
    OriginalDestination(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)), 80));
const TO_V6: OriginalDestination =
    OriginalDestination(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 80));

/// The endpoints of the priority that a roll falls into.
fn level(
    set: &EndpointSet,
    among: FamilyFilter,
    ejected: &[EndpointAddress],
    health_min: u32,
    roll: u64,
) -> Vec<EndpointAddress> {
    let version = ejected.len() as u64;
    let usable = set.usable(among, version, || ejected.to_vec(), health_min);
    addresses(usable.level(&[], &mut |_| roll))
}

fn addresses(level: Option<&PriorityLevel>) -> Vec<EndpointAddress> {
    level.map_or_else(Vec::new, |level| {
        let endpoints = level.endpoints.iter();
        endpoints.map(|one| one.address.clone()).collect()
    })
}

#[test]
fn priorities_that_were_tried_leave_their_turn_to_others() {
    let set = endpoint_set(&[0, 0, 1, 2]);
    let usable = set.usable(FamilyFilter::Family(TO_V4), 0, Vec::new, 0);
    let other = |done: &[EndpointAddress]| addresses(usable.level(done, &mut |_| 0));
    assert_eq!(other(&[]), [v4(0), v4(1)]);
    assert_eq!(other(&[v4(0), v4(1)]), [v4(2)]);
    assert_eq!(other(&[v4(0), v4(0), v4(2), v4(2)]), [v4(3)]);
    let all = [v4(0), v4(2), v4(3)];
    assert_eq!(other(&all), [v4(0), v4(1)], "from the beginning");
}

#[test]
fn a_family_or_all() {
    let families = [
        (FamilyFilter::All, vec![v4(0), v4(1), v6()]),
        (FamilyFilter::Family(TO_V4), vec![v4(0), v4(1)]),
        (FamilyFilter::First(TO_V4), vec![v4(0)]),
        (FamilyFilter::Family(TO_V6), vec![v6()]),
    ];
    for (among, expected) in families {
        let set = endpoint_set(&[0, 0]);
        assert_eq!(level(&set, among, &[], 0, 0), expected, "{among:?}");
    }
    let only_v4 = EndpointSet::new(vec![Rc::new(Endpoint::new(v4(0), 1, 0))], None);
    assert_eq!(
        level(&only_v4, FamilyFilter::Family(TO_V6), &[], 0, 0),
        [v4(0)]
    );
}

#[test]
fn the_ejected_are_left_out_until_too_few_are_well() {
    let set = endpoint_set(&[0, 0]);
    let v4s = FamilyFilter::Family(TO_V4);
    assert_eq!(level(&set, v4s, &[v4(0)], 0, 0), [v4(1)]);
    let all = [v4(0), v4(1)];
    assert!(level(&set, v4s, &all, 0, 0).is_empty());
    assert_eq!(level(&set, v4s, &[v4(1), v4(0), v6()], 51, 0), all);
}

#[test]
fn the_next_priority_takes_what_the_first_cannot_carry() {
    let set = endpoint_set(&[0, 0, 1]);
    let v4s = FamilyFilter::Family(TO_V4);
    assert_eq!(level(&set, v4s, &[], 0, 99), [v4(0), v4(1)]);
    let half = [v4(0)];
    assert_eq!(level(&set, v4s, &half, 0, 69), [v4(1)]);
    assert_eq!(level(&set, v4s, &half, 0, 70), [v4(2)]);
    assert_eq!(level(&set, v4s, &[v4(0), v4(1)], 0, 0), [v4(2)]);
}

#[test]
fn usable_endpoints_are_computed_once_for_a_version() {
    let set = endpoint_set(&[0]);
    let once = set.usable(FamilyFilter::All, 1, Vec::new, 0);
    let again = set.usable(FamilyFilter::All, 1, || panic!("not computed again"), 0);
    assert!(Rc::ptr_eq(&once, &again));
    assert!(!Rc::ptr_eq(
        &once,
        &set.usable(FamilyFilter::All, 2, Vec::new, 0)
    ));
}
