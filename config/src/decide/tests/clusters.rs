//! What clusters are made of.

use std::time::Duration;

use super::*;
use crate::model::policy::LoadBalancer;
use crate::snapshot::cluster::Discovery;

/// `a.test` on ports 80 and 443 with two endpoints, v1 and v2.
const SERVICE: &str = "{hosts: [a.test], resolution: STATIC, exportTo: ['*'],
    ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: https, protocol: HTTP, targetPort: 8443}],
    endpoints: [{address: 10.9.0.1, labels: {version: v1}, ports: {http: 8080}},
                {address: 10.9.0.2, labels: {version: v2}, weight: 5}]}";

fn with(rules: &str) -> World {
    sidecar(REGISTRY_ONLY, &(entry("a", SERVICE) + rules))
}

fn rule(name: &str, spec: &str) -> String {
    object("DestinationRule", name, spec)
}

fn members(world: &World, name: &str) -> Vec<String> {
    match &world.cluster(name).discovery {
        Discovery::Members(members) | Discovery::Names { members, .. } => members
            .iter()
            .map(|member| format!("{:?}:{}*{}", member.address, member.port, member.weight))
            .collect(),
        other => vec![format!("{other:?}")],
    }
}

fn attempts(world: &World, name: &str) -> Option<u32> {
    world.cluster(name).policy.pool.connections_max
}

/// A policy recognised by its number.
fn policy(number: u32) -> String {
    format!("connectionPool: {{tcp: {{maxConnections: {number}}}}}")
}

#[test]
fn ports_of_endpoints() {
    let world = with("");
    assert_eq!(
        members(&world, "outbound|80||a.test"),
        ["Ip(10.9.0.1):8080*1", "Ip(10.9.0.2):80*5"]
    );
    assert_eq!(
        members(&world, "outbound|443||a.test"),
        ["Ip(10.9.0.1):8443*1", "Ip(10.9.0.2):8443*5"]
    );
    let kubernetes = sidecar(
        REGISTRY_ONLY,
        &kubernetes("web", "10.96.0.1", &[("http", 80)]),
    );
    assert_eq!(
        members(&kubernetes, "outbound|80||web.default.svc.cluster.local"),
        ["Ip(10.34.9.9):80*1"]
    );
}

#[test]
fn resolutions() {
    let world = |spec: &str| {
        let spec = format!(
            "{{{spec}, ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 81}}]}}"
        );
        (
            sidecar(REGISTRY_ONLY, &entry("a", &spec)),
            gateway("egressgateway", &entry("a", &spec)),
        )
    };
    let (pod, gateway) = world("hosts: [a.test], resolution: DNS");
    for world in [&pod, &gateway] {
        assert_eq!(
            members(world, "outbound|80||a.test"),
            ["Name(\"a.test\"):81*1"]
        );
    }
    let (pod, _) = world(
        "hosts: [a.test], resolution: DNS, endpoints: [{address: b.test}, {address: c.test, ports: {http: 8}}]",
    );
    assert_eq!(
        members(&pod, "outbound|80||a.test"),
        ["Name(\"b.test\"):81*1", "Name(\"c.test\"):8*1"]
    );
    let (pod, _) = world("hosts: [a.test], resolution: DNS_ROUND_ROBIN");
    assert!(matches!(
        pod.cluster("outbound|80||a.test").discovery,
        Discovery::Names { single: true, .. }
    ));
    let (pod, gateway) = world("hosts: [a.test], resolution: NONE");
    assert_eq!(
        pod.cluster("outbound|80||a.test").discovery,
        Discovery::Original { port: Some(81) }
    );
    assert_eq!(
        gateway.cluster("outbound|80||a.test").discovery,
        Discovery::Members(Vec::new())
    );
    let (pod, gateway) = world("hosts: ['*.a.test'], resolution: NONE");
    assert_eq!(
        pod.cluster("outbound|80||*.a.test").discovery,
        Discovery::Original { port: Some(81) }
    );
    assert_eq!(
        gateway.cluster("outbound|80||*.a.test").discovery,
        Discovery::PerCall {
            allowed: crate::host::HostPattern::parse("*.a.test"),
            port: 81
        }
    );
    let (pod, _) = world("hosts: [a.test], resolution: STATIC");
    assert_eq!(members(&pod, "outbound|80||a.test"), Vec::<String>::new());
    let headless = kubernetes("db", "None", &[("tcp", 5432)]);
    let name = "outbound|5432||db.default.svc.cluster.local";
    assert_eq!(
        sidecar(REGISTRY_ONLY, &headless).cluster(name).discovery,
        Discovery::Original { port: None }
    );
    assert_eq!(
        members(&super::gateway("egressgateway", &headless), name),
        ["Ip(10.34.9.9):5432*1"]
    );
}

#[test]
fn subsets_select_endpoints() {
    let world = with(&rule(
        "dr",
        "{host: a.test, subsets: [{name: v1, labels: {version: v1}}, {name: all}, {name: none, labels: {version: v9}}]}",
    ));
    assert_eq!(
        members(&world, "outbound|80|v1|a.test"),
        ["Ip(10.9.0.1):8080*1"]
    );
    assert_eq!(members(&world, "outbound|80|all|a.test").len(), 2);
    assert_eq!(
        members(&world, "outbound|80|none|a.test"),
        Vec::<String>::new()
    );
}

#[test]
fn defaults() {
    let world = with("");
    let policy = &world.cluster("outbound|80||a.test").policy;
    assert_eq!(policy.load_balancer, LoadBalancer::LeastRequest);
    assert_eq!(policy.connect_timeout, Duration::from_secs(10));
    assert!(policy.tls.is_none() && policy.outlier_detection.is_none());
    let mesh = sidecar("connectTimeout: 3s", &entry("a", SERVICE));
    let of_mesh = &mesh.cluster("outbound|80||a.test").policy;
    assert_eq!(of_mesh.connect_timeout, Duration::from_secs(3));
    let world = with(&rule(
        "dr",
        "{host: a.test, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}",
    ));
    assert_eq!(
        world.cluster("outbound|80||a.test").discovery,
        Discovery::Original { port: None }
    );
}

#[test]
fn ports_and_subsets_override() {
    let world = with(&rule(
        "dr",
        &format!(
            "{{host: a.test,
               trafficPolicy: {{loadBalancer: {{simple: RANDOM}}, {}, portLevelSettings: [
                 {{port: {{number: 443}}, tls: {{mode: SIMPLE}}}}]}},
               subsets: [{{name: own, trafficPolicy: {{{}}}}},
                         {{name: port, trafficPolicy: {{portLevelSettings: [{{port: {{number: 80}}, {}}}]}}}}]}}",
            policy(1),
            policy(2),
            policy(3)
        ),
    ));
    let of = |name: &str| {
        let policy = &world.cluster(name).policy;
        (
            policy.pool.connections_max,
            policy.load_balancer.clone(),
            policy.tls.is_some(),
        )
    };
    use LoadBalancer::{LeastRequest, Random};
    assert_eq!(of("outbound|80||a.test"), (Some(1), Random, false));
    // The settings of a port replace those of the host, unset ones included.
    assert_eq!(of("outbound|443||a.test"), (None, LeastRequest, true));
    assert_eq!(of("outbound|80|own|a.test"), (Some(2), Random, false));
    assert_eq!(of("outbound|443|own|a.test"), (Some(2), LeastRequest, true));
    assert_eq!(
        of("outbound|80|port|a.test"),
        (Some(3), LeastRequest, false)
    );
    assert_eq!(of("outbound|443|port|a.test"), (None, LeastRequest, true));
}

#[test]
fn rules_of_one_host_are_merged() {
    let yaml = rule(
        "a",
        "{host: a.test, subsets: [{name: x, labels: {version: v1}}]}",
    ) + &rule(
        "b",
        &format!(
            "{{host: a.test, trafficPolicy: {{{}}}, subsets: [{{name: x}}, {{name: y}}]}}",
            policy(1)
        ),
    ) + &rule(
        "c",
        &format!("{{host: a.test, trafficPolicy: {{{}}}}}", policy(2)),
    );
    let world = with(&yaml);
    assert_eq!(attempts(&world, "outbound|80||a.test"), Some(1));
    assert_eq!(members(&world, "outbound|80|x|a.test").len(), 1);
    assert_eq!(members(&world, "outbound|80|y|a.test").len(), 2);
    let names: Vec<_> = world
        .cluster("outbound|80||a.test")
        .destination_rules
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["default/a", "default/b", "default/c"]);
}

#[test]
fn the_namespaces_are_searched_in_order() {
    let of = |namespace: &str, host: &str, number: u32| {
        rule(
            &format!("{namespace}/dr-{number}"),
            &format!("{{host: '{host}', trafficPolicy: {{{}}}}}", policy(number)),
        )
    };
    let service = object("ServiceEntry", "owner/a", SERVICE);
    let winner = |rules: &[String]| {
        let world = sidecar_in(
            "client",
            "",
            REGISTRY_ONLY,
            &(service.clone() + &rules.concat()),
        );
        attempts(&world, "outbound|80||a.test")
    };
    let (own, owners, root, third) = (
        of("client", "a.test", 1),
        of("owner", "a.test", 2),
        of("istio-system", "a.test", 3),
        of("third", "a.test", 4),
    );
    assert_eq!(
        winner(&[own, owners.clone(), root.clone(), third.clone()]),
        Some(1)
    );
    assert_eq!(winner(&[owners, root.clone(), third.clone()]), Some(2));
    assert_eq!(winner(&[root, third.clone()]), Some(3));
    assert_eq!(winner(&[third]), None);
    // The most specific host within a namespace; a less specific one of the own still beats the others.
    let narrow = [
        of("client", "*", 5),
        of("client", "*.test", 6),
        of("owner", "a.test", 7),
    ];
    assert_eq!(winner(&narrow), Some(6));
    // Private rules of others do not count.
    let private = rule(
        "owner/private",
        &format!(
            "{{host: a.test, exportTo: ['.'], trafficPolicy: {{{}}}}}",
            policy(8)
        ),
    );
    assert_eq!(winner(&[private, of("istio-system", "*.test", 9)]), Some(9));
}

#[test]
fn rules_for_some_workloads_only() {
    let yaml = entry("a", SERVICE)
        + &rule(
            "all",
            &format!(
                "{{host: a.test, trafficPolicy: {{{}}}, subsets: [{{name: v}}]}}",
                policy(1)
            ),
        )
        + &rule(
            "some",
            &format!(
                "{{host: a.test, workloadSelector: {{matchLabels: {{app: sleep}}}}, trafficPolicy: {{{}}}}}",
                policy(2)
            ),
        );
    let of = |labels: &str| sidecar_in("default", labels, REGISTRY_ONLY, &yaml);
    assert_eq!(attempts(&of("app=other"), "outbound|80||a.test"), Some(1));
    let some = of("app=sleep");
    assert_eq!(attempts(&some, "outbound|80||a.test"), Some(2));
    assert_eq!(attempts(&some, "outbound|80|v|a.test"), Some(2));
}

#[test]
fn tls_origination() {
    let world = with(&rule(
        "dr",
        "{host: a.test, trafficPolicy: {tls: {mode: SIMPLE, sni: b.test, subjectAltNames: [c.test],
          caCertificates: /ca.pem}, portLevelSettings: [{port: {number: 443}, tls: {mode: DISABLE}}]}}",
    ));
    let tls = world.cluster("outbound|80||a.test").policy.tls.as_ref();
    let tls = tls.expect("TLS is originated");
    assert_eq!(tls.sni.as_deref(), Some("b.test"));
    assert_eq!(tls.subject_alt_names, ["c.test".into()]);
    assert!(world.cluster("outbound|443||a.test").policy.tls.is_none());
    let named = SERVICE.replace(
        "hosts: [a.test]",
        "hosts: [a.test], subjectAltNames: [d.test]",
    );
    let world = sidecar(REGISTRY_ONLY, &entry("a", &named));
    assert_eq!(
        *world.cluster("outbound|80||a.test").service_names,
        ["d.test".into()]
    );
}

#[test]
fn metrics_name_the_service_behind_a_cluster() {
    let kubernetes = "---
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: reviews-v1-6d4b75cb6d-x
  namespace: shop
  labels: {app: reviews, version: v1}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: reviews-v1-6d4b75cb6d, uid: u, controller: true}]
status: {podIP: 10.0.0.1}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-1, namespace: shop, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]
ports: [{name: http, port: 8080}]
";
    let world = sidecar(REGISTRY_ONLY, &(entry("a", SERVICE) + kubernetes));
    let names = |cluster: &str| {
        let service = &world.cluster(cluster).service;
        (
            service.host.to_string(),
            service.name.to_string(),
            service.namespace.to_string(),
        )
    };
    let of = |host: &str, name: &str, namespace: &str| {
        (host.to_owned(), name.to_owned(), namespace.to_owned())
    };
    assert_eq!(
        names("outbound|80||a.test"),
        of("a.test", "a.test", "default")
    );
    let host = "reviews.shop.svc.cluster.local";
    let cluster = format!("outbound|80||{host}");
    assert_eq!(names(&cluster), of(host, "reviews", "shop"));
    let Discovery::Members(members) = &world.cluster(&cluster).discovery else {
        panic!("listed");
    };
    let workloads: Vec<_> = members
        .iter()
        .map(|member| member.workload.as_ref().map(|workload| &*workload.name))
        .collect();
    assert_eq!(workloads, [Some("reviews-v1"), None], "a pod, and nobody");
}
