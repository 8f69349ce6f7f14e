//! Everything that was loaded and understood.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::authorization::AuthorizationPolicy;
use crate::model::endpoint::EndpointGroup;
use crate::model::gateway::Gateway;
use crate::model::instance::Instances;
use crate::model::mesh::Mesh;
use crate::model::policy::DestinationRule;
use crate::model::service::Service;
use crate::model::sidecar::Sidecar;
use crate::model::telemetry::Telemetry;
use crate::model::virtual_service::VirtualService;

/// The validated objects of a configuration, each list in Istio's order of objects ([`crate::model::meta::Meta::by_age`]).
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// MeshConfig.
    pub mesh: Mesh,
    /// Kubernetes Services and the hosts of ServiceEntries.
    pub services: Vec<Arc<Service>>,
    /// EndpointSlices.
    pub endpoints: Vec<EndpointGroup>,
    /// Pods and WorkloadEntries.
    pub instances: Instances,
    /// VirtualServices, delegates included.
    pub virtual_services: Vec<Arc<VirtualService>>,
    /// DestinationRules.
    pub destination_rules: Vec<Arc<DestinationRule>>,
    /// Gateways.
    pub gateways: Vec<Arc<Gateway>>,
    /// Sidecars.
    pub sidecars: Vec<Arc<Sidecar>>,
    /// AuthorizationPolicies, without their rules.
    pub authorization_policies: Vec<Arc<AuthorizationPolicy>>,
    /// Telemetries.
    pub telemetries: Vec<Arc<Telemetry>>,
    /// How many objects of each kind were understood, by kind.
    pub counts: BTreeMap<crate::name::Kind, usize>,
}
