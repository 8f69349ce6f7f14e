//! A cluster for tests.

use std::sync::Arc;
use std::time::Duration;

use egret_config::host::HostPattern;
use egret_config::model::policy::{ConnectionPool, LoadBalancer};
use egret_config::model::tls::Hashed;
use egret_config::port::Protocol;
use egret_config::snapshot::cluster::{Cluster, ClusterPolicy, DestinationService, Discovery};

/// `a.test` over HTTP on port 80, without any policy of its own.
pub(crate) fn cluster(discovery: Discovery) -> Arc<Cluster> {
    Arc::new(Cluster {
        name: "outbound|80||a.test".into(),
        host: HostPattern::parse("a.test"),
        port: 80,
        subset: None,
        protocol: Protocol::Http,
        discovery,
        policy: ClusterPolicy {
            load_balancer: LoadBalancer::RoundRobin,
            warmup: None,
            pool: ConnectionPool::default(),
            connect_timeout: Duration::from_secs(5),
            outlier_detection: None,
            tls: None,
            tunnel: None,
            proxy_protocol: None,
            retry_budget: None,
        },
        service_names: Arc::default(),
        service: Hashed::new(DestinationService {
            host: "a.test".into(),
            name: "a.test".into(),
            namespace: "default".into(),
        }),
        origin: "ServiceEntry default/a".into(),
        destination_rules: Vec::new(),
        inputs: None,
    })
}
