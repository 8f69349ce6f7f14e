//! Addresses for ServiceEntries that have none, for workloads whose DNS queries are captured: a name then has an address
//! of its own, so that byte streams of one port can be told apart.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::host::HostPattern;
use crate::model::objects::Objects;
use crate::model::service::Resolution;
use crate::model::service::Service;
use crate::name::Kind;

/// The label by which a ServiceEntry asks for no address.
const LABEL: &str = "networking.istio.io/enable-autoallocate-ip";

/// Places in 240.240.0.0/16 that are handed out: the last byte is never 0 or 255.
const PLACES: u32 = 256 * 254;

/// The greatest prime below [`PLACES`], for the second step of the hash.
const PRIME: u32 = 65_011;

/// Gives each host of a ServiceEntry without addresses one in 240.240.0.0/16 and one in 2001:2::/48, where its names are
/// handed out by captured DNS: not with resolution NONE, whose callers' own address counts, and not to wildcards.
///
/// Addresses that Istio has given already are taken. As with Istio, the address is a hash of `namespace/host`, and the next place of a second hash where two meet. So it
/// depends on the name, and on others only where they meet.
pub fn allocate(objects: &mut Objects) {
    let mut places: HashMap<u32, (Arc<str>, Arc<str>)> = HashMap::new();
    for service in &mut objects.services {
        if service.addresses.is_empty() && !service.given.is_empty() {
            service.addresses = service.given.iter().copied().map(IpNet::from).collect();
            continue;
        }
        let Some(host) = wanting(service) else {
            continue;
        };
        let owner = (service.meta.name.namespace.clone(), host);
        let Some(place) = claim(&mut places, owner) else {
            return;
        };
        let [third, fourth] = bytes(place);
        let v4 = IpAddr::V4(Ipv4Addr::new(240, 240, third, fourth));
        let v6 = Ipv6Addr::new(
            0x2001,
            2,
            0,
            0,
            0,
            0xf0f0,
            u16::from(third),
            u16::from(fourth),
        );
        service.addresses = vec![IpNet::from(v4), IpNet::from(IpAddr::V6(v6))];
    }
}

/// The host of a service that gets an address.
fn wanting(service: &Service) -> Option<Arc<str>> {
    let entry = service.meta.kind == Kind::ServiceEntry && service.addresses.is_empty();
    let asked = service.labels.value(LABEL) != Some("false");
    let HostPattern::Exact(host) = &service.host else {
        return None;
    };
    (entry && asked && service.resolution != Resolution::None).then(|| host.clone())
}

/// The place of a host of a namespace; several entries for one share it. `None` when all are taken.
fn claim(
    places: &mut HashMap<u32, (Arc<str>, Arc<str>)>,
    owner: (Arc<str>, Arc<str>),
) -> Option<u32> {
    let hash = fnv(&format!("{}/{}", owner.0, owner.1));
    let step = PRIME - hash % PRIME;
    let place = (0..PLACES)
        .map(|tries| hash.wrapping_add(tries.wrapping_mul(step)) % PLACES)
        .find(|place| places.get(place).is_none_or(|holder| *holder == owner))?;
    places.insert(place, owner);
    Some(place)
}

/// The last two bytes of a place's address.
fn bytes(place: u32) -> [u8; 2] {
    [place / 254, place % 254 + 1].map(|part| u8::try_from(part).unwrap_or(254))
}

/// FNV-1a, 32 bits.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::load::Text;
    use crate::load::load;

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
        assert_eq!(problems, []);
        allocate(&mut objects);
        let texts = |service: &Service| {
            let nets = service.addresses.iter();
            nets.map(|net| net.addr().to_string()).collect()
        };
        objects.services.iter().map(texts).collect()
    }

    #[test]
    fn those_get_one_whose_name_is_asked_for() {
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
    fn places_that_meet_are_told_apart_and_never_end_in_0_or_255() {
        let mut places = HashMap::new();
        for at in 0..20_000 {
            let owner = ("ns".into(), format!("h{at}").into());
            claim(&mut places, owner).unwrap();
        }
        assert_eq!(places.len(), 20_000);
        let all: HashSet<[u8; 2]> = (0..PLACES).map(bytes).collect();
        assert_eq!(all.len(), 256 * 254);
        assert!(all.iter().all(|bytes| (1..255).contains(&bytes[1])));
    }
}
