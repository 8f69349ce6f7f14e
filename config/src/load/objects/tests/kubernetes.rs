//! Kubernetes' own objects.

use crate::model::endpoint::Address;
use crate::model::meta::ExportTo;
use crate::model::service::Resolution;
use crate::port::Protocol;

use super::good;

#[test]
fn kubernetes_objects_are_read() {
    let objects = good(
        "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: n, annotations: {networking.istio.io/exportTo: '., x'}}\nspec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, 'fd00::1'], selector: {a: b}, ports: [{port: 80, name: http-x, targetPort: web, nodePort: 30000}, {port: 53, protocol: UDP}, {port: 3306, targetPort: 3307}]}
---\napiVersion: v1\nkind: Service\nmetadata: {name: h}\nspec: {clusterIP: None}
---\napiVersion: v1\nkind: Service\nmetadata: {name: e}\nspec: {type: ExternalName, externalName: A.b}
---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s-1, namespace: n, labels: {kubernetes.io/service-name: s}}\naddressType: IPv4\nports: [{name: http-x, port: 8080, protocol: TCP}]\nendpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}, {addresses: [10.0.0.2], conditions: {ready: false}}]\n",
    );
    let service = |host: &str| {
        objects
            .services
            .iter()
            .find(|service| service.host.to_string() == host)
            .expect("loaded")
    };
    let plain = service("s.n.svc.cluster.local");
    assert_eq!(plain.addresses.len(), 2);
    assert_eq!(
        plain.export_to,
        Some(ExportTo::Namespaces(vec!["n".into(), "x".into()]))
    );
    let ports: Vec<_> = plain
        .ports
        .iter()
        .map(|port| {
            (
                port.number,
                port.protocol,
                port.target,
                port.target_name.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        ports,
        [
            (80, Protocol::Http, None, Some("web")),
            (3306, Protocol::Tcp, Some(3307), None)
        ]
    );
    assert!(service("h.default.svc.cluster.local").headless);
    assert_eq!(
        service("e.default.svc.cluster.local").resolution,
        Resolution::Alias("a.b".into())
    );
    let members: Vec<_> = objects.endpoints[0]
        .endpoints
        .iter()
        .map(|endpoint| endpoint.address.clone())
        .collect();
    assert_eq!(members, [Address::Ip([10, 0, 0, 1].into())]);
}
