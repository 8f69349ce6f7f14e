//! Which members are near: priorities for failover, weights for distribution (`localityLbSetting`).

use std::sync::Arc;

use crate::labels::Labels;
use crate::model::policy::Locality;
use crate::snapshot::cluster::Member;

/// Weights are finer than percents, so that a share can be spread over many members.
const SHARE: u64 = 1000;

/// So many steps there are by distance.
const FARTHEST: u32 = 5;

const NETWORK: &str = "topology.istio.io/network";
const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const SUBZONE: &str = "topology.istio.io/subzone";

/// Sets the priorities of members, with the labels of each, as seen by a workload with labels of its own; or their
/// weights, where the setting distributes. `failover` is whether calls may fail over at all, which needs outlier
/// detection.
pub(crate) fn prioritize(
    members: Vec<(Member, &Labels)>,
    setting: &Locality,
    workload: &Labels,
    failover: bool,
) -> Vec<Member> {
    let own = locality_of(workload);
    let distribution = setting.distribute.iter();
    let mut distribution = distribution.filter(|(from, _)| covers(from, &own));
    if let Some((_, to)) = distribution.next() {
        return distribute(members, to);
    }
    if !failover || !setting.distribute.is_empty() {
        return members.into_iter().map(|(member, _)| member).collect();
    }
    let labelled = !setting.priority_labels.is_empty();
    let by_locality = !own.is_empty() && (!labelled || !setting.failover.is_empty());
    let priority = |member: &Member, labels: &Labels| {
        let by_labels = match labelled {
            true => by_labels(
                &setting.priority_labels,
                (workload, &own),
                (labels, &member.locality),
            ),
            false => 0,
        };
        let by_locality = match by_locality {
            true => by_distance(&own, &member.locality, &setting.failover),
            false => 0,
        };
        by_labels * FARTHEST + by_locality
    };
    let members = members.into_iter().map(|(member, labels)| {
        let priority = priority(&member, labels);
        (member, priority)
    });
    compact(members.collect())
}

/// The setting of a service that prefers the nearest endpoints.
pub(crate) fn near() -> Locality {
    Locality {
        enabled: Some(true),
        priority_labels: [NETWORK, REGION, ZONE, SUBZONE].map(Into::into).to_vec(),
        ..Locality::default()
    }
}

/// Priorities without gaps.
fn compact(members: Vec<(Member, u32)>) -> Vec<Member> {
    let mut used: Vec<u32> = members.iter().map(|(_, priority)| *priority).collect();
    used.sort_unstable();
    used.dedup();
    members
        .into_iter()
        .map(|(member, priority)| Member {
            priority: used.iter().take_while(|used| **used < priority).count() as u32,
            ..member
        })
        .collect()
}

/// 0 for the same subzone, 1 for the zone, 2 for the region, 3 for the region to fail over to (any, if none is set), 4
/// for the rest.
fn by_distance(own: &str, locality: &str, failover: &[(Arc<str>, Arc<str>)]) -> u32 {
    let (own, other) = (parts(own), parts(locality));
    let same = own
        .iter()
        .zip(other)
        .take_while(|(own, other)| **own == *other);
    match same.count() {
        0 => match failover.iter().find(|(from, _)| **from == *own[0]) {
            Some((_, to)) if **to != *other[0] => 4,
            _ => 3,
        },
        same => 3 - same as u32,
    }
}

/// 0 when all labels are alike, one more for each from the last on that is not, or comes after one that is not. A
/// member without a label of region, zone or subzone has that of its locality.
fn by_labels(keys: &[Arc<str>], own: (&Labels, &str), other: (&Labels, &str)) -> u32 {
    fn value<'l>((labels, locality): (&'l Labels, &'l str), key: &str) -> &'l str {
        let of_locality = || match key {
            REGION => parts(locality)[0],
            ZONE => parts(locality)[1],
            SUBZONE => parts(locality)[2],
            _ => "",
        };
        labels.value(key).unwrap_or_else(of_locality)
    }
    let alike = keys.iter().take_while(|keys| {
        let (key, keys) = match keys.split_once('=') {
            Some(fixed) => fixed,
            None => (&***keys, value(own, keys)),
        };
        keys == value(other, key)
    });
    (keys.len() - alike.count()) as u32
}

/// Each share goes to the members of its localities, by their weights; members of no share are left out.
fn distribute(members: Vec<(Member, &Labels)>, to: &[(Arc<str>, u32)]) -> Vec<Member> {
    // The most specific locality counts: `r/z/*` before `r/*`.
    let share_of = |member: &Member| {
        to.iter()
            .filter(|(locality, _)| covers(locality, &member.locality))
            .max_by_key(|(locality, _)| locality.trim_end_matches('*').len())
    };
    let sums: Vec<u64> = to
        .iter()
        .map(|share| {
            let members = members.iter().map(|(member, _)| member);
            let own = members.filter(|member| share_of(member) == Some(share));
            own.map(|member| u64::from(member.weight)).sum()
        })
        .collect();
    let weight = |member: &Member| {
        let share = share_of(member)?;
        let sum = to
            .iter()
            .zip(&sums)
            .find_map(|(other, sum)| (other == share).then_some(*sum))?;
        let weight = u64::from(share.1) * SHARE * u64::from(member.weight) / sum.max(1);
        u32::try_from(weight).ok().filter(|_| share.1 > 0)
    };
    members
        .iter()
        .filter_map(|(member, _)| {
            Some(Member {
                weight: weight(member)?.max(1),
                ..member.clone()
            })
        })
        .collect()
}

/// Whether a locality, which may end in `/*` or be `*`, covers another.
fn covers(pattern: &str, locality: &str) -> bool {
    let mut parts = locality.split('/');
    for part in pattern.split('/') {
        if part == "*" {
            return true;
        }
        if parts.next() != Some(part) {
            return false;
        }
    }
    // `region` is its zones, too.
    true
}

/// `region/zone/subzone` of a workload, from its labels; empty when unknown.
fn locality_of(labels: &Labels) -> String {
    if let Some(locality) = labels.value("istio-locality") {
        return match locality.contains('/') {
            true => locality.to_owned(),
            // A label's value cannot hold a slash.
            false => locality.replace('.', "/"),
        };
    }
    let parts = [REGION, ZONE, SUBZONE].map(|key| labels.value(key).unwrap_or_default());
    parts.join("/").trim_end_matches('/').to_owned()
}

fn parts(locality: &str) -> [&str; 3] {
    let mut parts = locality.splitn(3, '/');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Address;

    const MEMBERS: [&str; 6] = ["r/z/s", "r/z/t", "r/y", "q/z", "p", ""];

    fn members() -> Vec<Member> {
        let member = |locality: &str| Member {
            address: Address::Name(locality.into()),
            port: 80,
            weight: 1,
            locality: locality.into(),
            priority: 0,
            workload: None,
        };
        MEMBERS.map(member).to_vec()
    }

    fn placed(setting: &Locality, workload: &str, failover: bool) -> Vec<(u32, u32)> {
        let (workload, none) = (Labels::parse(workload).unwrap(), Labels::default());
        let members = members()
            .into_iter()
            .map(|member| (member, &none))
            .collect();
        prioritize(members, setting, &workload, failover)
            .iter()
            .map(|member| (member.priority, member.weight))
            .collect()
    }

    fn priorities(setting: &Locality, workload: &str) -> Vec<u32> {
        let placed = placed(setting, workload, true);
        placed.into_iter().map(|(priority, _)| priority).collect()
    }

    #[test]
    fn nearer_is_first() {
        let plain = Locality::default();
        for workload in [
            "istio-locality=r.z.s",
            "topology.kubernetes.io/region=r,topology.kubernetes.io/zone=z,topology.istio.io/subzone=s",
        ] {
            assert_eq!(priorities(&plain, workload), [0, 1, 2, 3, 3, 3]);
        }
        assert_eq!(priorities(&plain, "istio-locality=x"), [0; 6]);
        assert_eq!(priorities(&plain, "app=sleep"), [0; 6]);
        let failover = Locality {
            failover: vec![("r".into(), "p".into())],
            ..Locality::default()
        };
        assert_eq!(
            priorities(&failover, "istio-locality=r.z.s"),
            [0, 1, 2, 4, 3, 4]
        );
        assert_eq!(placed(&plain, "istio-locality=r.z.s", false), [(0, 1); 6]);
    }

    #[test]
    fn labels_in_their_order() {
        let by_labels = |labels: &[&str]| Locality {
            priority_labels: labels.iter().map(|label| (*label).into()).collect(),
            ..Locality::default()
        };
        let topology = by_labels(&[REGION, ZONE]);
        let workload = "topology.kubernetes.io/region=r,topology.kubernetes.io/zone=z";
        assert_eq!(priorities(&topology, workload), [0, 0, 1, 2, 2, 2]);
        let fixed = by_labels(&["topology.kubernetes.io/region=q"]);
        assert_eq!(priorities(&fixed, workload), [1, 1, 1, 0, 1, 1]);
        assert_eq!(
            priorities(&topology, "istio-locality=r.z.s"),
            [0, 0, 1, 2, 2, 2]
        );
        assert_eq!(
            priorities(&near(), "istio-locality=r.z.s"),
            [0, 1, 2, 3, 3, 3]
        );
    }

    #[test]
    fn labels_first_and_then_the_distance() {
        let both = Locality {
            priority_labels: vec!["topology.kubernetes.io/zone=z".into()],
            failover: vec![("r".into(), "p".into())],
            ..Locality::default()
        };
        // In any zone `z`: ours, then elsewhere. In other zones: ours, then where we fail over to, then elsewhere.
        assert_eq!(
            priorities(&both, "istio-locality=r.z.s"),
            [0, 1, 3, 2, 4, 5]
        );
    }

    #[test]
    fn shares_are_spread_over_the_members_of_a_locality() {
        let setting = Locality {
            distribute: vec![("r/*".into(), vec![("r/z/*".into(), 80), ("q/*".into(), 20)])],
            ..Locality::default()
        };
        let near = placed(&setting, "istio-locality=r.z.s", false);
        assert_eq!(near, [(0, 40_000), (0, 40_000), (0, 20_000)]);
        assert_eq!(placed(&setting, "istio-locality=p", true), [(0, 1); 6]);
    }
}
