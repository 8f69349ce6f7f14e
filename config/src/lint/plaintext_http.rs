//! `http` rules for hosts on whose ports no plaintext HTTP arrives.

use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::service::Service;
use crate::model::source::GatewayName;
use crate::problem::Problem;

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    for vs in &view.objects.virtual_services {
        // At a gateway the ports are those of its servers.
        let for_mesh = vs.gateways.iter().all(|name| *name == GatewayName::Mesh);
        if vs.http.is_empty() || !for_mesh {
            continue;
        }
        for (at, host) in vs.hosts.iter().enumerate() {
            let Some(services) = view.services.get(host) else {
                continue;
            };
            let tls_only = |service: &&&Service| {
                !service.ports.is_empty() && service.ports.iter().all(|port| port.protocol.is_tls())
            };
            let Some(first) = services
                .first()
                .filter(|_| services.iter().all(|one| tls_only(&one)))
            else {
                continue;
            };
            warnings.push(warning(
                &vs.meta,
                format!("spec.hosts[{at}]"),
                &host.to_string(),
                format!(
                    "`http` rules have no effect for this host: {} has only ports whose clients send TLS",
                    first.meta.title()
                ),
                "write `tls` rules with sniHosts; or declare a port 80 HTTP with targetPort 443, let clients call http://, \
                 and originate TLS in a DestinationRule",
            ));
        }
    }
}
