//! Endpoints that are not called.

use crate::lint::View;
use crate::lint::finding;
use crate::model::endpoint::Address;
use crate::problem::Problem;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Problem>) {
    for service in &view.objects.services {
        for (at, endpoint) in service.endpoints.iter().enumerate() {
            if let Address::Unix(path) = &endpoint.address {
                found.push(finding(
                    &service.meta,
                    format!("spec.endpoints[{at}].address"),
                    &format!("unix://{path}"),
                    "Unix sockets are not dialled: the endpoint is left out",
                    "write the IP address of a TCP endpoint",
                ));
            }
        }
    }
}
