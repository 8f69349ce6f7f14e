//! `ServiceEntry` and `WorkloadEntry`, networking.istio.io.

use std::collections::BTreeMap;

use super::shared::{Port, WorkloadSelector};

object! {
    /// `spec` of a ServiceEntry, and the document's `status`, which the envelope puts here.
    pub struct ServiceEntry {
        pub hosts: Vec<String>,
        pub addresses: Vec<String>,
        pub ports: Vec<Port>,
        pub location: String,
        pub resolution: String,
        pub endpoints: Vec<WorkloadEntry>,
        pub workload_selector: Option<WorkloadSelector>,
        pub export_to: Vec<String>,
        pub subject_alt_names: Vec<String>,
        pub status: Status,
    }
}

object! {
    /// `status` of a ServiceEntry, as far as it is read.
    pub struct Status {
        pub addresses: Vec<GivenAddress>,
    }
}

object! {
    /// An address that Istio has given to a host without any.
    pub struct GivenAddress {
        pub value: String,
        pub host: String,
    }
}

object! {
    /// `spec` of a WorkloadEntry, and an endpoint of a ServiceEntry.
    pub struct WorkloadEntry {
        pub address: String,
        pub ports: BTreeMap<String, u32>,
        pub labels: BTreeMap<String, String>,
        pub network: String,
        pub locality: String,
        pub weight: u32,
        pub service_account: String,
    }
}
