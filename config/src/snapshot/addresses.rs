//! Addresses for ServiceEntries that have none, for workloads whose DNS queries are captured: a name then has an address
//! of its own, so that byte streams of one port can be distinguished.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::model::objects::Objects;
use crate::model::service::{Resolution, Service};
use crate::name::Kind;

/// The label by which a ServiceEntry declines an address.
const LABEL: &str = "networking.istio.io/enable-autoallocate-ip";

/// Slots that are handed out in 240.240.0.0/16.
const SLOTS: u32 = 256 * 254;

/// The greatest prime below [`SLOTS`], for the second step of the hash.
const PRIME: u32 = 65_011;

/// The owner of a slot: namespace and host.
type Owner = (Arc<str>, Arc<str>);

/// Gives each host of a ServiceEntry without addresses one in 240.240.0.0/16 and one in 2001:2::/48, where its names are
/// handed out by captured DNS: not with resolution NONE, where the client's address counts, and not to wildcards.
///
/// Addresses that Istio has given already are taken. The others are those that istiod gives where it writes none down: each
/// ServiceEntry claims a slot by a hash of `namespace/host`, the next of a second hash where two meet, and a host has the
/// lowest of its slots. So an address depends on the name, and on others only where they meet.
pub fn allocate(objects: &mut Objects) {
    let mut slots: HashSet<u32> = HashSet::new();
    let mut lowest: HashMap<Owner, u32> = HashMap::new();
    for service in &mut objects.services {
        if service.addresses.is_empty() && !service.given.is_empty() {
            let given = service.given.iter().copied().map(IpNet::from).collect();
            Arc::make_mut(service).addresses = given;
            continue;
        }
        let Some(owner) = owner_of(service) else {
            continue;
        };
        if let Some(slot) = claim(&mut slots, &owner) {
            let first = lowest.entry(owner).or_insert(slot);
            *first = slot.min(*first);
        }
    }
    for service in &mut objects.services {
        let slot = owner_of(service).and_then(|owner| lowest.get(&owner));
        if let Some(slot) = slot {
            let addresses = addresses(*slot).map(IpNet::from).to_vec();
            Arc::make_mut(service).addresses = addresses;
        }
    }
}

/// The addresses of a slot; the last byte is never 0 or 255.
fn addresses(slot: u32) -> [IpAddr; 2] {
    let [third, fourth] = bytes(slot);
    let last = u16::from_be_bytes([third, fourth]);
    [
        IpAddr::V4(Ipv4Addr::new(240, 240, third, fourth)),
        IpAddr::V6(Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0xf0f0, last)),
    ]
}

/// Namespace and host of a service that gets an address.
fn owner_of(service: &Service) -> Option<Owner> {
    let entry = service.meta.kind == Kind::ServiceEntry && service.addresses.is_empty();
    let enabled = service.labels.value(LABEL) != Some("false");
    let host = service.host.exact()?;
    let wants = entry && enabled && service.resolution != Resolution::None;
    wants.then(|| (service.meta.name.namespace.clone(), host.clone()))
}

/// A free slot for a host; `None` when there is none.
fn claim(slots: &mut HashSet<u32>, (namespace, host): &Owner) -> Option<u32> {
    let hash = fnv(&format!("{namespace}/{host}"));
    let step = PRIME - hash % PRIME;
    let further = (1..SLOTS).map(|tries| hash.wrapping_add(tries.wrapping_mul(step)) % (SLOTS - 1));
    std::iter::once(hash % SLOTS)
        .chain(further)
        .find(|slot| (slot + 1) % 255 != 0 && slots.insert(*slot))
}

/// The last two bytes of a slot's address.
fn bytes(slot: u32) -> [u8; 2] {
    let at = slot + 1;
    [at / 255, at % 255].map(|part| u8::try_from(part).unwrap_or(u8::MAX))
}

/// FNV-1a, 32 bits.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Text, load};
    use crate::problem::Severity;

    const ENTRY: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: NAME, namespace: db, LABELS}
spec: {hosts: [HOST], ports: [{number: 3306, name: tcp, protocol: TCP}], resolution: RESOLUTION}
";

    fn addresses(entries: &[(&str, &str, &str)]) -> Vec<Vec<String>> {
        let yaml: Vec<String> = entries
            .iter()
            .enumerate()
            .map(|(at, (host, resolution, labels))| {
                ENTRY
                    .replace("NAME", &format!("e{at}"))
                    .replace("HOST", host)
                    .replace("RESOLUTION", resolution)
                    .replace("LABELS", labels)
            })
            .collect();
        let text = Text {
            file: "a.yaml".into(),
            bytes: yaml.join("---").into_bytes(),
        };
        let (mut objects, problems) = load(&[text], None);
        let mut problems = problems.iter();
        assert!(problems.all(|problem| problem.severity == Severity::Warning));
        allocate(&mut objects);
        let texts = |service: &Arc<Service>| {
            let nets = service.addresses.iter();
            nets.map(|net| net.addr().to_string()).collect()
        };
        objects.services.iter().map(texts).collect()
    }

    #[test]
    fn services_with_resolvable_names_get_addresses() {
        let off = "labels: {networking.istio.io/enable-autoallocate-ip: \"false\"}";
        let given = addresses(&[
            ("a.com", "DNS", ""),
            ("b.com", "DNS", ""),
            ("a.com", "DNS", ""),
            ("'*.com'", "NONE", ""),
            ("c.com", "NONE", ""),
            ("d.com", "DNS", off),
        ]);
        assert_eq!(given[0], given[2], "one host, one address");
        assert_ne!(given[0], given[1]);
        for given in &given[..3] {
            assert!(given[0].starts_with("240.240."), "{given:?}");
            assert!(given[1].starts_with("2001:2::f0f0:"), "{given:?}");
        }
        assert_eq!(given[3..], [vec![], vec![], Vec::<String>::new()]);
    }

    #[test]
    fn an_address_does_not_depend_on_other_entries() {
        let alone = addresses(&[("b.com", "DNS", "")]);
        let among = addresses(&[("a.com", "DNS", ""), ("b.com", "DNS", "")]);
        assert_eq!(alone[0], among[1]);
    }

    #[test]
    fn what_istio_gave_counts() {
        let status = "status: {conditions: [{type: x}], addresses: [{value: 240.240.0.7, host: a.com}, {value: 240.240.0.8, \
                      host: b.com}, {value: '2001:2::7', host: a.com}]}\n";
        let text = Text {
            file: "a.yaml".into(),
            bytes: (ENTRY
                .replace("NAME", "e")
                .replace("[HOST]", "[a.com, b.com]")
                .replace("TCP", "TLS")
                .replace("RESOLUTION", "DNS")
                .replace("LABELS", "")
                + status)
                .into_bytes(),
        };
        let (mut objects, problems) = load(&[text], None);
        assert_eq!(problems, []);
        assert!(objects.services.iter().all(|one| one.addresses.is_empty()));
        allocate(&mut objects);
        let given: Vec<Vec<String>> = objects
            .services
            .iter()
            .map(|one| {
                one.addresses
                    .iter()
                    .map(|net| net.addr().to_string())
                    .collect()
            })
            .collect();
        assert_eq!(
            given,
            [vec!["240.240.0.7", "2001:2::7"], vec!["240.240.0.8"]]
        );
    }

    #[test]
    fn colliding_slots_differ_and_never_end_in_0_or_255() {
        let mut slots = HashSet::new();
        for at in 0..20_000 {
            let owner = ("ns".into(), format!("h{at}").into());
            claim(&mut slots, &owner).unwrap();
        }
        assert_eq!(slots.len(), 20_000);
        let all: std::collections::BTreeSet<[u8; 2]> = slots.into_iter().map(bytes).collect();
        assert_eq!(all.len(), 20_000);
        assert!(all.iter().all(|bytes| (1..255).contains(&bytes[1])));
    }

    #[test]
    fn a_host_of_two_entries_has_the_lower_of_their_places() {
        let one = addresses(&[("a.com", "DNS", "")]);
        let two = addresses(&[("a.com", "DNS", ""), ("a.com", "DNS", "")]);
        assert_eq!(two[0], two[1]);
        let order = |given: &[String]| given[0].parse::<Ipv4Addr>().unwrap();
        assert!(order(&two[0]) <= order(&one[0]));
    }
}
