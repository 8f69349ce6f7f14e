//! Why: trails, and what admin pages see.

use super::*;

const YAML: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: web}
spec: {hosts: [a.test, b.test], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs}
spec:
  hosts: [a.test]
  http:
  - match: [{uri: {prefix: /a}, method: {exact: POST}}, {headers: {x: {exact: '1'}}}]
    redirect: {uri: /}
  - name: last
    route: [{destination: {host: a.test}, weight: 1}, {destination: {host: b.test}, weight: 2}]
";

fn trail(world: &World, call: &str) -> (String, Vec<String>) {
    let call = parse(call);
    let request = Request {
        arrival: arrival(call.to),
        terminated: None,
        method: &call.method,
        scheme: "http",
        authority: &call.host,
        path: &call.path,
        headers: &call.headers,
    };
    let trail = super::super::request(&world.snapshot, &request, &mut |_| 0).trail;
    (trail.to_string(), trail.sentences())
}

#[test]
fn trails_of_requests() {
    let world = sidecar(REGISTRY_ONLY, YAML);
    let (short, long) = trail(&world, "http 1.1.1.1:80 a.test/a");
    assert_eq!(
        short,
        "listener=0.0.0.0:80 table=80 vhost=a.test:80 rule=VirtualService default/vs http[1] tried=2 \
         cluster=outbound|80||a.test"
    );
    assert_eq!(
        long,
        [
            "listener 0.0.0.0:80 accepted the call",
            "in route table 80 the host chose virtual host a.test:80",
            "VirtualService default/vs http[0].match[0] does not match: method",
            "VirtualService default/vs http[0].match[1] does not match: headers.x",
            "VirtualService default/vs http[1] matches",
            "the call goes to outbound|80||a.test",
        ]
    );
    let (short, _) = trail(&world, "http 1.1.1.1:80 other.test");
    assert_eq!(
        short,
        "listener=0.0.0.0:80 table=80 policy=REGISTRY_ONLY from MeshConfig (mesh.yaml)"
    );
    let (short, _) = trail(&world, "http 1.1.1.1:81 other.test");
    assert_eq!(
        short,
        "listener=none policy=REGISTRY_ONLY from MeshConfig (mesh.yaml)"
    );
}

#[test]
fn trails_of_connections() {
    let world = sidecar(ALLOW_ANY, YAML);
    let trail = |sni: &str| {
        let layer = Layer::Tls(ClientHello {
            sni: Some(sni.into()),
            alpn: Vec::new(),
        });
        let connection = Connection {
            arrival: arrival("1.1.1.1:443".parse().unwrap()),
            layer: &layer,
            terminated: None,
        };
        let decision = super::super::connection(&world.snapshot, &connection, &mut |_| 0);
        (
            decision.trail.to_string(),
            decision.cluster.map(ToOwned::to_owned),
        )
    };
    assert_eq!(
        trail("a.test"),
        (
            "listener=0.0.0.0:443 chain=ServiceEntry default/web cluster=outbound|443||a.test"
                .to_owned(),
            Some("outbound|443||a.test".to_owned())
        )
    );
    assert_eq!(
        trail("c.test"),
        (
            "listener=0.0.0.0:443 policy=ALLOW_ANY from MeshConfig (mesh.yaml) cluster=PassthroughCluster".to_owned(),
            Some("PassthroughCluster".to_owned())
        )
    );
}

#[test]
fn listeners_and_routes_as_pages_show_them() {
    let world = sidecar(REGISTRY_ONLY, YAML);
    let listeners = world.snapshot.listeners();
    let lines: Vec<_> = listeners
        .iter()
        .flat_map(|listener| {
            listener.chains.iter().map(move |chain| {
                format!(
                    "{}:{} {} {} -> {}",
                    listener.address,
                    listener.port,
                    listener.kind,
                    chain.matching,
                    chain.destination
                )
            })
        })
        .collect();
    assert_eq!(
        lines,
        [
            "0.0.0.0:80 HTTP HTTP -> Route: 80",
            "0.0.0.0:80 HTTP ALL -> BlackHoleCluster",
            "0.0.0.0:443 TCP SNI: a.test -> Cluster: outbound|443||a.test",
            "0.0.0.0:443 TCP SNI: b.test -> Cluster: outbound|443||b.test",
            "0.0.0.0:443 TCP ALL -> BlackHoleCluster",
            "0.0.0.0:0 TCP ALL -> BlackHoleCluster",
        ]
    );
    let routes = world.snapshot.routes();
    let lines: Vec<_> = routes
        .iter()
        .flat_map(|table| table.virtual_hosts.iter().map(move |host| (table, host)))
        .flat_map(|(table, host)| host.routes.iter().map(move |route| (table, host, route)))
        .map(|(table, host, route)| {
            let clusters: Vec<_> = route
                .clusters
                .iter()
                .map(|cluster| format!("{}*{}", cluster.name, cluster.weight))
                .collect();
            format!(
                "{} {} [{}] {} {} {}{}",
                table.name,
                host.name,
                host.domains.join(" "),
                route.name,
                route.matching,
                clusters.join(" "),
                route.action
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "80 a.test:80 [a.test a.test.]  /a* method=POST redirect 301",
            "80 a.test:80 [a.test a.test.]  /* header x=1 redirect 301",
            "80 a.test:80 [a.test a.test.] last /* outbound|80||a.test*1 outbound|80||b.test*2",
            "80 b.test:80 [b.test b.test.] default /* outbound|80||b.test*1",
            "80 block_all [*] block_all /* 502",
        ]
    );
}
