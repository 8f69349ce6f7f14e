//! The state of a cluster that all workers share: what its calls use, and which endpoints are ejected. It survives reloads.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use egret_config::address::EndpointAddress;
use egret_config::model::policy::OutlierDetection;
use egret_config::snapshot::Snapshot;
use tokio::time::Instant;
use tracing::info;

use crate::lock::lock;
use crate::report::metrics::ejections::{EjectionSource, Ejections};
use crate::upstream::limits::Usage;
use crate::upstream::outlier::{CallReport, Outlier};

/// The state of every cluster that was called. Shared by all workers.
#[derive(Debug, Default)]
pub struct SharedClusterStates {
    by_cluster: Mutex<HashMap<Arc<str>, Arc<SharedClusterState>>>,
    /// Ejections so far of each cluster that ever had one; they outlive configurations.
    ejections: Arc<Mutex<BTreeMap<Arc<str>, u64>>>,
}

/// The state of one cluster.
#[derive(Debug)]
pub struct SharedClusterState {
    /// What its calls use now.
    pub usage: Arc<Usage>,
    name: Arc<str>,
    outlier: Mutex<Outlier>,
    /// How many are ejected. While it is zero, readers skip the lock.
    ejected: AtomicUsize,
    /// Changes with the ejected ones.
    version: AtomicU64,
    /// Those of all clusters.
    ejections: Arc<Mutex<BTreeMap<Arc<str>, u64>>>,
    /// Since when each endpoint is known, where the policy asks for it.
    known: Mutex<HashMap<EndpointAddress, Instant>>,
}

impl SharedClusterStates {
    /// The state of a cluster.
    pub fn of(&self, cluster: &Arc<str>) -> Arc<SharedClusterState> {
        let mut by_cluster = lock(&self.by_cluster);
        let standing = by_cluster.entry(Arc::clone(cluster)).or_insert_with(|| {
            Arc::new(SharedClusterState {
                usage: Arc::default(),
                name: Arc::clone(cluster),
                outlier: Mutex::default(),
                ejected: AtomicUsize::new(0),
                version: AtomicU64::new(0),
                ejections: Arc::clone(&self.ejections),
                known: Mutex::default(),
            })
        });
        Arc::clone(standing)
    }

    /// Forgets clusters that a snapshot does not have and that are no longer called.
    pub fn keep_only(&self, snapshot: &Snapshot) {
        lock(&self.by_cluster).retain(|name, standing| {
            snapshot.clusters.contains_key(name) || Arc::strong_count(standing) > 1
        });
    }

    /// The ejected endpoints of a cluster, for the admin page.
    pub fn ejected(&self, cluster: &str) -> Vec<EndpointAddress> {
        let standing = lock(&self.by_cluster).get(cluster).cloned();
        standing.map_or_else(Vec::new, |standing| lock(&standing.outlier).ejected())
    }
}

impl EjectionSource for SharedClusterStates {
    fn ejections(&self) -> Vec<(Arc<str>, Ejections)> {
        let totals = lock(&self.ejections).clone();
        let each = totals.into_iter().map(|(cluster, total)| {
            let now = self.ejected(&cluster).len() as u64;
            (cluster, Ejections { total, now })
        });
        each.collect()
    }
}

impl SharedClusterState {
    /// Notes a call to one of `hosts` endpoints.
    pub fn note(&self, policy: &OutlierDetection, hosts: usize, call: CallReport<'_>) {
        let mut outlier = lock(&self.outlier);
        self.sweep(&mut outlier, policy);
        let ejection = outlier.note(policy, hosts, call, Instant::now());
        self.publish(&outlier);
        if let Some(ejection) = ejection {
            let (reason, time) = (ejection.reason, ejection.time);
            *lock(&self.ejections)
                .entry(Arc::clone(&self.name))
                .or_default() += 1;
            info!(cluster = %self.name, endpoint = %call.at, ?reason, ?time, "endpoint ejected");
        }
    }

    /// The current version of the set of ejected endpoints.
    pub fn version(&self, policy: Option<&OutlierDetection>) -> u64 {
        if let Some(policy) = policy
            && self.ejected.load(Ordering::Acquire) > 0
        {
            self.sweep(&mut lock(&self.outlier), policy);
        }
        self.version.load(Ordering::Acquire)
    }

    /// The endpoints that are ejected.
    pub fn ejected(&self) -> Vec<EndpointAddress> {
        if self.ejected.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        lock(&self.outlier).ejected()
    }

    /// Since when each of these endpoints is known, which are all that there are.
    pub fn known(&self, hosts: &[EndpointAddress]) -> Vec<Instant> {
        let now = Instant::now();
        let mut known = lock(&self.known);
        known.retain(|host, _| hosts.contains(host));
        let since = hosts
            .iter()
            .map(|host| *known.entry(host.clone()).or_insert(now));
        since.collect()
    }

    /// Removes endpoints that the cluster no longer has.
    pub fn keep_hosts(&self, hosts: &[EndpointAddress]) {
        let mut outlier = lock(&self.outlier);
        outlier.keep_only(hosts);
        self.publish(&outlier);
    }

    /// Ends ejections after their time.
    fn sweep(&self, outlier: &mut Outlier, policy: &OutlierDetection) {
        if outlier.sweep(policy, Instant::now()) {
            self.publish(outlier);
            info!(cluster = %self.name, "endpoint taken back after its ejection");
        }
    }

    fn publish(&self, outlier: &Outlier) {
        let ejected = outlier.ejected().len();
        if self.ejected.swap(ejected, Ordering::AcqRel) != ejected {
            self.version.fetch_add(1, Ordering::AcqRel);
        }
    }
}
