//! The inputs for the ports of a gateway.

use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::gateway::{Server, ServerHost};
use crate::model::objects::Objects;
use crate::model::virtual_service::VirtualService;
use crate::snapshot::clusters::Clusters;
use crate::snapshot::gateways::names::Names;
use crate::snapshot::gateways::serving::Serving;
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::routes::SourceRule;
use crate::snapshot::workload::Workload;

/// A VirtualService that this gateway's namespace sees, with delegates joined.
pub(super) struct Bound<'o> {
    pub(super) vs: &'o Arc<VirtualService>,
    pub(super) http: Vec<SourceRule>,
}

pub(super) struct Build<'a, 'o, 'b> {
    pub(super) objects: &'o Objects,
    pub(super) workload: &'a Workload,
    pub(super) clusters: &'a mut Clusters<'o, 'b>,
    pub(super) problems: &'a mut ProblemSet,
    pub(super) names: &'a Names<'o>,
    pub(super) bound: Vec<Bound<'o>>,
}

impl Build<'_, '_, '_> {
    /// Whether a VirtualService is for the Gateway of a server.
    pub(super) fn binds(&self, vs: &VirtualService, serving: &Serving<'_>) -> bool {
        vs.gateways
            .iter()
            .any(|name| self.names.refers_to(name, serving.gateway))
    }
}

/// The names that a server and a VirtualService have in common, the narrower of each pair.
pub(super) fn common_hosts(server: &Server, vs: &VirtualService) -> Vec<HostPattern> {
    let mut names = Vec::new();
    let of_server = server.hosts.iter().filter(|host| admits(host, vs));
    for (host, written) in
        of_server.flat_map(|host| vs.hosts.iter().map(move |written| (&host.host, written)))
    {
        let name = if host.covers(written) {
            written
        } else if written.covers(host) {
            host
        } else {
            continue;
        };
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn admits(host: &ServerHost, vs: &VirtualService) -> bool {
    host.namespace
        .as_ref()
        .is_none_or(|namespace| *namespace == vs.meta.name.namespace)
}
