use super::*;
use crate::load::{Text, load};

fn policy(mesh: &str, yaml: &str) -> String {
    let text = |file: &str, text: &str| Text {
        file: file.into(),
        bytes: text.replace("NET/", "networking.istio.io/").into_bytes(),
    };
    let (objects, problems) = load(&[text("a.yaml", yaml)], Some(&text("mesh.yaml", mesh)));
    assert!(problems.is_empty(), "{problems:?}");
    network_policy(&objects, "shop")
}

const REGISTRY_ONLY: &str = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}";

const ENTRIES: &str = "
apiVersion: NET/v1
kind: ServiceEntry
metadata: {name: ranges, namespace: shop}
spec: {hosts: [db.test], addresses: [192.0.2.0/24], ports: [{number: 5432, name: tcp, protocol: TCP}], resolution: NONE}
---
apiVersion: NET/v1
kind: ServiceEntry
metadata: {name: endpoints, namespace: other}
spec:
  hosts: [static.test]
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}, {number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 198.51.100.7, ports: {tls: 8443}}, {address: '2001:db8::7'}]
---
apiVersion: NET/v1
kind: ServiceEntry
metadata: {name: names, namespace: shop}
spec: {hosts: [api.test], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}
---
apiVersion: NET/v1
kind: ServiceEntry
metadata: {name: unseen, namespace: other}
spec: {hosts: [unseen.test], addresses: [203.0.113.1], exportTo: [.], ports: [{number: 80, name: http, protocol: HTTP}]}
";

#[test]
fn what_has_addresses_is_opened_and_what_has_not_is_named() {
    let policy = policy(REGISTRY_ONLY, ENTRIES);
    let expected = "\
# Made by `egret-proxy check --network-policy`.
# api.test: resolved by name, which a NetworkPolicy cannot express; send it through an egress gateway
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: egret-egress
  namespace: shop
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  # Name servers.
  - ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
  # The cluster, egress gateways among it.
  - to:
    - namespaceSelector: {}
  - to:
    - ipBlock: {cidr: \"192.0.2.0/24\"}
    ports:
    - {protocol: TCP, port: 5432}
  - to:
    - ipBlock: {cidr: \"198.51.100.7/32\"}
    ports:
    - {protocol: TCP, port: 8080}
    - {protocol: TCP, port: 8443}
  - to:
    - ipBlock: {cidr: \"2001:db8::7/128\"}
    ports:
    - {protocol: TCP, port: 443}
    - {protocol: TCP, port: 8080}
";
    assert_eq!(policy, expected);
}

#[test]
fn what_a_virtual_service_routes_is_left_out() {
    let routed = "
---
apiVersion: NET/v1
kind: VirtualService
metadata: {name: through, namespace: shop}
spec:
  hosts: [static.test]
  gateways: [mesh]
  http: [{route: [{destination: {host: gateway.istio-system.svc.cluster.local}}]}]
";
    let policy = policy(REGISTRY_ONLY, &format!("{ENTRIES}{routed}"));
    assert!(!policy.contains("198.51.100.7"), "{policy}");
    let note = "# static.test: left out, VirtualService shop/through decides where it goes";
    assert!(policy.contains(note), "{policy}");
}

#[test]
fn an_open_mesh_is_named() {
    let policy = policy("outboundTrafficPolicy: {mode: ALLOW_ANY}", ENTRIES);
    assert!(
        policy.contains("# outboundTrafficPolicy is not REGISTRY_ONLY"),
        "{policy}"
    );
}
