use egret_config::address::EndpointAddress;

use super::*;

const RING: HashTable = HashTable::Ring { size_min: 1024 };
const MAGLEV: HashTable = HashTable::Maglev { size: 65537 };

fn endpoints(weights: &[u32]) -> Vec<Rc<Endpoint>> {
    let address = |number: usize| EndpointAddress::Ip(([10, 0, 0, number as u8], 80).into());
    let weights = weights.iter().enumerate();
    weights
        .map(|(number, weight)| Rc::new(Endpoint::new(address(number), *weight, 0)))
        .collect()
}

/// The endpoint of each of a number of keys.
fn indices(kind: HashTable, endpoints: &[Rc<Endpoint>]) -> Vec<usize> {
    let table = Table::new(kind, endpoints);
    (0..10_000u64)
        .map(|key| {
            table
                .endpoint_index(xxh64(&key.to_le_bytes(), 0))
                .expect("an endpoint")
        })
        .collect()
}

#[test]
fn few_keys_move_when_an_endpoint_goes() {
    // In a ring with a minimum size the remaining endpoints get more points, so some keys move among them.
    for (kind, others_max) in [(RING, 1000), (MAGLEV, 400)] {
        let all = endpoints(&[1, 1, 1, 1, 1]);
        let (before, after) = (indices(kind, &all), indices(kind, &all[..4]));
        let moved = before
            .iter()
            .zip(&after)
            .filter(|(before, after)| **before != 4 && before != after);
        let moved = moved.count();
        assert!(
            moved <= others_max,
            "{kind:?}: {moved} keys of others moved"
        );
    }
}

#[test]
fn shares_follow_the_weights() {
    for (kind, tolerance) in [(RING, 600), (MAGLEV, 200)] {
        let indices = indices(kind, &endpoints(&[1, 3]));
        let light = indices.iter().filter(|index| **index == 0).count();
        assert!(light.abs_diff(2500) < tolerance, "{kind:?}: {light}");
    }
}

#[test]
fn tables_have_the_configured_size() {
    let all = endpoints(&[1, 1, 1]);
    let Table::Ring(points) = Table::new(RING, &all) else {
        panic!("a ring")
    };
    assert_eq!(points.len(), 1026, "342 points each, so that none is short");
    let Table::Maglev(slots) = Table::new(MAGLEV, &all) else {
        panic!("a table")
    };
    assert_eq!(slots.len(), 65537);
    for (kind, heavy) in [(RING, 1), (MAGLEV, 1)] {
        let only = Table::new(kind, &endpoints(&[heavy]));
        assert_eq!(only.endpoint_index(u64::MAX), Some(0));
        assert_eq!(Table::new(kind, &[]).endpoint_index(1), None);
    }
}
