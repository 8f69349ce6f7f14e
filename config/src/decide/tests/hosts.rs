//! Which virtual host a request has on a sidecar.

use super::*;

fn web(host: &str, ports: &[u16]) -> String {
    let list: Vec<_> = ports
        .iter()
        .map(|port| format!("{{number: {port}, name: p{port}, protocol: HTTP}}"))
        .collect();
    let name = host.replace('*', "any").replace('.', "-");
    entry(
        &name,
        &format!(
            "{{hosts: ['{host}'], resolution: NONE, ports: [{}]}}",
            list.join(", ")
        ),
    )
}

/// A VirtualService that answers with its own name.
fn answers(name: &str, hosts: &str) -> String {
    object(
        "VirtualService",
        name,
        &format!(
            "{{hosts: [{hosts}], http: [{{directResponse: {{status: 200, body: {{string: {name}}}}}}}]}}"
        ),
    )
}

#[test]
fn names_of_services() {
    let yaml = kubernetes("web", "10.96.0.1", &[("http", 80)])
        + &kubernetes("far/shop", "10.96.0.2", &[("http", 80)])
        + &web("ext.test", &[80])
        // Somebody registered what would be a short form.
        + &web("shop.far", &[80]);
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 web => outbound|80||web.default.svc.cluster.local
         http 1.1.1.1:80 WEB.Default => outbound|80||web.default.svc.cluster.local
         http 1.1.1.1:80 web.default.svc:80 => outbound|80||web.default.svc.cluster.local
         http 1.1.1.1:80 web.default.svc.cluster.local => outbound|80||web.default.svc.cluster.local
         http 1.1.1.1:80 web.default.svc.cluster.local. => outbound|80||web.default.svc.cluster.local
         http 1.1.1.1:80 10.96.0.1 => outbound|80||web.default.svc.cluster.local
         http 1.1.1.1:80 shop => 502
         http 1.1.1.1:80 shop.far => outbound|80||shop.far
         http 1.1.1.1:80 shop.far.svc => outbound|80||shop.far.svc.cluster.local
         http 1.1.1.1:80 ext.test:8080 => outbound|80||ext.test
         http 1.1.1.1:80 ext.test. => outbound|80||ext.test
         http 1.1.1.1:80 - => 502",
    );
}

#[test]
fn the_most_specific_domain_wins() {
    let yaml = web("*.w.test", &[80]) + &web("*.x.w.test", &[80]) + &web("a.x.w.test", &[80]);
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 a.x.w.test => outbound|80||a.x.w.test
         http 1.1.1.1:80 b.x.w.test => outbound|80||*.x.w.test
         http 1.1.1.1:80 c.b.x.w.test => outbound|80||*.x.w.test
         http 1.1.1.1:80 x.w.test => outbound|80||*.w.test
         http 1.1.1.1:80 w.test => 502",
    );
}

#[test]
fn the_first_virtual_service_of_a_host_owns_it() {
    let yaml = web("a.test", &[80, 8080]) + &answers("b", "a.test") + &answers("a", "a.test");
    let world = sidecar(REGISTRY_ONLY, &yaml);
    world.check(
        "http 1.1.1.1:80 a.test => respond 200 a
         http 1.1.1.1:8080 a.test => respond 200 a",
    );
    world.assert_problems(&["VirtualService default/b: spec.hosts: \"a.test\": VirtualService default/a has this host too and wins"]);
    let unregistered = web("other.test", &[80]) + &answers("b", "a.test") + &answers("a", "a.test");
    let world = sidecar(REGISTRY_ONLY, &unregistered);
    world.check("http 1.1.1.1:80 a.test => respond 200 a");
    world.assert_problems(&["VirtualService default/a has this host too and wins"]);
}

#[test]
fn without_rules_on_a_port_the_service_keeps_its_default() {
    let vs = object(
        "VirtualService",
        "vs",
        "{hosts: [a.test], http: [{match: [{port: 80}], directResponse: {status: 200}}]}",
    );
    let yaml = web("a.test", &[80, 8080]) + &vs + &answers("wild", "'*.test'");
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 a.test => respond 200
         # The exact host keeps the wildcard away even where it has no rule.
         http 1.1.1.1:8080 a.test => outbound|8080||a.test",
    );
}

#[test]
fn hosts_that_are_not_registered() {
    let yaml = web("a.test", &[80, 8080])
        + &answers("vs", "a.test, new.test")
        + &answers("alone", "alone.test");
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 new.test => respond 200 vs
         http 1.1.1.1:80 alone.test => respond 200 alone
         http 1.1.1.1:80 new.test. => 502
         # On other ports a VirtualService takes part when a service of the port has one of its hosts.
         http 1.1.1.1:8080 new.test => respond 200 vs
         http 1.1.1.1:8080 alone.test => 502",
    );
    // Without an HTTP service on port 80 nothing listens there.
    let tcp_only = answers("alone", "alone.test");
    sidecar(ALLOW_ANY, &tcp_only).check("http 1.1.1.1:80 alone.test => pass");
}

#[test]
fn wildcard_virtual_services() {
    let yaml = web("a.w.test", &[80, 8080])
        + &web("b.w.test", &[80, 8080])
        + &answers("wide", "'*.test'")
        + &answers("narrow", "'*.w.test'")
        + &answers("exact", "b.w.test");
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 a.w.test => respond 200 narrow
         http 1.1.1.1:80 b.w.test => respond 200 exact
         # Names that are not registered are covered still.
         http 1.1.1.1:80 new.w.test => respond 200 narrow
         http 1.1.1.1:80 new.test => respond 200 wide
         http 1.1.1.1:8080 a.w.test => respond 200 narrow
         http 1.1.1.1:8080 new.w.test => respond 200 narrow
         http 1.1.1.1:80 other.com => 502",
    );
}

#[test]
fn an_exact_virtual_service_under_a_wildcard_service() {
    let yaml = web("*.x.test", &[80, 8080]) + &answers("vs", "a.x.test");
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 a.x.test => respond 200 vs
         http 1.1.1.1:8080 a.x.test => respond 200 vs
         http 1.1.1.1:8080 b.x.test => outbound|8080||*.x.test",
    );
}

#[test]
fn a_virtual_host_without_a_matching_rule_is_404() {
    let vs = object(
        "VirtualService",
        "vs",
        "{hosts: [a.test], http: [{match: [{uri: {prefix: /a}}], directResponse: {status: 200}}]}",
    );
    for mesh in [ALLOW_ANY, REGISTRY_ONLY] {
        sidecar(mesh, &(web("a.test", &[80]) + &vs)).check("http 1.1.1.1:80 a.test/b => 404");
    }
}

#[test]
fn external_names_stand_for_their_target() {
    let alias = "apiVersion: v1\nkind: Service\nmetadata: {name: alias, namespace: default}\n\
                 spec: {type: ExternalName, externalName: real.test, ports: [{name: http, port: 80}]}\n---\n";
    let route = object(
        "VirtualService",
        "vs",
        "{hosts: [to-alias.test], http: [{route: [{destination: {host: alias.default.svc.cluster.local}}]}]}",
    );
    let own = answers("own", "alias.default.svc.cluster.local");
    sidecar(
        REGISTRY_ONLY,
        &(alias.to_owned() + &web("real.test", &[80]) + &own),
    )
    .check(
        "http 1.1.1.1:80 real.test => outbound|80||real.test
         # Rules for the alias are for its names alone.
         http 1.1.1.1:80 alias => respond 200 own
         http 1.1.1.1:80 alias.default.svc.cluster.local => respond 200 own",
    );
    let yaml = alias.to_owned() + &web("real.test", &[80]) + &route;
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 real.test => outbound|80||real.test
         http 1.1.1.1:80 alias => outbound|80||real.test
         http 1.1.1.1:80 alias.default => outbound|80||real.test
         http 1.1.1.1:80 alias.default.svc.cluster.local => outbound|80||real.test
         http 1.1.1.1:80 to-alias.test => outbound|80||real.test",
    );
}

#[test]
fn kubernetes_beats_an_entry_of_the_same_host() {
    let yaml = entry(
        "se",
        "{hosts: [web.default.svc.cluster.local], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}",
    ) + &kubernetes("web", "10.96.0.1", &[("http", 80)]);
    let world = sidecar(REGISTRY_ONLY, &yaml);
    let cluster = world.cluster("outbound|80||web.default.svc.cluster.local");
    assert_eq!(&*cluster.origin, "Service default/web");
    world.assert_problems(&["ServiceEntry default/se: spec.hosts: \"web.default.svc.cluster.local\": Service default/web has this host"]);
}
