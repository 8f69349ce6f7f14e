//! Endpoints: the addresses of a service's servers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::labels::Labels;
use crate::model::meta::Meta;
use crate::model::tls::Hashed;

/// Where an endpoint is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address.
    Ip(IpAddr),
    /// A DNS name, for services with DNS resolution.
    Name(Arc<str>),
    /// `unix:///path`, for STATIC ServiceEntries.
    Unix(Arc<str>),
}

/// One member of a service: `ServiceEntry.endpoints[]` or an address of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it is reached.
    pub address: Address,
    /// Port numbers by port name; a name that is missing means the port's target port, else its number.
    pub ports: BTreeMap<Arc<str>, u16>,
    /// Labels, which subsets select by.
    pub labels: Labels,
    /// Share of the traffic relative to the others; `None` is 1.
    pub weight: Option<u32>,
    /// `region/zone/subzone`, empty when unknown.
    pub locality: Arc<str>,
    /// The workload, where it is a known pod.
    pub workload: Option<Hashed<DestinationWorkload>>,
}

/// How metrics name the workload behind an endpoint (Istio's labels `destination_workload` and so on).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DestinationWorkload {
    /// The owner of the pod: a Deployment rather than its ReplicaSet; the pod itself where it has none.
    pub name: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// The label `app`.
    pub app: Option<Arc<str>>,
    /// The label `version`.
    pub version: Option<Arc<str>>,
    /// The canonical service.
    pub canonical_service: Arc<str>,
    /// The canonical revision.
    pub canonical_revision: Arc<str>,
}

/// The endpoints of one EndpointSlice, to be joined with its service.
#[derive(Clone, Debug)]
pub struct EndpointGroup {
    /// The slice it comes from.
    pub meta: Arc<Meta>,
    /// Name of the service (`kubernetes.io/service-name` label), in the slice's namespace.
    pub service: Arc<str>,
    /// Ready members; their `ports` come from the slice.
    pub endpoints: Vec<Endpoint>,
}
