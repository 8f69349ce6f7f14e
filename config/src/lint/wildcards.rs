//! Hosts of services that a VirtualService for a wildcard takes over.

use std::collections::HashSet;

use crate::host::HostPattern;
use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::source::GatewayName;
use crate::name::Kind;
use crate::problem::Problem;

/// How many hosts one problem names.
const NAMED_MAX: usize = 3;

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    let of_mesh = || {
        view.objects
            .virtual_services
            .iter()
            .filter(|vs| vs.gateways.contains(&GatewayName::Mesh))
    };
    let own: HashSet<&HostPattern> = of_mesh().flat_map(|vs| &vs.hosts).collect();
    for vs in of_mesh() {
        for (at, host) in vs.hosts.iter().enumerate() {
            if host.exact().is_some() {
                continue;
            }
            let mut titles: Vec<String> = Vec::new();
            let mut more = 0;
            for service in &view.objects.services {
                let other = &service.host;
                let covered =
                    service.meta.kind == Kind::ServiceEntry && host != other && host.covers(other);
                if !covered || own.contains(other) {
                    continue;
                }
                let title = format!("{other} of {}", service.meta.title());
                if titles.len() < NAMED_MAX && !titles.contains(&title) {
                    titles.push(title);
                } else {
                    more += 1;
                }
            }
            if titles.is_empty() {
                continue;
            }
            if more > 0 {
                titles.push(format!("{more} more"));
            }
            warnings.push(warning(
                &vs.meta,
                format!("spec.hosts[{at}]"),
                &host.to_string(),
                format!("the wildcard also matches calls for {}", titles.join(", ")),
                "give those hosts a VirtualService of their own, or narrow the wildcard, if that is not intended",
            ));
        }
    }
}
