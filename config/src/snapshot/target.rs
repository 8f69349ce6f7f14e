//! Where rules lead: clusters, by weight.

use std::sync::Arc;

use crate::snapshot::cluster::Cluster;

/// The cluster that a rule names.
#[derive(Clone, Debug)]
pub enum Target {
    /// There is one.
    Cluster(Arc<Cluster>),
    /// There is none of this name: calls are answered 503 NC.
    Missing(Arc<str>),
}

impl Target {
    /// The cluster's name, whether it exists or not.
    pub fn name(&self) -> &str {
        match self {
            Self::Cluster(cluster) => &cluster.name,
            Self::Missing(name) => name,
        }
    }

    /// Whether there is such a cluster.
    pub fn exists(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

/// One of several by weight: never empty, and one of them at least has a share.
#[derive(Clone, Debug)]
pub(crate) struct Split<T> {
    first: (T, u32),
    rest: Vec<(T, u32)>,
    sum: u64,
}

impl<T> Split<T> {
    /// A split among items with shares; those without one are left out. `None` when none is left.
    pub(crate) fn new(items: impl IntoIterator<Item = (T, u32)>) -> Option<Self> {
        let mut items = items.into_iter().filter(|(_, share)| *share > 0);
        let first = items.next()?;
        let rest: Vec<_> = items.collect();
        let of_rest: u64 = rest.iter().map(|(_, share)| u64::from(*share)).sum();
        Some(Self {
            sum: u64::from(first.1) + of_rest,
            first,
            rest,
        })
    }

    /// All of it to one.
    pub(crate) fn all_to(item: T) -> Self {
        Self {
            first: (item, 1),
            rest: Vec::new(),
            sum: 1,
        }
    }

    /// Picks an item by its share. `dice` gives a number below its argument; a single item needs none.
    pub(crate) fn pick(&self, dice: &mut dyn FnMut(u64) -> u64) -> &T {
        if self.rest.is_empty() {
            return &self.first.0;
        }
        let mut rolled = dice(self.sum);
        let hit = self.iter().find(|(_, share)| {
            let share = u64::from(*share);
            let hit = rolled < share;
            rolled = rolled.saturating_sub(share);
            hit
        });
        &hit.unwrap_or(&self.first).0
    }

    /// The items with their shares, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(T, u32)> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let split = Split::new([("none", 0), ("a", 1), ("b", 3), ("none", 0)]).unwrap();
        let picked: Vec<_> = (0..4)
            .map(|rolled| {
                *split.pick(&mut |sum| {
                    assert_eq!(sum, 4);
                    rolled
                })
            })
            .collect();
        assert_eq!(picked, ["a", "b", "b", "b"]);
        assert_eq!(split.iter().count(), 2);
        assert_eq!(
            *split.pick(&mut |sum| sum),
            "a",
            "dice that are out of range"
        );
    }

    #[test]
    fn one_needs_no_dice_and_none_is_no_split() {
        let one = Split::new([("a", 7), ("none", 0)]).unwrap();
        assert_eq!(*one.pick(&mut |_| panic!("no dice")), "a");
        assert_eq!(*Split::all_to("b").pick(&mut |_| panic!("no dice")), "b");
        assert!(Split::new([("a", 0)]).is_none());
    }
}
