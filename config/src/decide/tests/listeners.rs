//! Which listener and chain takes a connection.

use super::*;

/// One service of each class on ports 80 to 85, without addresses.
fn classes() -> String {
    entry(
        "all",
        "{hosts: [svc.test], resolution: STATIC, endpoints: [{address: 10.9.9.9}], ports: [
           {number: 80, name: http, protocol: HTTP}, {number: 81, name: auto},
           {number: 82, name: tcp, protocol: TCP}, {number: 83, name: tls, protocol: TLS},
           {number: 84, name: https, protocol: HTTPS}, {number: 85, name: grpc, protocol: GRPC},
           {number: 15001, name: own, protocol: HTTP}, {number: 86, name: udp, protocol: UDP}]}",
    )
}

#[test]
fn each_class_treats_bytes_in_its_way() {
    sidecar(REGISTRY_ONLY, &classes()).check(
        "http 1.1.1.1:80 svc.test => outbound|80||svc.test
         tcp 1.1.1.1:80 => blackhole
         tls 1.1.1.1:80 svc.test => blackhole
         silent 1.1.1.1:80 => blackhole
         http 1.1.1.1:81 svc.test => outbound|81||svc.test
         http 1.1.1.1:81 other.test => 502
         tcp 1.1.1.1:81 => outbound|81||svc.test
         tls 1.1.1.1:81 other.test => outbound|81||svc.test
         http 1.1.1.1:82 other.test => outbound|82||svc.test
         tcp 1.1.1.1:82 => outbound|82||svc.test
         silent 1.1.1.1:82 => outbound|82||svc.test
         tls 1.1.1.1:83 svc.test => outbound|83||svc.test
         tls 1.1.1.1:83 other.test => blackhole
         tls 1.1.1.1:83 - => blackhole
         http 1.1.1.1:83 svc.test => 502
         tls 1.1.1.1:84 svc.test => outbound|84||svc.test
         h2 1.1.1.1:85 svc.test => outbound|85||svc.test
         tcp 1.1.1.1:86 => blackhole
         http 1.1.1.1:15001 svc.test => loop
         http 1.1.1.1:9999 svc.test => 502
         tls 1.1.1.1:9999 svc.test => blackhole",
    );
    sidecar(ALLOW_ANY, &classes()).check(
        "http 1.1.1.1:80 other.test => pass
         tcp 1.1.1.1:80 => pass
         tls 1.1.1.1:80 svc.test => pass
         tls 1.1.1.1:83 other.test => pass
         http 1.1.1.1:83 svc.test => pass
         http 1.1.1.1:9999 svc.test => pass
         http 1.1.1.1:15001 svc.test => loop",
    );
}

#[test]
fn reading_waits_only_where_bytes_decide() {
    use crate::decide::verdict::Reading;
    let reads = |world: &World, to: &str| {
        super::super::reading(&world.snapshot, &arrival(to.parse().unwrap())) != Reading::Opaque
    };
    let strict = sidecar(REGISTRY_ONLY, &classes());
    let open = sidecar(ALLOW_ANY, &classes());
    for (port, strictly, openly) in [
        (80, true, true),
        (81, true, true),
        (82, false, false),
        (83, true, true),
        (9999, true, false),
        (15001, false, false),
    ] {
        let to = format!("1.1.1.1:{port}");
        assert_eq!(reads(&strict, &to), strictly, "REGISTRY_ONLY {port}");
        assert_eq!(reads(&open, &to), openly, "ALLOW_ANY {port}");
    }
    let silence = |mesh: &str| match super::super::reading(
        &sidecar(mesh, "").snapshot,
        &arrival("1.1.1.1:80".parse().unwrap()),
    ) {
        Reading::Sniff { silence_max } => silence_max.as_millis(),
        Reading::Opaque => 0,
    };
    assert_eq!(silence(REGISTRY_ONLY), 200);
    let set = format!("protocolDetectionTimeout: 5s\n{REGISTRY_ONLY}");
    assert_eq!(silence(&set), 5000);
    let zero = format!("protocolDetectionTimeout: 0s\n{REGISTRY_ONLY}");
    assert_eq!(silence(&zero), 200);
}

#[test]
fn addresses_make_listeners_of_their_own() {
    let vip = "{hosts: [vip.test], addresses: [10.1.0.1, 10.1.0.2], resolution: STATIC, endpoints: [{address: 10.9.9.9}],
                ports: [{number: 80, name: auto}, {number: 82, name: tcp, protocol: TCP},
                        {number: 83, name: tls, protocol: TLS}]}";
    let yaml = entry("vip", vip) + &classes();
    sidecar(REGISTRY_ONLY, &yaml).check(
        "tcp 10.1.0.1:82 => outbound|82||vip.test
         tcp 10.1.0.2:82 => outbound|82||vip.test
         tcp 10.1.0.3:82 => outbound|82||svc.test
         # On its own address a TLS service takes every name.
         tls 10.1.0.1:83 other.test => outbound|83||vip.test
         tls 10.1.0.3:83 svc.test => outbound|83||svc.test
         # A service of undeclared protocol on its own address takes every Host.
         http 10.1.0.1:80 whatever.test => outbound|80||vip.test
         tcp 10.1.0.1:80 => outbound|80||vip.test
         # Elsewhere it is one of the names of the port.
         http 1.1.1.1:80 vip.test => outbound|80||vip.test
         http 1.1.1.1:80 10.1.0.2 => outbound|80||vip.test
         http 1.1.1.1:80 whatever.test => 502",
    );
}

#[test]
fn ranges_are_chains_and_hide_nothing_they_do_not_fit() {
    let range = |name: &str, range: &str, protocol: &str| {
        entry(
            name,
            &format!(
                "{{hosts: [{name}.test], addresses: [{range}], resolution: STATIC,
                   endpoints: [{{address: 10.9.9.9}}], ports: [{{number: 80, name: p, protocol: {protocol}}}]}}"
            ),
        )
    };
    let yaml = range("wide", "10.0.0.0/8", "TCP")
        + &range("narrow", "10.1.0.0/16", "TLS")
        + &range("zsame", "10.0.0.5/8", "TCP")
        + &range("web", "10.2.2.2/32", "HTTP");
    let world = sidecar(REGISTRY_ONLY, &yaml);
    world.check(
        "tcp 10.2.0.1:80 => outbound|80||wide.test
         tcp 10.1.0.1:80 => outbound|80||wide.test
         tls 10.1.0.1:80 narrow.test => outbound|80||narrow.test
         tls 10.1.0.1:80 other.test => outbound|80||wide.test
         tcp 11.0.0.1:80 => blackhole
         http 11.0.0.1:80 web.test => outbound|80||web.test
         # A TCP range fits HTTP too.
         http 10.2.0.1:80 web.test => outbound|80||wide.test",
    );
    world.assert_problems(&[
        "zsame: ServiceEntry default/wide takes the same calls on 0.0.0.0:80 and wins",
    ]);
    let tls_only = range("narrow", "10.1.0.0/16", "TLS") + &range("web", "10.2.2.2", "HTTP");
    sidecar(REGISTRY_ONLY, &tls_only).check(
        "http 10.1.0.1:80 web.test => outbound|80||web.test
         tls 10.1.0.1:80 other.test => blackhole",
    );
}

#[test]
fn two_services_without_address_conflict_and_the_older_wins() {
    let tcp = |name: &str, created: &str, protocol: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n\
             metadata: {{name: {name}, creationTimestamp: \"{created}\"}}\n\
             spec: {{hosts: [{name}.test], resolution: STATIC, endpoints: [{{address: 10.9.9.9}}],
                    ports: [{{number: 3306, name: p, protocol: {protocol}}}]}}\n---\n"
        )
    };
    let yaml = tcp("a", "2024-01-02T00:00:00Z", "MYSQL") + &tcp("b", "2024-01-01T00:00:00Z", "TCP");
    let world = sidecar(ALLOW_ANY, &yaml);
    world.check("tcp 1.1.1.1:3306 => outbound|3306||b.test");
    world.assert_problems(&["a: ServiceEntry default/b takes the same calls on 0.0.0.0:3306"]);
    // MySQL does not swallow HTTP of the same port.
    let mixed =
        tcp("a", "2024-01-01T00:00:00Z", "MYSQL") + &tcp("b", "2024-01-02T00:00:00Z", "HTTP");
    let world = sidecar(ALLOW_ANY, &mixed);
    world.check(
        "tcp 1.1.1.1:3306 => outbound|3306||a.test
         http 1.1.1.1:3306 b.test => outbound|3306||b.test",
    );
    world.assert_problems(&[]);
}

#[test]
fn headless_services_listen_at_their_endpoints() {
    let yaml = kubernetes("db", "None", &[("tcp", 5432), ("http", 80), ("auto", 81)])
        + &kubernetes("self", "None", &[("tcp", 5432)]).replace("10.34.9.9", "10.34.0.140")
        + &kubernetes("cluster", "10.96.0.1", &[("tcp", 5432), ("https", 443)]);
    sidecar(REGISTRY_ONLY, &yaml).check(
        "tcp 10.34.9.9:5432 => outbound|5432||db.default.svc.cluster.local
         tcp 10.34.0.140:5432 => blackhole
         http 10.34.9.9:81 anything => outbound|81||db.default.svc.cluster.local
         http 1.1.1.1:80 db => outbound|80||db.default.svc.cluster.local
         http 1.1.1.1:80 db-0.db.default => outbound|80||db.default.svc.cluster.local
         tcp 10.96.0.1:5432 => outbound|5432||cluster.default.svc.cluster.local
         tcp 10.96.0.2:5432 => blackhole
         tls 10.96.0.1:443 - => outbound|443||cluster.default.svc.cluster.local",
    );
}

#[test]
fn none_without_addresses_takes_the_port() {
    let yaml = entry(
        "any",
        "{hosts: ['*.wild.test'], resolution: NONE,
          ports: [{number: 443, name: tls, protocol: TLS}, {number: 9000, name: tcp, protocol: TCP}]}",
    );
    sidecar(REGISTRY_ONLY, &yaml).check(
        "tls 1.1.1.1:443 a.wild.test => outbound|443||*.wild.test
         tls 1.1.1.1:443 a.b.wild.test => outbound|443||*.wild.test
         tls 1.1.1.1:443 wild.test => blackhole
         tcp 1.1.1.1:9000 => outbound|9000||*.wild.test",
    );
}

/// A service with an address, and one without; rules for both.
fn tls_rules(spec: &str) -> String {
    let service = |name: &str, address: &str| {
        entry(
            name,
            &format!(
                "{{hosts: [{name}.test], addresses: [{address}], resolution: DNS,
                   ports: [{{number: 443, name: tls, protocol: TLS}}]}}"
            ),
        )
    };
    service("vip", "10.1.0.1")
        + &service("plain", "").replace("addresses: [], ", "")
        + &service("other", "10.1.0.9")
        + &object("VirtualService", "vs", spec)
}

#[test]
fn tls_rules_choose_by_server_name() {
    let yaml = tls_rules(
        "{hosts: [vip.test, plain.test], tls: [
           {match: [{port: 444, sniHosts: [vip.test]}], route: [{destination: {host: plain.test}}]},
           {match: [{sniHosts: [vip.test], sourceLabels: {app: other}}], route: [{destination: {host: plain.test}}]},
           {match: [{sniHosts: [vip.test], gateways: [gw]}], route: [{destination: {host: plain.test}}]},
           {match: [{sniHosts: [vip.test, plain.test]}], route: [{destination: {host: other.test}}]}]}",
    );
    sidecar(REGISTRY_ONLY, &yaml).check(
        "tls 10.1.0.1:443 vip.test => outbound|443||other.test
         # Its own address is its own, whatever the name (istio#52235).
         tls 10.1.0.1:443 unlisted.test => outbound|443||vip.test
         tls 10.1.0.1:443 - => outbound|443||vip.test
         tcp 10.1.0.1:443 => blackhole
         tls 1.1.1.1:443 plain.test => outbound|443||other.test
         tls 1.1.1.1:443 unlisted.test => blackhole",
    );
    let wildcard = tls_rules(
        "{hosts: ['*.test'], tls: [{match: [{sniHosts: ['*.test']}],
          route: [{destination: {host: plain.test}}]}]}",
    );
    sidecar(REGISTRY_ONLY, &wildcard).check(
        "tls 1.1.1.1:443 a.b.test => outbound|443||plain.test
         tls 10.1.0.1:443 vip.test => outbound|443||plain.test
         tls 1.1.1.1:443 test => blackhole",
    );
}

#[test]
fn tcp_rules_choose_by_range() {
    let service = |name: &str, address: &str| {
        entry(
            name,
            &format!(
                "{{hosts: [{name}.test], {address} resolution: STATIC, endpoints: [{{address: 10.9.9.9}}],
                   ports: [{{number: 9000, name: tcp, protocol: TCP}}, {{number: 9001, name: tls, protocol: TLS}}]}}"
            ),
        )
    };
    let yaml = service("a", "")
        + &service("b", "addresses: [10.1.0.1],")
        + &object(
            "VirtualService",
            "vs",
            "{hosts: [a.test], tcp: [
               {match: [{port: 1}], route: [{destination: {host: nowhere.test}}]},
               {match: [{destinationSubnets: [10.2.0.0/16]}], route: [{destination: {host: b.test, port: {number: 9000}}}]},
               {match: [{port: 9000}], route: [
                  {destination: {host: a.test, port: {number: 9000}}, weight: 25},
                  {destination: {host: missing.test}, weight: 75}, {destination: {host: b.test}}]}]}",
        );
    let world = sidecar(REGISTRY_ONLY, &yaml);
    world.check(
        "tcp 10.2.3.4:9000 => outbound|9000||b.test
         tcp 1.1.1.1:9000 => outbound|9000||a.test
         tls 1.1.1.1:9001 a.test => outbound|9001||a.test",
    );
    let rolled = |number: u64| {
        let mut dice = |below: u64| {
            assert_eq!(below, 100);
            number
        };
        world.outcome_of("tcp 1.1.1.1:9000", &mut dice)
    };
    assert_eq!(rolled(24), "outbound|9000||a.test");
    assert_eq!(rolled(25), "NC outbound|9000||missing.test");
    assert_eq!(rolled(99), "NC outbound|9000||missing.test");
}

#[test]
fn the_meshs_http_proxy() {
    let services = entry(
        "a",
        "{hosts: [a.test], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP},
           {number: 8080, name: more, protocol: HTTP}]}",
    );
    let mesh = format!("{REGISTRY_ONLY}\nproxyHttpPort: 15080");
    let world = sidecar(&mesh, &services);
    world.check(
        "http 127.0.0.1:15080 a.test => outbound|80||a.test
         http 127.0.0.1:15080 a.test:8080 => outbound|8080||a.test
         http 127.0.0.1:15080 b.test => 502",
    );
    let proxy = crate::snapshot::BoundPort {
        bind: Some("127.0.0.1".parse().expect("address")),
        port: 15080,
    };
    assert_eq!(world.snapshot.bound_ports(), [proxy]);
    // Nothing that a Sidecar leaves out can be called through it.
    let some = "{egress: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['./*']}]}";
    let world = sidecar(&mesh, &(services + &object("Sidecar", "s", some)));
    assert!(world.snapshot.bound_ports().is_empty());
}

/// Egress listeners that applications connect to, on loopback and on every address.
const DIALLED: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: none}
spec:
  hosts: [none.test]
  ports: [{number: 8080, name: http, protocol: HTTP}, {number: 9000, name: tcp, protocol: TCP}]
  resolution: NONE
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: dialled}
spec:
  egress:
  - port: {number: 8080, name: proxy, protocol: HTTP_PROXY}
    captureMode: NONE
    hosts: ['*/*']
  - port: {number: 9000, name: bytes, protocol: TCP}
    bind: 127.0.0.1
    captureMode: NONE
    hosts: ['*/*']
  - hosts: ['*/*']
";

#[test]
fn a_call_of_an_own_listener_goes_nowhere_when_it_would_go_back_there() {
    sidecar(ALLOW_ANY, DIALLED).check(
        "http 127.0.0.1:8080 other.test => loop
         http 10.34.0.140:8080 other.test => pass
         http 127.0.0.1:8080 none.test => loop
         tcp 127.0.0.1:9000 => loop
         tcp 10.9.9.9:9000 => outbound|9000||none.test
         tcp 10.9.9.9:8080 => pass
         tcp 127.0.0.1:7000 => pass",
    );
}

#[test]
fn the_trail_has_the_refused_destination() {
    let world = sidecar(ALLOW_ANY, DIALLED);
    let connection = Connection {
        arrival: arrival("127.0.0.1:9000".parse().unwrap()),
        layer: &Layer::Opaque,
        terminated: None,
    };
    let decision = super::super::connection(&world.snapshot, &connection, &mut |_| 0);
    assert_eq!(decision.cluster, Some("BlackHoleCluster"));
    let short = decision.trail.to_string();
    assert!(short.ends_with(" refused=own_listener"), "{short}");
    let long = decision.trail.sentences();
    assert_eq!(
        long.last().map(String::as_str),
        Some(
            "the address is refused: own_listener: 127.0.0.1:9000 is a port that this proxy listens on"
        )
    );
}
