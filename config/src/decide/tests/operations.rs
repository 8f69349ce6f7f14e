//! What the span of a request is called.

use super::*;

/// The operation of a request's route, or `-`.
fn operation(world: &World, line: &str) -> String {
    let call = parse(line);
    let request = Request {
        arrival: arrival(call.to),
        terminated: None,
        method: &call.method,
        scheme: "http",
        authority: &call.host,
        path: &call.path,
        headers: &call.headers,
    };
    let decision = crate::decide::request(&world.snapshot, &request, &mut |_| 0);
    decision
        .operation
        .map_or("-".to_owned(), |operation| operation.to_string())
}

#[test]
fn operations_are_istios() {
    let services = entry(
        "services",
        "{hosts: [a.test, b.test], resolution: STATIC, endpoints: [{address: 10.9.9.9}],
          ports: [{number: 80, name: http, protocol: HTTP}, {number: 8080, name: http2, protocol: HTTP}]}",
    );
    let http = "{match: [{uri: {prefix: /rw/}}], route: [{destination: {host: b.test, port: {number: 8080}}}]},
        {match: [{uri: {exact: /exact}}], route: [{destination: {host: b.test}}]},
        {match: [{uri: {regex: '/r[0-9]+'}}], route: [{destination: {host: b.test}}]},
        {match: [{uri: {prefix: /split}}], route: [{destination: {host: a.test}, weight: 50}, {destination: {host: b.test}, weight: 50}]},
        {match: [{uri: {prefix: /direct}}], directResponse: {status: 200}},
        {match: [{uri: {prefix: /away}}], redirect: {uri: /}},
        {match: [{headers: {x: {exact: y}}}], route: [{destination: {host: b.test}}]},
        {match: [{uri: {exact: /none}}], route: [{destination: {host: none.test}}]}";
    let vs = object(
        "VirtualService",
        "vs",
        &format!("{{hosts: [a.test], http: [{http}]}}"),
    );
    let world = sidecar(ALLOW_ANY, &(services + &vs));
    for (call, expected) in [
        ("http 1.1.1.1:80 a.test/rw/x?y", "b.test:8080/rw/*"),
        ("http 1.1.1.1:80 a.test/exact", "b.test:80/exact"),
        ("http 1.1.1.1:80 a.test/r12", "b.test:80/r[0-9]+"),
        ("http 1.1.1.1:80 a.test/split", "vs:80/split*"),
        ("http 1.1.1.1:8080 a.test/direct/1", "vs:8080/direct*"),
        ("http 1.1.1.1:80 a.test/away", "vs:80/away*"),
        ("http 1.1.1.1:80 a.test/ GET {x: y}", "b.test:80/*"),
        ("http 1.1.1.1:80 a.test/none", "none.test:80/none"),
        ("http 1.1.1.1:80 b.test/x", "b.test:80/*"),
        ("http 1.1.1.1:80 a.test/nothing", "-"),
        ("http 1.1.1.1:80 elsewhere.test/", "-"),
    ] {
        assert_eq!(operation(&world, call), expected, "{call}");
    }
}
