//! Which rule of a virtual host a request has, and what the rule does.

use super::*;
use crate::decide::call::path_for_rules;

/// `a.test` and `b.test` on ports 80 and 8080, and a VirtualService for `a.test` with these rules.
fn rules(http: &str) -> World {
    let services = entry(
        "services",
        "{hosts: [a.test, b.test], resolution: STATIC, endpoints: [{address: 10.9.9.9, labels: {v: one}}],
          ports: [{number: 80, name: http, protocol: HTTP}, {number: 8080, name: http2, protocol: HTTP}]}",
    );
    let single = entry(
        "single",
        "{hosts: [single.test], resolution: DNS, ports: [{number: 9090, name: http, protocol: HTTP}]}",
    );
    let vs = object(
        "VirtualService",
        "vs",
        &format!("{{hosts: [a.test], http: [{http}]}}"),
    );
    sidecar_in(
        "default",
        "app=sleep,v=one",
        REGISTRY_ONLY,
        &(services + &single + &vs),
    )
}

/// `TEXT` answers with TEXT when the match holds.
fn answer(fields: &str, text: &str) -> String {
    format!("{{match: [{fields}], directResponse: {{status: 200, body: {{string: {text}}}}}}}, ")
}

#[test]
fn paths() {
    let http = answer("{uri: {exact: /exact}}", "exact")
        + &answer("{uri: {prefix: /pre}}", "prefix")
        + &answer("{uri: {regex: '/r[0-9]+'}}", "regex")
        + &answer("{uri: {exact: /Case}, ignoreUriCase: true}", "case")
        + &answer("{uri: {prefix: /Many}, ignoreUriCase: true}", "many");
    rules(&http).check(
        "http 1.1.1.1:80 a.test/exact => respond 200 exact
         http 1.1.1.1:80 a.test/exact?x=1 => respond 200 exact
         http 1.1.1.1:80 a.test/exact/ => 404
         http 1.1.1.1:80 a.test/prefix => respond 200 prefix
         http 1.1.1.1:80 a.test/r12 => respond 200 regex
         http 1.1.1.1:80 a.test/r12?x=y => respond 200 regex
         http 1.1.1.1:80 a.test/r12x => 404
         http 1.1.1.1:80 a.test/cASE => respond 200 case
         http 1.1.1.1:80 a.test/MANYmore => respond 200 many
         http 1.1.1.1:80 a.test/ => 404",
    );
}

#[test]
fn options_star_is_the_root() {
    let world = rules(&answer("{uri: {prefix: /}}", "root"));
    let call = Request {
        arrival: arrival("1.1.1.1:80".parse().unwrap()),
        terminated: None,
        method: "OPTIONS",
        scheme: "http",
        authority: "a.test",
        path: path_for_rules("*"),
        headers: &http::HeaderMap::new(),
    };
    let decision = super::super::request(&world.snapshot, &call, &mut |_| 0);
    assert_eq!(describe(&decision), "respond 200 root");
}

#[test]
fn headers_methods_and_the_like() {
    let http = answer("{headers: {x-exact: {exact: One}}}", "exact")
        + &answer("{headers: {X-Prefix: {prefix: pre}}}", "prefix")
        + &answer("{headers: {x-regex: {regex: 'a.*b'}}}", "regex")
        + &answer("{headers: {x-there: {}}}", "there")
        + &answer("{method: {exact: POST}}", "method")
        + &answer("{authority: {exact: 'A.test:80'}}", "authority")
        + &answer("{scheme: {exact: https}}", "scheme")
        + &answer("{queryParams: {q: {exact: '1'}}}", "query")
        + &answer("{queryParams: {p: {}}}", "param")
        + &answer(
            "{uri: {prefix: /without}, withoutHeaders: {x-no: {}}}",
            "absent",
        )
        + &answer(
            "{uri: {prefix: /value}, withoutHeaders: {x-no: {exact: bad}}}",
            "good",
        );
    rules(&http).check(
        "http 1.1.1.1:80 a.test {x-exact: One} => respond 200 exact
         http 1.1.1.1:80 a.test {X-Exact: One} => respond 200 exact
         http 1.1.1.1:80 a.test {x-exact: one} => 404
         http 1.1.1.1:80 a.test {x-exact: Two; x-exact: One} => respond 200 exact
         http 1.1.1.1:80 a.test {x-exact: One,Two} => 404
         http 1.1.1.1:80 a.test {x-prefix: prefix} => respond 200 prefix
         http 1.1.1.1:80 a.test {x-regex: a-b} => respond 200 regex
         http 1.1.1.1:80 a.test {x-regex: a-b-c} => 404
         http 1.1.1.1:80 a.test {x-there: anything} => respond 200 there
         http 1.1.1.1:80 a.test/ POST => respond 200 method
         http 1.1.1.1:80 A.test:80 => respond 200 authority
         http 1.1.1.1:80 a.test:80 => 404
         http 1.1.1.1:80 a.test/?q=1&q=2 => respond 200 query
         http 1.1.1.1:80 a.test/?q=2&q=1 => 404
         http 1.1.1.1:80 a.test/?p => respond 200 param
         http 1.1.1.1:80 a.test/without => respond 200 absent
         http 1.1.1.1:80 a.test/without {x-no: 1} => 404
         http 1.1.1.1:80 a.test/value => respond 200 good
         http 1.1.1.1:80 a.test/value {x-no: fine} => respond 200 good
         http 1.1.1.1:80 a.test/value {x-no: bad} => 404",
    );
}

#[test]
fn the_first_match_wins_and_a_catch_all_ends_the_list() {
    let http = answer("{uri: {prefix: /a}}", "first")
        + &answer("{uri: {prefix: /abc}}", "second")
        + &answer("{uri: {prefix: /}}", "rest")
        + &answer("{uri: {exact: /z}}", "never");
    let world = rules(&http);
    world.check(
        "http 1.1.1.1:80 a.test/abc => respond 200 first
         http 1.1.1.1:80 a.test/z => respond 200 rest",
    );
    let table = &world.snapshot.routes()[0];
    let host = &table.virtual_hosts[0];
    assert_eq!(host.routes.len(), 3, "{host:?}");
}

#[test]
fn static_conditions_are_decided_beforehand() {
    let http = answer("{port: 8080}", "port")
        + &answer("{gateways: [default/gw]}", "gateway")
        + &answer("{sourceLabels: {app: other}}", "labels")
        + &answer("{gateways: [mesh], sourceLabels: {app: other}}", "both")
        + &answer("{sourceNamespace: far}", "namespace")
        + &answer(
            "{sourceNamespace: default, sourceLabels: {app: sleep}, gateways: [mesh]}",
            "mine",
        );
    rules(&http).check(
        "http 1.1.1.1:80 a.test => respond 200 mine
         http 1.1.1.1:8080 a.test => respond 200 port",
    );
}

#[test]
fn names_of_rules() {
    let to = "route: [{destination: {host: b.test}}]";
    rules(&format!(
        "{{name: r, match: [{{name: m, uri: {{prefix: /a}}}}, {{uri: {{prefix: /b}}}}], {to}}},
         {{match: [{{uri: {{prefix: /c}}}}], {to}}}"
    ))
    .check(
        "http 1.1.1.1:80 a.test/a => outbound|80||b.test route=r.m
         http 1.1.1.1:80 a.test/b => outbound|80||b.test route=r
         http 1.1.1.1:80 a.test/c => outbound|80||b.test",
    );
}

#[test]
fn destinations() {
    let to = |path: &str, destination: &str| {
        format!(
            "{{match: [{{uri: {{prefix: {path}}}}}], route: [{{destination: {destination}}}]}}, "
        )
    };
    let http = to("/implicit", "{host: b.test}")
        + &to("/explicit", "{host: b.test, port: {number: 8080}}")
        + &to("/single", "{host: single.test}")
        + &to("/named", "{host: single.test, port: {number: 9090}}")
        + &to("/unknown", "{host: nowhere.test}")
        + &to("/port", "{host: b.test, port: {number: 1}}")
        + &to("/subset", "{host: b.test, subset: v9}")
        + &to("/short", "{host: web}");
    let world = rules(&http);
    world.check(
        "http 1.1.1.1:80 a.test/implicit => outbound|80||b.test
         http 1.1.1.1:8080 a.test/implicit => outbound|8080||b.test
         http 1.1.1.1:80 a.test/explicit => outbound|8080||b.test
         # The port is the listener's, even for a service with one other port.
         http 1.1.1.1:80 a.test/single => NC outbound|80||single.test
         http 1.1.1.1:80 a.test/named => outbound|9090||single.test
         http 1.1.1.1:80 a.test/unknown => NC outbound|80||nowhere.test
         http 1.1.1.1:80 a.test/port => NC outbound|1||b.test
         http 1.1.1.1:80 a.test/subset => NC outbound|80|v9|b.test
         http 1.1.1.1:80 a.test/short => NC outbound|80||web.default.svc.cluster.local",
    );
    world.assert_problems(&[
        "spec.http[4].route[0].destination: \"nowhere.test\": no service has this host",
        "spec.http[5].route[0].destination: \"b.test\": the service has no port 1",
        "spec.http[6].route[0].destination: \"b.test\": no DestinationRule that applies here defines subset v9",
        "spec.http[7].route[0].destination: \"web.default.svc.cluster.local\": no service has this host",
    ]);
}

#[test]
fn weights() {
    let world = rules(
        "{route: [{destination: {host: a.test}, weight: 1}, {destination: {host: b.test}, weight: 0},
                  {destination: {host: nowhere.test}, weight: 3}]}",
    );
    let rolled = |number: u64| {
        let mut dice = |below: u64| {
            assert_eq!(below, 4);
            number
        };
        world.outcome_of("http 1.1.1.1:80 a.test", &mut dice)
    };
    assert_eq!(rolled(0), "outbound|80||a.test");
    assert_eq!(rolled(1), "NC outbound|80||nowhere.test");
    assert_eq!(rolled(3), "NC outbound|80||nowhere.test");
}

#[test]
fn redirects() {
    let to = |path: &str, redirect: &str| {
        format!("{{match: [{{uri: {{prefix: {path}}}}}], redirect: {redirect}}}, ")
    };
    let http = to("/uri", "{uri: /new}")
        + &to("/query", "{uri: '/new?own=1'}")
        + &to("/host", "{authority: other.test, redirectCode: 308}")
        + &to("/scheme", "{scheme: https}")
        + &to("/port", "{port: 8443, scheme: https}")
        + &to("/request", "{derivePort: FROM_REQUEST_PORT, uri: /x}")
        + &to(
            "/all",
            "{scheme: https, authority: x.test, uri: /y, redirectCode: 302}",
        );
    rules(&http).check(
        "http 1.1.1.1:80 a.test/uri/more?q=1 => redirect 301 http://a.test/new?q=1
         http 1.1.1.1:80 a.test/query?q=1 => redirect 301 http://a.test/new?own=1
         http 1.1.1.1:80 a.test/host/x?q=1 => redirect 308 http://other.test/host/x?q=1
         http 1.1.1.1:80 a.test/scheme => redirect 301 https://a.test/scheme
         http 1.1.1.1:80 a.test:80/scheme => redirect 301 https://a.test/scheme
         http 1.1.1.1:80 a.test:8080/scheme => redirect 301 https://a.test:8080/scheme
         http 1.1.1.1:80 a.test:8080/port => redirect 301 https://a.test:8443/port
         http 1.1.1.1:80 a.test/request => redirect 301 http://a.test/x
         http 1.1.1.1:8080 a.test/request => redirect 301 http://a.test:8080/x
         http 1.1.1.1:80 a.test/all?q=1 => redirect 302 https://x.test/y?q=1",
    );
}

#[test]
fn rewrites() {
    let to = |fields: &str, rewrite: &str| {
        format!("{{{fields} rewrite: {rewrite}, route: [{{destination: {{host: b.test}}}}]}}, ")
    };
    let on = |uri: &str| format!("match: [{{uri: {uri}}}],");
    let http = to(&on("{prefix: /a}"), "{uri: /}")
        + &to(&on("{exact: /exact}"), "{uri: /new}")
        + &to(&on("{regex: '/re.*'}"), "{uri: /whole}")
        + &to(
            &on("{prefix: /sub/}"),
            "{uriRegexRewrite: {match: '^/sub/([^/]+)/(.*)$', rewrite: '/\\2/$\\1'}}",
        )
        + &to(&on("{prefix: /host}"), "{authority: new.test}")
        + &to("", "{uri: /all}");
    rules(&http).check(
        "http 1.1.1.1:80 a.test/abc?q=1 => outbound|80||b.test path=/bc?q=1
         http 1.1.1.1:80 a.test/exact?q=1 => outbound|80||b.test path=/new?q=1
         http 1.1.1.1:80 a.test/regex/x?q=1 => outbound|80||b.test path=/whole?q=1
         http 1.1.1.1:80 a.test/sub/x/y?q=1 => outbound|80||b.test path=/y/$x?q=1
         http 1.1.1.1:80 a.test/host => outbound|80||b.test host=new.test
         http 1.1.1.1:80 a.test/z => outbound|80||b.test path=/allz",
    );
}

#[test]
fn header_operations_on_the_host_rewrite_it() {
    let route = |own: &str| format!("{{destination: {{host: b.test}}, weight: 1, headers: {own}}}");
    let of_rule = "headers: {request: {set: {Host: rule.test}}}";
    let one = route("{request: {set: {':authority': own.test}}}");
    rules(&format!("{{{of_rule}, route: [{one}]}}"))
        .check("http 1.1.1.1:80 a.test => outbound|80||b.test host=rule.test");
    rules(&format!("{{{of_rule}, route: [{one}, {one}]}}"))
        .check("http 1.1.1.1:80 a.test => outbound|80||b.test host=rule.test");
}

#[test]
fn retries_timeouts_and_mirrors() {
    let forward = |http: &str, mesh: &str| {
        let world = rules(http);
        let _ = mesh;
        let request = Request {
            arrival: arrival("1.1.1.1:80".parse().unwrap()),
            terminated: None,
            method: "GET",
            scheme: "http",
            authority: "a.test",
            path: "/",
            headers: &http::HeaderMap::new(),
        };
        let decision = super::super::request(&world.snapshot, &request, &mut |_| 0);
        let RequestVerdict::Forward(forward) = decision.verdict else {
            panic!("{decision:?}");
        };
        let retries = forward.retries.map(|retries| {
            (
                retries.attempts,
                retries
                    .on
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>(),
                retries.statuses.clone(),
            )
        });
        let mirrors: Vec<_> = forward
            .mirrors
            .iter()
            .map(|(cluster, share)| (cluster.name.to_string(), *share))
            .collect();
        (
            forward.timeout.map(|limit| limit.as_millis()),
            retries,
            mirrors,
        )
    };
    let to = "route: [{destination: {host: b.test}}]";
    let (timeout, retries, mirrors) = forward(&format!("{{{to}}}"), "");
    assert_eq!((timeout, mirrors), (None, Vec::new()));
    let (attempts, on, statuses) = retries.unwrap();
    assert_eq!((attempts, statuses), (2, Vec::new()));
    assert_eq!(
        on,
        [
            "connect-failure",
            "refused-stream",
            "unavailable",
            "cancelled",
            "retriable-status-codes"
        ]
    );
    let (timeout, retries, mirrors) = forward(
        &format!(
            "{{timeout: 3s, retries: {{attempts: 5, retryOn: 'gateway-error,503'}},
               mirrors: [{{destination: {{host: a.test}}, percentage: {{value: 50}}}},
                         {{destination: {{host: nowhere.test}}}}], {to}}}"
        ),
        "",
    );
    assert_eq!(timeout, Some(3000));
    let on = ["gateway-error", "retriable-status-codes"].map(str::to_owned);
    assert_eq!(retries, Some((5, on.to_vec(), vec![503])));
    assert_eq!(mirrors, [("outbound|80||a.test".to_owned(), 500_000)]);
    let (timeout, retries, _) = forward(
        &format!("{{timeout: 0s, retries: {{attempts: 0}}, {to}}}"),
        "",
    );
    assert_eq!((timeout, retries), (None, None));
}

#[test]
fn unknown_calls_follow_the_policy() {
    let proxy = entry(
        "proxy",
        "{hosts: [proxy.test], resolution: DNS, ports: [{number: 3128, name: tcp, protocol: TCP}]}",
    ) + &entry(
        "web",
        "{hosts: [a.test], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}",
    );
    let with = |proxy: &str| {
        object(
            "Sidecar",
            "default",
            &format!("{{outboundTrafficPolicy: {{mode: ALLOW_ANY, egressProxy: {proxy}}}}}"),
        )
    };
    let yaml = proxy.clone() + &with("{host: proxy.test, port: {number: 3128}}");
    sidecar(REGISTRY_ONLY, &yaml).check(
        "http 1.1.1.1:80 other.test => outbound|3128||proxy.test route=allow_any
         tls 1.1.1.1:443 other.test => outbound|3128||proxy.test
         tcp 1.1.1.1:80 => outbound|3128||proxy.test",
    );
    let missing = proxy.clone() + &with("{host: nowhere.test, port: {number: 1}}");
    sidecar(REGISTRY_ONLY, &missing).check(
        "http 1.1.1.1:80 other.test => NC outbound|1||nowhere.test
         tcp 1.1.1.1:9 => NC outbound|1||nowhere.test",
    );
    sidecar(
        "outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}",
        &proxy,
    )
    .check(
        "http 1.1.1.1:80 other.test => AllowAnyDynamicDNSCluster route=allow_any
         http 1.1.1.1:9 other.test => AllowAnyDynamicDNSCluster route=allow_any
         tls 1.1.1.1:443 other.test => pass
         tcp 1.1.1.1:9 => pass",
    );
}
