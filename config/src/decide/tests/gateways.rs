//! What a gateway listens on and does.

use super::*;

/// A Gateway `gw` in `istio-system` for `istio: ingressgateway` with these servers.
pub(super) fn gw(servers: &str) -> String {
    named_gw("istio-system/gw", servers)
}

fn named_gw(name: &str, servers: &str) -> String {
    object(
        "Gateway",
        name,
        &format!("{{selector: {{istio: ingressgateway}}, servers: [{servers}]}}"),
    )
}

fn http(port: u16, hosts: &str) -> String {
    format!("{{port: {{number: {port}, name: http-{port}, protocol: HTTP}}, hosts: [{hosts}]}}, ")
}

pub(super) fn server(port: u16, protocol: &str, hosts: &str, tls: &str) -> String {
    format!(
        "{{port: {{number: {port}, name: p{port}, protocol: {protocol}}}, hosts: [{hosts}], tls: {tls}}}, "
    )
}

pub(super) const SIMPLE: &str = "{mode: SIMPLE, serverCertificate: /c.pem, privateKey: /k.pem}";

pub(super) fn services() -> String {
    kubernetes("a", "10.96.0.1", &[("http", 80)])
        + &kubernetes("one", "10.96.0.2", &[("http", 9090)])
        + &kubernetes(
            "many",
            "10.96.0.3",
            &[("http", 8080), ("tls", 443), ("tcp", 9000)],
        )
}

/// A VirtualService for the gateway that answers with its own name.
pub(super) fn answers(name: &str, hosts: &str, extra: &str) -> String {
    let text = name.rsplit('/').next().unwrap_or(name);
    object(
        "VirtualService",
        name,
        &format!(
            "{{hosts: [{hosts}], gateways: [istio-system/gw], {extra} http: [{{directResponse: {{status: 200, body: {{string: {text}}}}}}}]}}"
        ),
    )
}

fn ports(world: &World) -> Vec<u16> {
    world
        .snapshot
        .bound_ports()
        .iter()
        .map(|port| port.port)
        .collect()
}

#[test]
fn selectors_choose_the_gateway() {
    let yaml = gw(&http(80, "'*'"))
        + &object(
            "Gateway",
            "far/all",
            &format!("{{servers: [{}]}}", http(81, "'*'")),
        )
        + &object(
            "Gateway",
            "istio-system/other",
            &format!(
                "{{selector: {{istio: egressgateway}}, servers: [{}]}}",
                http(82, "'*'")
            ),
        );
    assert_eq!(ports(&gateway("ingressgateway", &yaml)), [80, 81]);
    assert_eq!(ports(&gateway("egressgateway", &yaml)), [81, 82]);
}

#[test]
fn server_ports_are_translated_by_the_service_of_the_gateway() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: istio-ingressgateway, namespace: istio-system}\n\
                   spec: {clusterIP: 10.96.0.42, selector: {istio: ingressgateway}, ports: [\
                   {name: http, port: 80, targetPort: 8080}, {name: named, port: 443, targetPort: https}]}\n---\n\
                   apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: x\n  namespace: istio-system\n  \
                   labels: {kubernetes.io/service-name: istio-ingressgateway}\naddressType: IPv4\n\
                   endpoints: [{addresses: [10.34.0.141]}]\nports: [{name: http, port: 8080}, {name: named, port: 8443}]\n---\n";
    let port_rule = object(
        "VirtualService",
        "vs",
        "{hosts: ['*'], gateways: [istio-system/gw], http: [{match: [{port: 80}], directResponse: {status: 200}}]}",
    );
    let yaml = service.to_owned()
        + &gw(&(http(80, "'*'") + &http(443, "'*'") + &http(90, "'*'")))
        + &port_rule;
    let world = gateway("ingressgateway", &yaml);
    assert_eq!(ports(&world), [90, 8080, 8443]);
    world.check("http 10.34.0.141:8080 a.test => respond 200\nhttp 10.34.0.141:8443 a.test => 404");
    let names: Vec<_> = world
        .snapshot
        .routes()
        .into_iter()
        .map(|table| table.name)
        .collect();
    assert_eq!(names, ["http.8080", "http.8443", "http.90"]);
}

#[test]
fn hosts_of_servers_and_rules_meet_in_the_narrower_name() {
    let yaml = gw(&(http(80, "'*.w.test', exact.test") + &http(81, "'*'")))
        + &answers("a", "'*.test'", "")
        + &answers("b", "x.w.test", "");
    gateway("ingressgateway", &yaml).check(
        "http 10.34.0.141:80 y.w.test => respond 200 a
         http 10.34.0.141:80 x.w.test => respond 200 b
         http 10.34.0.141:80 exact.test => respond 200 a
         http 10.34.0.141:80 exact.test:8080 => respond 200 a
         http 10.34.0.141:80 other.test => 404
         http 10.34.0.141:81 other.test => respond 200 a
         http 10.34.0.141:81 other.com => 404
         http 10.34.0.141:82 other.test => no chain",
    );
}

#[test]
fn hosts_with_the_same_rules_share_the_name_of_the_first() {
    let yaml = gw(&http(80, "'*'"))
        + &answers("a", "c.test, b.test, '*.a.test'", "")
        + &answers("b", "a.test", "");
    let world = gateway("ingressgateway", &yaml);
    let tables = world.snapshot.routes();
    let mut names: Vec<_> = tables[0]
        .virtual_hosts
        .iter()
        .map(|host| format!("{} {}", host.domains.join(" "), host.name))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "*.a.test *.a.test:80",
            "a.test a.test:80",
            "b.test *.a.test:80",
            "c.test *.a.test:80"
        ]
    );
}

#[test]
fn namespaces_of_server_hosts() {
    let yaml = gw(&(http(80, "far/a.test, ./b.test, '*/c.test'") + &http(81, "'far/*'")))
        + &answers("far/far", "a.test, b.test, c.test", "")
        + &answers("istio-system/own", "a.test, b.test", "");
    gateway("ingressgateway", &yaml).check(
        "http 10.34.0.141:80 a.test => respond 200 far
         http 10.34.0.141:80 b.test => respond 200 own
         http 10.34.0.141:80 c.test => respond 200 far
         http 10.34.0.141:81 b.test => respond 200 far",
    );
}

#[test]
fn virtual_services_must_be_exported_to_the_gateway() {
    let yaml = gw(&http(80, "'*'"))
        + &answers("hidden", "a.test", "exportTo: ['.'],")
        + &answers("shown", "b.test", "exportTo: [istio-system],");
    gateway("ingressgateway", &yaml).check(
        "http 10.34.0.141:80 a.test => 404
         http 10.34.0.141:80 b.test => respond 200 shown",
    );
}

#[test]
fn routes_of_one_host_are_put_together_catch_alls_last() {
    let rule = |name: &str, fields: &str| {
        object(
            "VirtualService",
            name,
            &format!(
                "{{hosts: [a.test], gateways: [istio-system/gw], http: [{{{fields} directResponse: {{status: 200, body: {{string: {name}}}}}}}]}}"
            ),
        )
    };
    let yaml = gw(&http(80, "'*'"))
        + &rule("a", "")
        + &rule("b", "match: [{uri: {prefix: /b}}],")
        + &rule("c", "match: [{uri: {prefix: /bc}}],");
    let world = gateway("ingressgateway", &yaml);
    world.check(
        "http 10.34.0.141:80 a.test/b => respond 200 b
         http 10.34.0.141:80 a.test/bc => respond 200 b
         http 10.34.0.141:80 a.test/ => respond 200 a",
    );
    world.assert_problems(&[]);
}

#[test]
fn static_conditions() {
    let rule = |fields: &str, text: &str| {
        format!(
            "{{match: [{{{fields}}}], directResponse: {{status: 200, body: {{string: {text}}}}}}}, "
        )
    };
    let yaml = gw(&(http(80, "'*'") + &http(81, "'*'")))
        + &object(
            "VirtualService",
            "istio-system/vs",
            &format!(
                "{{hosts: [a.test], gateways: [gw, mesh], http: [{}]}}",
                rule("port: 81", "port")
                    + &rule("gateways: [mesh]", "mesh")
                    + &rule("gateways: [gw], sourceLabels: {istio: other}", "labels")
                    + &rule("gateways: [gw], uri: {prefix: /gw}", "gw")
            ),
        );
    gateway("ingressgateway", &yaml).check(
        "http 10.34.0.141:80 a.test/ => 404
         http 10.34.0.141:80 a.test/gw => respond 200 gw
         http 10.34.0.141:81 a.test/ => respond 200 port",
    );
}

#[test]
fn destination_ports() {
    let to = |path: &str, host: &str| {
        format!(
            "{{match: [{{uri: {{prefix: {path}}}}}], route: [{{destination: {{host: {host}}}}}]}}, "
        )
    };
    let yaml = services()
        + &gw(&http(80, "'*'"))
        + &object(
            "VirtualService",
            "vs",
            &format!(
                "{{hosts: ['*'], gateways: [istio-system/gw], http: [{}]}}",
                to("/one", "one") + &to("/many", "many") + &to("/a", "a")
            ),
        );
    gateway("ingressgateway", &yaml).check(
        "http 10.34.0.141:80 x/one => outbound|9090||one.default.svc.cluster.local
         http 10.34.0.141:80 x/many => NC outbound|80||many.default.svc.cluster.local
         http 10.34.0.141:80 x/a => outbound|80||a.default.svc.cluster.local",
    );
}

#[test]
fn https_redirect_comes_before_routes() {
    let redirecting = "{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.test, b.test], tls: {httpsRedirect: true}}, ";
    let yaml = gw(&(redirecting.to_owned() + &server(443, "HTTPS", "a.test", SIMPLE)))
        + &answers("a", "a.test", "");
    let world = gateway("ingressgateway", &yaml);
    world.check(
        "http 10.34.0.141:80 a.test/x?q=1 => redirect 301 https://a.test/x?q=1
         http 10.34.0.141:80 b.test:80/ => redirect 301 https://b.test/
         http 10.34.0.141:80 b.test:8080/ => redirect 301 https://b.test:8080/
         http 10.34.0.141:80 c.test/ => 404
         https 10.34.0.141:443 a.test => respond 200 a",
    );
}

#[test]
fn tcp_servers_take_the_first_rule() {
    let vs = |name: &str, fields: &str| {
        object(
            "VirtualService",
            name,
            &format!(
                "{{hosts: ['*'], gateways: [istio-system/gw], tcp: [{{{fields} route: [{{destination: {{host: {name}}}}}]}}]}}"
            ),
        )
    };
    let yaml = services()
        + &gw(&(server(9000, "TCP", "'*'", "null")
            + &server(9001, "TCP", "'*'", "null")
            + &server(9443, "TLS", "secure.test", SIMPLE))
            .replace(", tls: null", ""))
        + &vs("many", "match: [{port: 9000}],")
        + &vs("one", "match: [{port: 9000}, {port: 9443}],");
    let world = gateway("ingressgateway", &yaml);
    world.check(
        "tcp 10.34.0.141:9000 => outbound|9000||many.default.svc.cluster.local
         http 10.34.0.141:9000 x => outbound|9000||many.default.svc.cluster.local
         tls 10.34.0.141:9000 x => outbound|9000||many.default.svc.cluster.local
         https 10.34.0.141:9443 secure.test => terminated outbound|9090||one.default.svc.cluster.local",
    );
    // Nothing listens where no rule fits.
    assert_eq!(ports(&world), [9000, 9443]);
    let opaque = super::super::reading(
        &world.snapshot,
        &arrival("10.34.0.141:9000".parse().unwrap()),
    );
    assert_eq!(opaque, crate::decide::verdict::Reading::Opaque);
}

#[test]
fn clashes_are_reported_and_the_first_wins() {
    let tcp = server(80, "TCP", "'*'", "null").replace(", tls: null", "");
    let yaml = named_gw("istio-system/a", &http(80, "'*'")) + &named_gw("istio-system/b", &tcp);
    let world = gateway("ingressgateway", &yaml);
    world.check("http 10.34.0.141:80 x => 404");
    world.assert_problems(&["Gateway istio-system/b: spec.servers[0].port: \"80 TCP\": Gateway istio-system/a has the port for HTTP and wins"]);
    let yaml = gw(&server(443, "HTTPS", "a.test, b.test", SIMPLE))
        + &named_gw(
            "istio-system/late",
            &server(443, "HTTPS", "c.test, b.test", SIMPLE),
        )
        + &answers("a", "'*.test'", "");
    let world = gateway("ingressgateway", &yaml);
    world.check(
        "https 10.34.0.141:443 b.test => respond 200 a
         https 10.34.0.141:443 c.test => no chain",
    );
    world.assert_problems(&[
        "Gateway istio-system/late: spec.servers[0].hosts: Gateway istio-system/gw has TLS for one",
    ]);
}

#[test]
fn names_that_bind_to_nothing_are_reported() {
    let yaml = gw(&http(80, "'*'"))
        + &answers("a", "a.test", "").replace("istio-system/gw", "istio-system/gone")
        + &answers("b", "b.test", "").replace("istio-system/gw", "gw");
    let world = gateway("ingressgateway", &yaml);
    world.check(
        "http 10.34.0.141:80 a.test => 404
         http 10.34.0.141:80 b.test => respond 200 b",
    );
    world.assert_problems(&[
        "VirtualService default/a: spec.gateways[0]: \"istio-system/gone\": no such Gateway exists",
        "VirtualService default/b: spec.gateways[0]: \"default/gw\": no Gateway default/gw exists; taken as istio-system/gw",
    ]);
}

#[test]
fn unknown_calls_do_not_pass_a_gateway() {
    // Whatever the bytes are, a plaintext HTTP port treats them as HTTP, so that the codec answers.
    let world = gateway("ingressgateway", &gw(&http(80, "'*'")));
    world.check(
        "http 10.34.0.141:80 unknown.test => 404
         silent 10.34.0.141:80 unknown.test => 404
         tls 10.34.0.141:80 unknown.test => 404",
    );
}
