//! What a workload sees.

use super::*;

fn web(name: &str, host: &str, extra: &str) -> String {
    object(
        "ServiceEntry",
        name,
        &format!(
            "{{hosts: ['{host}'], {extra} resolution: STATIC, endpoints: [{{address: 10.9.9.9}}],
               ports: [{{number: 80, name: http, protocol: HTTP}}, {{number: 9000, name: tcp, protocol: TCP}}]}}"
        ),
    )
}

fn scoped(name: &str, spec: &str) -> String {
    object("Sidecar", name, spec)
}

#[test]
fn exports() {
    let yaml = web("far/all", "all.test", "exportTo: ['*'],")
        + &web("far/own", "own.test", "exportTo: ['.'],")
        + &web("far/some", "some.test", "exportTo: [default, near],")
        + &web("far/unset", "unset.test", "");
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 all.test => outbound|80||all.test
         http 1.1.1.1:80 own.test => 502
         http 1.1.1.1:80 some.test => outbound|80||some.test
         http 1.1.1.1:80 unset.test => outbound|80||unset.test",
    );
    sidecar_in("far", "", REGISTRY_ONLY, &yaml)
        .check("http 1.1.1.1:80 own.test => outbound|80||own.test");
    let private = format!("defaultServiceExportTo: ['.']\n{REGISTRY_ONLY}");
    sidecar(&private, &yaml).check("http 1.1.1.1:80 unset.test => 502");
    sidecar_in("far", "", &private, &yaml)
        .check("http 1.1.1.1:80 unset.test => outbound|80||unset.test");
}

#[test]
fn virtual_services_are_private_first() {
    let answer = |name: &str, export: &str, text: &str| {
        object(
            "VirtualService",
            name,
            &format!(
                "{{hosts: [a.test], {export} http: [{{directResponse: {{status: 200, body: {{string: {text}}}}}}}]}}"
            ),
        )
    };
    let yaml = web("a", "a.test", "")
        + &answer("far/a", "exportTo: ['*'],", "public")
        + &answer("far/b", "exportTo: [default],", "exported")
        + &answer("default/c", "exportTo: ['.'],", "private")
        + &answer("far/d", "exportTo: ['.'],", "hidden");
    sidecar(REGISTRY_ONLY, &yaml).check("http 1.1.1.1:80 a.test => respond 200 private");
    sidecar_in("far", "", REGISTRY_ONLY, &yaml)
        .check("http 1.1.1.1:80 a.test => respond 200 hidden");
    sidecar_in("third", "", REGISTRY_ONLY, &yaml)
        .check("http 1.1.1.1:80 a.test => respond 200 public");
}

#[test]
fn private_services_come_before_public_ones() {
    let yaml =
        web("far/a", "public.test", "") + &web("default/b", "private.test", "exportTo: ['.'],");
    sidecar(REGISTRY_ONLY, &yaml).check("tcp 1.1.1.1:9000 => outbound|9000||private.test");
}

#[test]
fn one_host_in_several_documents() {
    let ports = |name: &str, ports: &str, extra: &str| {
        object(
            "ServiceEntry",
            name,
            &format!("{{hosts: [a.test], resolution: DNS, {extra} ports: [{ports}]}}"),
        )
    };
    let http = "{number: 80, name: http, protocol: HTTP}";
    let other = "{number: 81, name: http, protocol: HTTP}";
    // The same namespace and settings: one service.
    sidecar(
        REGISTRY_ONLY,
        &(ports("a", http, "") + &ports("b", other, "")),
    )
    .check(
        "http 1.1.1.1:80 a.test => outbound|80||a.test
         http 1.1.1.1:81 a.test => outbound|81||a.test",
    );
    // Other settings: the first.
    let none = ports("b", other, "").replace("resolution: DNS", "resolution: NONE");
    sidecar(REGISTRY_ONLY, &(ports("a", http, "") + &none)).check("http 1.1.1.1:81 a.test => 502");
    // Another namespace: the own.
    sidecar(
        REGISTRY_ONLY,
        &(ports("aaa/a", http, "") + &ports("b", other, "")),
    )
    .check(
        "http 1.1.1.1:80 a.test => 502
         http 1.1.1.1:81 a.test => outbound|81||a.test",
    );
    sidecar_in(
        "third",
        "",
        REGISTRY_ONLY,
        &(ports("aaa/a", http, "") + &ports("b", other, "")),
    )
    .check("http 1.1.1.1:80 a.test => outbound|80||a.test");
}

#[test]
fn the_sidecar_of_a_workload() {
    let mode = |mode: &str| format!("{{outboundTrafficPolicy: {{mode: {mode}}}}}");
    let yaml = scoped("istio-system/root", &mode("REGISTRY_ONLY"))
        + &scoped("own/plain", &mode("ALLOW_ANY"))
        + &scoped(
            "own/selective",
            "{workloadSelector: {labels: {app: strict}}, outboundTrafficPolicy: {mode: REGISTRY_ONLY}}",
        )
        + &scoped(
            "istio-system/selective",
            "{workloadSelector: {labels: {app: open}}, outboundTrafficPolicy: {mode: ALLOW_ANY}}",
        );
    let of = |namespace: &str, labels: &str| {
        sidecar_in(namespace, labels, ALLOW_ANY, &yaml).outcome_of("tcp 1.1.1.1:1", &mut |_| 0)
    };
    assert_eq!(of("elsewhere", ""), "blackhole");
    assert_eq!(of("elsewhere", "app=open"), "blackhole");
    assert_eq!(of("own", ""), "pass");
    assert_eq!(of("own", "app=strict"), "blackhole");
    // An empty policy is REGISTRY_ONLY, no policy is the mesh's.
    let empty = scoped("default/a", "{outboundTrafficPolicy: {}}");
    sidecar(ALLOW_ANY, &empty).check("tcp 1.1.1.1:1 => blackhole");
    let none = scoped("default/a", "{egress: [{hosts: ['*/*']}]}");
    sidecar(ALLOW_ANY, &none).check("tcp 1.1.1.1:1 => pass");
    sidecar(REGISTRY_ONLY, &none).check("tcp 1.1.1.1:1 => blackhole");
}

#[test]
fn imports() {
    let yaml = web("default/own", "own.test", "")
        + &web("far/a", "a.far.test", "")
        + &web("far/b", "b.far.test", "")
        + &web("third/c", "c.test", "");
    let check = |hosts: &str, expected: &str| {
        let sidecar_object = scoped("default/s", &format!("{{egress: [{{hosts: [{hosts}]}}]}}"));
        let world = sidecar(REGISTRY_ONLY, &(yaml.clone() + &sidecar_object));
        let hosts = ["own.test", "a.far.test", "b.far.test", "c.test"];
        let visible: Vec<_> = hosts
            .into_iter()
            .filter(|host| {
                let call = format!("http 1.1.1.1:80 {host}");
                world.outcome_of(&call, &mut |_| 0) != "502"
            })
            .collect();
        assert_eq!(visible.join(" "), expected, "{hosts:?}");
    };
    check("'*/*'", "own.test a.far.test b.far.test c.test");
    check("'./*'", "own.test");
    check("'far/*'", "a.far.test b.far.test");
    check("'far/a.far.test'", "a.far.test");
    check("'*/*.far.test'", "a.far.test b.far.test");
    check("'far/c.test'", "");
    check("'~/*'", "");
    check("'*/*', '~far/*'", "own.test c.test");
    check("'*/*', '~/a.far.test'", "own.test b.far.test c.test");
}

#[test]
fn imports_bring_virtual_services_and_their_destinations() {
    let vs = object(
        "VirtualService",
        "default/vs",
        "{hosts: ['*.test'], http: [{route: [{destination: {host: hidden.far.test}}]}]}",
    );
    let yaml = web("default/own", "own.test", "")
        + &web("far/a", "hidden.far.test", "")
        + &vs
        + &scoped("default/s", "{egress: [{hosts: ['./own.test']}]}");
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 own.test => outbound|80||hidden.far.test
         http 1.1.1.1:80 new.test => outbound|80||hidden.far.test
         tcp 1.1.1.1:9000 => outbound|9000||own.test",
    );
}

#[test]
fn egress_listeners_with_ports() {
    let yaml = web("default/a", "a.test", "")
        + &web("default/b", "b.test", "")
        + &scoped(
            "default/s",
            "{egress: [
               {port: {number: 80, name: http, protocol: HTTP}, hosts: ['./a.test']},
               {port: {number: 9000, name: tcp, protocol: TCP}, bind: 127.0.0.9, hosts: ['./b.test']},
               {port: {number: 9080, name: web, protocol: HTTP}, bind: 127.0.0.1, hosts: ['./b.test']},
               {hosts: ['./*']}]}",
        );
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 a.test => outbound|80||a.test
         # The port is closed to what later listeners import.
         http 1.1.1.1:80 b.test => 502
         tcp 127.0.0.9:9000 => outbound|9000||b.test
         tcp 1.1.1.1:9000 => outbound|9000||a.test
         # A bind address speaks HTTP whatever the bytes look like.
         tcp 127.0.0.1:9080 => 502",
    );
}
