//! The chains of byte streams, as the reference compares them.

use ipnet::IpNet;

use crate::host::HostPattern;
use crate::model::service::Service;
use crate::model::virtual_service::WeightedDestination;

/// A chain for byte streams, with its one condition.
pub(super) struct StreamChain<'o> {
    /// Destination range; `None` is every address.
    pub(super) range: Option<IpNet>,
    /// Server name; `None` is anything at all.
    pub(super) name: Option<HostPattern>,
    /// Only TLS whose name no other chain lists.
    pub(super) unlisted: bool,
    pub(super) to: Destinations<'o>,
}

#[derive(Clone)]
pub(super) enum Destinations<'o> {
    Service(&'o Service, u16),
    Rule(&'o [WeightedDestination], u16),
}

/// Adds a chain for each of the ranges; for every address where there are none.
pub(super) fn add<'o>(
    chains: &mut Vec<StreamChain<'o>>,
    ranges: &[IpNet],
    name: Option<&HostPattern>,
    unlisted: bool,
    to: &Destinations<'o>,
) {
    let everywhere = [None];
    let ranges: Vec<_> = match ranges {
        [] => everywhere.to_vec(),
        ranges => ranges.iter().map(|range| Some(range.trunc())).collect(),
    };
    for range in ranges {
        chains.push(StreamChain {
            range,
            name: name.cloned(),
            unlisted,
            to: to.clone(),
        });
    }
}

/// The chain for a stream among those of one range: by its name, the most specific; of equal ones the first.
pub(super) fn best<'w, 'o>(
    chains: impl Iterator<Item = &'w StreamChain<'o>>,
    name: Option<&str>,
) -> Option<&'w StreamChain<'o>> {
    let name = name.map(str::to_ascii_lowercase);
    let mut fitting: Vec<_> = chains
        .filter(|chain| match (&chain.name, &name) {
            (Some(pattern), Some(name)) => pattern.matches(name),
            (Some(_), None) => false,
            (None, name) => name.is_some() || !chain.unlisted,
        })
        .collect();
    fitting.sort_by(|one, other| match (&one.name, &other.name) {
        (Some(one), Some(other)) => one.by_specificity(other),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => other.unlisted.cmp(&one.unlisted),
    });
    fitting.into_iter().next()
}
