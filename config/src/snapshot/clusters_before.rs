//! The clusters of the snapshot before: those that nothing changed for are taken as they are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::host::HostPattern;
use crate::snapshot::cluster::{Cluster, ClusterInputs};

/// The clusters of the snapshot before.
#[derive(Default)]
pub(crate) struct ClustersBefore<'s> {
    all: Option<&'s BTreeMap<Arc<str>, Arc<Cluster>>>,
    by_host: HashMap<&'s HostPattern, Vec<&'s Arc<Cluster>>>,
}

impl<'s> ClustersBefore<'s> {
    /// Indexes the clusters of a snapshot for the same workload and mesh configuration.
    pub(crate) fn new(all: &'s BTreeMap<Arc<str>, Arc<Cluster>>) -> Self {
        let mut by_host: HashMap<_, Vec<_>> = HashMap::with_capacity(all.len());
        for cluster in all.values() {
            by_host.entry(&cluster.host).or_default().push(cluster);
        }
        Self {
            all: Some(all),
            by_host,
        }
    }

    /// The clusters of a host that were built from the same objects.
    pub(crate) fn of(
        &self,
        host: &HostPattern,
        inputs: &ClusterInputs,
    ) -> Option<&[&'s Arc<Cluster>]> {
        let known = self.by_host.get(host)?;
        let same = |cluster: &&Arc<Cluster>| cluster.inputs.as_deref() == Some(inputs);
        known.iter().all(same).then_some(known)
    }

    /// All clusters by name, which are `built` now. Only what changed is sorted.
    #[allow(
        clippy::disallowed_methods,
        clippy::iter_over_hash_type,
        reason = "put into an ordered map"
    )]
    pub(crate) fn replaced_by(
        self,
        mut built: HashMap<Arc<str>, Arc<Cluster>>,
    ) -> BTreeMap<Arc<str>, Arc<Cluster>> {
        let Some(all) = self.all else {
            return built.into_iter().collect();
        };
        let mut clusters = all.clone();
        clusters.retain(|name, cluster| match built.get(name) {
            Some(now) if Arc::ptr_eq(now, cluster) => built.remove(name).is_some(),
            _ => false,
        });
        clusters.extend(built);
        clusters
    }
}
