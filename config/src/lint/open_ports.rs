//! Byte-stream services without addresses, which take every connection to their port.

use std::collections::BTreeMap;

use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::service::Service;
use crate::name::Kind;
use crate::port::PortClass;
use crate::problem::Problem;

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    let mut open: BTreeMap<u16, Vec<&Service>> = BTreeMap::new();
    for service in &view.objects.services {
        if service.meta.kind != Kind::ServiceEntry || !service.addresses.is_empty() {
            continue;
        }
        for port in &service.ports {
            if port.protocol.class() == Some(PortClass::Tcp) && !port.protocol.is_tls() {
                open.entry(port.number).or_default().push(service);
            }
        }
    }
    for (number, services) in &open {
        for service in services {
            let at = service
                .ports
                .iter()
                .position(|port| port.number == *number)
                .unwrap_or_default();
            let first = services
                .first()
                .filter(|first| first.meta.name != service.meta.name);
            let happens = match first {
                Some(first) => format!(
                    "neither it nor {} has addresses: where both are seen, the older one takes every connection to port \
                     {number}, and the other none",
                    first.meta.title()
                ),
                None => format!(
                    "without addresses it takes every connection to port {number} that no other service claims, whatever \
                     its destination"
                ),
            };
            warnings.push(warning(
                &service.meta,
                format!("spec.ports[{at}]"),
                &format!("{number} {}", service.ports[at].protocol),
                happens,
                "write spec.addresses, or a protocol that names its host (HTTP, HTTPS, TLS), or capture DNS",
            ));
        }
    }
}
