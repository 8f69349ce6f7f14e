use crate::lint::lint;
use crate::load::{Text, load};

mod listeners;
mod service_visibility;

/// Checks the warnings: `object | field | part of the text`, in order.
#[track_caller]
fn check(yaml: &str, expected: &[&str]) {
    let text = Text {
        file: "a.yaml".into(),
        bytes: yaml.replace("NET/", "networking.istio.io/").into_bytes(),
    };
    let (objects, problems) = load(&[text], None);
    let errors: Vec<_> = problems
        .iter()
        .filter(|problem| problem.severity == crate::problem::Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let warnings = lint(&objects, &[]);
    let problems: Vec<String> = warnings
        .iter()
        .map(|one| {
            format!(
                "{} | {} | {} | {}",
                one.object, one.field, one.reason, one.hint
            )
        })
        .collect();
    let fits = problems.len() == expected.len()
        && problems.iter().zip(expected).all(|(problem, expected)| {
            let mut parts = expected.splitn(3, " | ");
            let mut own = problem.splitn(3, " | ");
            parts.next() == own.next()
                && parts.next() == own.next()
                && own
                    .next()
                    .unwrap_or_default()
                    .contains(parts.next().unwrap_or_default())
        });
    assert!(fits, "{problems:#?}\nis not\n{expected:#?}");
    for one in &warnings {
        assert!(!one.hint.is_empty() && one.location.line() > 0, "{one:?}");
    }
    assert_eq!(
        lint(&objects, &warnings),
        [],
        "a reported problem is not reported again"
    );
}

const A_COM: &str = "
apiVersion: NET/v1
kind: ServiceEntry
metadata: {name: a}
spec: {hosts: [a.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
---";

#[test]
fn gateway_names_that_bind_to_nothing() {
    let gateways = "
apiVersion: NET/v1
kind: Gateway
metadata: {name: egress, namespace: istio-system}
spec:
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.com']}
  - {port: {number: 443, name: tls, protocol: TLS}, hosts: [b.org], tls: {mode: PASSTHROUGH}}
  - {port: {number: 8080, name: own, protocol: HTTP}, hosts: [./c.net]}
---";
    let bound = |name: &str, host: &str, rules: &str| {
        format!(
            "\napiVersion: NET/v1\nkind: VirtualService\nmetadata: {{name: r}}\nspec: {{hosts: [{host}], gateways: [{name}], {rules}}}\n"
        )
    };
    let http = "http: [{directResponse: {status: 200}}]";
    let tls = "tls: [{match: [{sniHosts: [HOST]}], route: [{destination: {host: a.com}}]}]";
    for (name, host, rules, expected) in [
        ("istio-system/egress", "a.com", http, None),
        ("istio-system/egress", "b.org", tls, None),
        (
            "egress",
            "a.com",
            http,
            Some("taken as istio-system/egress"),
        ),
        ("other", "a.com", http, Some("no such Gateway")),
        (
            "istio-system/egress",
            "a.org",
            http,
            Some("no server of this Gateway"),
        ),
        (
            "istio-system/egress",
            "c.net",
            http,
            Some("no server of this Gateway"),
        ),
        (
            "istio-system/egress",
            "b.org",
            http,
            Some("`http` rules have no effect"),
        ),
        (
            "istio-system/egress",
            "a.com",
            tls,
            Some("`tls` rules have no effect"),
        ),
    ] {
        let yaml = format!(
            "{gateways}{}",
            bound(name, host, &rules.replace("HOST", host))
        );
        let name =
            expected.map(|part| format!("VirtualService default/r | spec.gateways[0] | {part}"));
        // Only one of these opens the port whose TLS is passed through.
        let unopened = (rules, host) != (tls, "b.org");
        let port = unopened.then(|| {
            "Gateway istio-system/egress | spec.servers[1] | no VirtualService".to_owned()
        });
        let expected: Vec<&str> = name.iter().chain(&port).map(String::as_str).collect();
        check(&yaml, &expected);
    }
}

#[test]
fn unknown_subsets_and_hosts() {
    let yaml = format!(
        "{A_COM}
apiVersion: NET/v1
kind: DestinationRule
metadata: {{name: d}}
spec: {{host: '*.com', subsets: [{{name: there, labels: {{}}}}]}}
---
apiVersion: NET/v1
kind: DestinationRule
metadata: {{name: lost}}
spec: {{host: aa.com, trafficPolicy: {{loadBalancer: {{simple: RANDOM}}}}}}
---
apiVersion: NET/v1
kind: DestinationRule
metadata: {{name: cluster}}
spec: {{host: reviews, trafficPolicy: {{loadBalancer: {{simple: RANDOM}}}}}}
---
apiVersion: NET/v1
kind: VirtualService
metadata: {{name: r}}
spec:
  hosts: [a.com]
  http:
  - match: [{{uri: {{prefix: /x}}}}]
    route: [{{destination: {{host: a.com, subset: there}}, weight: 1}}, {{destination: {{host: a.com, subset: gone}}, weight: 1}}]
  tcp:
  - route: [{{destination: {{host: b.org, subset: there}}}}]
"
    );
    check(
        &yaml,
        &[
            "VirtualService default/r | spec.http[0].route[1].destination | subset gone",
            "VirtualService default/r | spec.tcp[0].route[0].destination | subset there",
            "DestinationRule default/lost | spec.host | has no effect",
        ],
    );
}

#[test]
fn rules_that_are_never_reached() {
    let rules = |matches: &[&str]| {
        let list: Vec<String> = matches
            .iter()
            .map(|one| format!("  - {{match: {one}, directResponse: {{status: 200}}}}\n"))
            .collect();
        format!(
            "\napiVersion: NET/v1\nkind: VirtualService\nmetadata: {{name: r}}\nspec:\n  hosts: [a.com]\n  http:\n{}",
            list.concat()
        )
    };
    let hidden = |matches: &[&str]| {
        check(
            &rules(matches),
            &["VirtualService default/r | spec.http[1] | spec.http[0] matches all"],
        );
    };
    let open = |matches: &[&str]| check(&rules(matches), &[]);
    hidden(&["[]", "[{uri: {prefix: /a}}]"]);
    hidden(&["[{uri: {prefix: /}}]", "[{method: {exact: GET}}]"]);
    hidden(&["[{uri: {regex: '.*'}}]", "[{uri: {exact: /a}}]"]);
    hidden(&["[{uri: {prefix: /a}}]", "[{uri: {prefix: /ab}}]"]);
    hidden(&[
        "[{uri: {prefix: /a}}]",
        "[{uri: {exact: /a/b}, headers: {x: {exact: y}}}]",
    ]);
    hidden(&[
        "[{headers: {x: {}}}]",
        "[{headers: {x: {exact: y}, z: {exact: y}}}]",
    ]);
    hidden(&["[{uri: {regex: /a+}}]", "[{uri: {exact: /aa}}]"]);
    hidden(&["[{sourceLabels: {a: b}}]", "[{sourceLabels: {a: b, c: d}}]"]);
    open(&["[{uri: {prefix: /a}}]", "[{uri: {prefix: /}}]"]);
    open(&["[{uri: {prefix: /a}, port: 80}]", "[{uri: {prefix: /a}}]"]);
    open(&["[{gateways: [mesh]}]"]);
    open(&[
        "[{headers: {x: {exact: y}}}]",
        "[{headers: {x: {exact: z}}}]",
    ]);
    open(&["[{headers: {x: {prefix: /}}}]", "[{headers: {x: {}}}]"]);
    open(&["[{withoutHeaders: {x: {}}}]", "[{uri: {prefix: /a}}]"]);
    open(&["[{sourceLabels: {a: b}}]", "[{sourceLabels: {a: c}}]"]);
    check(
        &rules(&[
            "[{uri: {prefix: /a}}]",
            "[{uri: {exact: /b}}, {uri: {exact: /a}}]",
        ]),
        &["VirtualService default/r | spec.http[1].match[1] | spec.http[0] matches all"],
    );
    check(
        &rules(&["[{gateways: [elsewhere]}]"]),
        &[
            "VirtualService default/r | spec.http[0].match[0].gateways | spec.gateways has none of these: it never matches",
        ],
    );
}

#[test]
fn policies_that_another_one_beats() {
    let rule = |name: &str, subset: &str| {
        format!(
            "\napiVersion: NET/v1\nkind: DestinationRule\nmetadata: {{name: {name}}}\nspec: {{host: a.com, trafficPolicy: {{loadBalancer: \
             {{simple: RANDOM}}}}, subsets: [{{name: {subset}, labels: {{a: b}}}}]}}\n---"
        )
    };
    check(&format!("{A_COM}{}", rule("one", "x")), &[]);
    check(
        &format!("{A_COM}{}{}", rule("one", "x"), rule("two", "x")),
        &[
            "DestinationRule default/two | spec.trafficPolicy | DestinationRule default/one has a trafficPolicy",
            "DestinationRule default/two | spec.subsets[x] | DestinationRule default/one defines this subset",
        ],
    );
}

#[test]
fn hosts_that_a_wildcard_takes() {
    let rules = |name: &str, host: &str| {
        format!(
            "\napiVersion: NET/v1\nkind: VirtualService\nmetadata: {{name: {name}}}\nspec: {{hosts: ['{host}'], http: [{{directResponse: {{status: 200}}}}]}}\n---"
        )
    };
    check(
        &format!("{A_COM}{}", rules("wide", "*.com")),
        &[
            "VirtualService default/wide | spec.hosts[0] | also matches calls for a.com of ServiceEntry default/a",
        ],
    );
    check(
        &format!("{A_COM}{}{}", rules("wide", "*.com"), rules("own", "a.com")),
        &[],
    );
    check(&format!("{A_COM}{}", rules("wide", "*.org")), &[]);
}

#[test]
fn byte_streams_without_addresses() {
    let entry = |name: &str, protocol: &str, addresses: &str| {
        format!(
            "\napiVersion: NET/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec: {{hosts: [{name}.com], ports: [{{number: 3306, name: db, \
             protocol: {protocol}}}], resolution: DNS, addresses: [{addresses}]}}\n---"
        )
    };
    check(&entry("a", "TLS", ""), &[]);
    check(&entry("a", "TCP", "240.0.0.1"), &[]);
    check(
        &entry("a", "TCP", ""),
        &["ServiceEntry default/a | spec.ports[0] | every connection to port 3306"],
    );
    check(
        &format!("{}{}", entry("a", "MYSQL", ""), entry("b", "TCP", "")),
        &[
            "ServiceEntry default/a | spec.ports[0] | every connection",
            "ServiceEntry default/b | spec.ports[0] | neither it nor ServiceEntry default/a has addresses",
        ],
    );
}

#[test]
fn tls_inside_of_tls_and_none_at_all() {
    let entry = |protocol: &str| {
        format!(
            "\napiVersion: NET/v1\nkind: ServiceEntry\nmetadata: {{name: a}}\nspec: {{hosts: [a.com], ports: [{{number: 443, name: p, protocol: \
             {protocol}}}], resolution: DNS}}\n---"
        )
    };
    let rule = |policy: &str| {
        format!(
            "\napiVersion: NET/v1\nkind: DestinationRule\nmetadata: {{name: d}}\nspec: {{host: '*.com', {policy}}}\n---"
        )
    };
    let simple = "trafficPolicy: {tls: {mode: SIMPLE}}";
    let off = "trafficPolicy: {tls: {mode: SIMPLE}, portLevelSettings: [{port: {number: 443}, tls: {mode: DISABLE}}]}";
    let on = "trafficPolicy: {tls: {mode: DISABLE}, portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]}";
    let doubled = |field: &str| {
        vec![format!(
            "DestinationRule default/d | {field} | wrapped in a second TLS"
        )]
    };
    for (protocol, policy, expected) in [
        ("HTTPS", simple, doubled("spec.trafficPolicy.tls")),
        (
            "TLS",
            on,
            doubled("spec.trafficPolicy.portLevelSettings[0].tls"),
        ),
        ("HTTPS", off, vec![]),
        ("HTTP", simple, vec![]),
        (
            "HTTPS",
            "subsets: [{name: s, labels: {a: b}, trafficPolicy: {tls: {mode: SIMPLE}}}]",
            doubled("spec.subsets[0].trafficPolicy.tls"),
        ),
        (
            "HTTP",
            off,
            vec![
                "ServiceEntry default/a | spec.ports[0].protocol | plaintext is sent to port 443"
                    .to_owned(),
            ],
        ),
    ] {
        let yaml = format!("{}{}", entry(protocol), rule(policy));
        check(
            &yaml,
            &expected.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }
}

#[test]
fn values_that_are_not_filled_in() {
    check(
        "
apiVersion: NET/v1
kind: ServiceEntry
metadata: {name: a}
spec: {hosts: [a.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 10.0.0.1}]}
---
apiVersion: NET/v1
kind: VirtualService
metadata: {name: r}
spec:
  hosts: [a.com]
  http:
  - headers: {request: {set: {x: 'a %REQ(:path)% b', z: '%%REQ%%'}}}
    route:
    - {destination: {host: a.com}, headers: {response: {add: {w: '%DOWNSTREAM_REMOTE_ADDRESS%'}}}}
",
        &[
            "VirtualService default/r | spec.http[0].headers.request.set.x | egret sends the text as it is",
            "VirtualService default/r | spec.http[0].route[0].headers.response.add.w | egret sends",
        ],
    );
}
