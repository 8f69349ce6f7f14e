//! The Kubernetes kinds that matter to routing: Service, EndpointSlice, Pod, Secret, ConfigMap.

use std::collections::BTreeMap;
use std::fmt;

use super::reading::{AnyValue, Loose, NumberOrWord, Reading, Shape, ShapeError};

object! {
    /// `spec` of a Service.
    pub struct Service {
        pub ports: Vec<ServicePort>,
        pub selector: BTreeMap<String, String>,
        pub cluster_ip as "clusterIP": String,
        pub cluster_ips as "clusterIPs": Vec<String>,
        pub kind as "type": String,
        pub external_name: String,
        pub publish_not_ready_addresses: bool,
        pub traffic_distribution: String,
    }
    silent [
        "externalIPs",
        "loadBalancerIP",
        "loadBalancerSourceRanges",
        "loadBalancerClass",
        "allocateLoadBalancerNodePorts",
        "externalTrafficPolicy",
        "internalTrafficPolicy",
        "healthCheckNodePort",
        "sessionAffinity",
        "sessionAffinityConfig",
        "ipFamilies",
        "ipFamilyPolicy",
    ]
}

object! {
    /// `ServicePort` of a Service.
    pub struct ServicePort {
        pub name: String,
        pub protocol: String,
        pub app_protocol: Option<String>,
        pub port: u32,
        pub target_port: NumberOrWord,
    }
    silent ["nodePort"]
}

object! {
    /// An EndpointSlice, discovery.k8s.io/v1.
    pub struct EndpointSlice {
        pub address_type: String,
        pub endpoints: Vec<Endpoint>,
        pub ports: Vec<EndpointPort>,
    }
}

object! {
    /// `Endpoint` of an EndpointSlice.
    pub struct Endpoint {
        pub addresses: Vec<String>,
        pub conditions: Option<EndpointConditions>,
        pub hostname: String,
        pub node_name: String,
        pub zone: String,
        pub target_ref: Option<ObjectReference>,
    }
    silent ["hints", "deprecatedTopology"]
}

object! {
    /// `EndpointConditions`; unset means true for `ready` and `serving`, false for `terminating`.
    pub struct EndpointConditions {
        pub ready: Option<bool>,
        pub serving: Option<bool>,
        pub terminating: Option<bool>,
    }
}

object! {
    /// `ObjectReference`.
    pub struct ObjectReference {
        pub kind: String,
        pub name: String,
        pub namespace: String,
    }
    silent ["apiVersion", "uid", "resourceVersion", "fieldPath"]
}

object! {
    /// `EndpointPort` of an EndpointSlice.
    pub struct EndpointPort {
        pub name: String,
        pub protocol: String,
        pub port: Option<u32>,
        pub app_protocol: Option<String>,
    }
}

object! {
    /// A Pod, of which only its addresses matter here; its labels are in the metadata.
    pub struct Pod {
        pub spec: Loose,
        pub status: PodStatus,
    }
}

object! {
    /// `PodStatus`.
    pub struct PodStatus {
        pub phase: String,
        pub pod_ip as "podIP": String,
        pub pod_ips as "podIPs": Vec<PodIp>,
    }
    silent [
        "conditions",
        "containerStatuses",
        "initContainerStatuses",
        "ephemeralContainerStatuses",
        "resourceClaimStatuses",
        "extendedResourceClaimStatus",
        "hostIP",
        "hostIPs",
        "message",
        "nominatedNodeName",
        "observedGeneration",
        "qosClass",
        "reason",
        "resize",
        "startTime",
    ]
}

object! {
    /// `PodIP`.
    pub struct PodIp {
        pub ip: String,
    }
}

object! {
    /// A Secret: `data` is base64, `stringData` is not.
    pub struct Secret {
        pub data: BTreeMap<String, Hidden>,
        pub string_data: BTreeMap<String, Hidden>,
        pub kind as "type": String,
    }
    silent ["immutable"]
}

/// A value that must not be logged.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl<'de> Shape<'de> for Hidden {
    fn read(from: &mut dyn AnyValue<'de>, reading: &Reading) -> Result<Self, ShapeError> {
        String::read(from, reading).map(Self)
    }
}

object! {
    /// A ConfigMap.
    pub struct ConfigMap {
        pub data: BTreeMap<String, String>,
    }
    silent ["binaryData", "immutable"]
}
