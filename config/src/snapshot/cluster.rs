//! Clusters: a service's port, maybe a subset of it, with the policy for calling it folded in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::address::EndpointAddress;
use crate::host::HostPattern;
use crate::model::endpoint::{Address, DestinationWorkload};
use crate::model::meta::Meta;
use crate::model::policy::{
    ConnectionPool, LoadBalancer, OutlierDetection, RetryBudget, Tunnel, Warmup,
};
use crate::model::tls::{ClientTls, Hashed};
use crate::name::ObjectName;
use crate::port::Protocol;

/// The name under which logs and metrics show calls to their original destination.
pub const PASSTHROUGH_CLUSTER: &str = "PassthroughCluster";

/// The name under which logs and metrics show refused byte streams.
pub const BLACK_HOLE_CLUSTER: &str = "BlackHoleCluster";

/// One cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// `outbound|<port>|<subset>|<host>`.
    pub name: Arc<str>,
    /// The service's host.
    pub host: HostPattern,
    /// The service's port.
    pub port: u16,
    /// The subset, if it is one.
    pub subset: Option<Arc<str>>,
    /// The protocol of the port.
    pub protocol: Protocol,
    /// The members and how they are found.
    pub discovery: Discovery,
    /// How they are called.
    pub policy: ClusterPolicy,
    /// Names verified when TLS is originated without any of its own (ServiceEntry `subjectAltNames`).
    pub service_names: Arc<[Arc<str>]>,
    /// How metrics name the service.
    pub service: Hashed<DestinationService>,
    /// The service's object, as `Kind namespace/name`.
    pub origin: Arc<str>,
    /// The DestinationRules folded in, first one decisive.
    pub destination_rules: Vec<ObjectName>,
    /// What it was built from; `None` where it cannot be told whether that is the same again.
    pub inputs: Option<Arc<ClusterInputs>>,
}

/// The objects that the clusters of a host were built from, as they were. While they are the same, so are the clusters.
#[derive(Debug)]
pub struct ClusterInputs {
    /// The service's object.
    pub(crate) service: Arc<Meta>,
    /// The DestinationRules.
    pub(crate) rules: Box<[Arc<Meta>]>,
}

impl PartialEq for ClusterInputs {
    /// Objects are the same when they were read once: a document that is read again gives another one.
    fn eq(&self, other: &Self) -> bool {
        let rules = self.rules.iter().zip(&other.rules);
        Arc::ptr_eq(&self.service, &other.service)
            && self.rules.len() == other.rules.len()
            && rules
                .into_iter()
                .all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

/// How metrics name the service that is called (Istio's labels `destination_service` and so on).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DestinationService {
    /// The host: `name.namespace.svc.cluster.local`, or a ServiceEntry's host.
    pub host: Arc<str>,
    /// The name: a Kubernetes Service's own, or a ServiceEntry's host.
    pub name: Arc<str>,
    /// The namespace of the object.
    pub namespace: Arc<str>,
}

/// How the members of a cluster are found.
#[derive(Clone, Debug, PartialEq)]
pub enum Discovery {
    /// These. May be empty: then calls are answered 503 UH.
    Members(Vec<Member>),
    /// What these names resolve to; `single` uses one address at a time (DNS_ROUND_ROBIN).
    Names {
        /// The names, with the port behind each.
        members: Vec<Member>,
        /// One address at a time.
        single: bool,
    },
    /// The original destination, on another port if one is given.
    Original {
        /// ServiceEntry `targetPort`.
        port: Option<u16>,
    },
    /// What the Host or SNI of each call resolves to, if the pattern allows that name (DYNAMIC_DNS, and NONE wildcards
    /// behind a gateway).
    PerCall {
        /// Names that may be resolved.
        allowed: HostPattern,
        /// The destination port.
        port: u16,
    },
}

/// One member of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// An address or a name.
    pub address: Address,
    /// The destination port.
    pub port: u16,
    /// Share relative to the others, at least 1.
    pub weight: u32,
    /// `region/zone/subzone`, empty when unknown.
    pub locality: Arc<str>,
    /// How near it is: calls go to members of 0 as long as enough of them are healthy.
    pub priority: u32,
    /// The workload, where it is a known pod.
    pub workload: Option<Hashed<DestinationWorkload>>,
}

impl Member {
    /// The address of its one endpoint; `None` for a name, whose endpoints are where it resolves to.
    pub fn endpoint_address(&self) -> Option<EndpointAddress> {
        match &self.address {
            Address::Ip(ip) => Some(EndpointAddress::Ip(SocketAddr::new(*ip, self.port))),
            Address::Unix(path) => Some(EndpointAddress::Unix(Arc::clone(path))),
            Address::Name(_) => None,
        }
    }

    /// Its DNS name; `None` where it has an address.
    pub fn name(&self) -> Option<&Arc<str>> {
        match &self.address {
            Address::Name(name) => Some(name),
            Address::Ip(_) | Address::Unix(_) => None,
        }
    }
}

/// How the members of a cluster are called: the merged DestinationRule policy, defaults filled in where they are Istio's.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterPolicy {
    /// How an endpoint is chosen.
    pub load_balancer: LoadBalancer,
    /// How the share of new endpoints grows.
    pub warmup: Option<Warmup>,
    /// Limits of connections and requests.
    pub pool: ConnectionPool,
    /// From the pool settings or MeshConfig.
    pub connect_timeout: Duration,
    /// Ejection; `None` is off.
    pub outlier_detection: Option<OutlierDetection>,
    /// TLS that egret originates.
    pub tls: Option<Hashed<ClientTls>>,
    /// CONNECT through a proxy.
    pub tunnel: Option<Tunnel>,
    /// PROXY protocol version.
    pub proxy_protocol: Option<u8>,
    /// Retries at once as a share of requests, instead of a number.
    pub retry_budget: Option<RetryBudget>,
}
