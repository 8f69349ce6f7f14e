//! Every rule that an object is checked by, as a table: what a user writes, and what is told about it.

use crate::load::Text;
use crate::load::load;
use crate::model::endpoint::Address;
use crate::model::mesh::AccessLogEncoding;
use crate::model::mesh::OutboundPolicy;
use crate::model::meta::ExportTo;
use crate::model::objects::Objects;
use crate::model::route::HttpAction;
use crate::model::service::Resolution;
use crate::model::sidecar::ImportFrom;
use crate::model::tls::ClientTlsMode;
use crate::model::virtual_service::GatewayName;
use crate::name::Kind;
use crate::name::ObjectName;
use crate::port::Protocol;
use crate::problem::Problem;
use crate::problem::Severity;

fn texts(content: &str) -> [Text; 1] {
    [Text {
        file: "f".into(),
        bytes: content.into(),
    }]
}

fn object(kind: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: a, namespace: n}}\nspec: {spec}\n"
    )
}

/// What is told about an object, without file and title, with and without what to write instead. An error leaves it
/// out, a warning does not.
fn told(kind: &str, spec: &str) -> Vec<(String, String)> {
    let (objects, problems) = load(&texts(&object(kind, spec)), None);
    let start = format!("{kind} n/a: ");
    let told = problems
        .iter()
        .filter(|problem| !is_about_support(problem))
        .map(|problem| {
            let text = problem.to_string();
            let (_, rest) = text.split_once(&start).unwrap_or(("", &text));
            let short = rest.strip_suffix(&problem.instead).unwrap_or(rest);
            (rest.to_owned(), short.trim_end_matches("; ").to_owned())
        });
    let sound = problems
        .iter()
        .all(|problem| problem.severity == Severity::Warning);
    assert_eq!(
        objects.counts.len(),
        usize::from(sound),
        "{kind} {spec}: {problems:?}"
    );
    told.collect()
}

#[track_caller]
fn check(kind: &str, table: &[(&str, &str)]) {
    for (spec, expected) in table {
        let told = told(kind, spec);
        let expected: Vec<_> = expected
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let agree = told.len() == expected.len()
            && told
                .iter()
                .zip(&expected)
                .all(|((full, short), wanted)| full == wanted || short == wanted);
        assert!(agree, "{kind} {spec}: {told:#?}, not {expected:#?}");
    }
}

/// What is not supported yet is for another test: it changes as egret grows.
fn is_about_support(problem: &Problem) -> bool {
    problem.reason.starts_with("not supported yet, ignored")
}

fn good(content: &str) -> Objects {
    let (objects, problems) = load(&texts(content), None);
    let told = problems.iter().filter(|problem| !is_about_support(problem));
    assert_eq!(
        told.map(Problem::to_string).collect::<Vec<_>>(),
        [""; 0],
        "{content}"
    );
    objects
}

#[test]
fn service_entries_are_checked() {
    const PORTS: &str = "ports: [{number: 80, name: http, protocol: HTTP}]";
    let table = [
        (format!("{{hosts: [a.b], {PORTS}, resolution: DNS}}"), ""),
        (format!("{{hosts: ['*.b'], {PORTS}}}"), ""),
        (
            "{}".into(),
            "spec.hosts: at least one host is required\nspec.ports: without ports nothing can be called",
        ),
        (
            format!("{{hosts: ['*'], {PORTS}}}"),
            "spec.hosts[0]: \"*\": a ServiceEntry cannot be for every host; write a suffix such as `*.example.com`",
        ),
        (
            format!("{{hosts: [a_b.c], {PORTS}}}"),
            "spec.hosts[0]: \"a_b.c\": not a host name: expected labels of letters, digits and dashes, joined by dots",
        ),
        (
            format!("{{hosts: ['*foo.com'], {PORTS}}}"),
            "spec.hosts[0]: \"*foo.com\": a partial wildcard, which matches inside of a label; write `*.` for whole labels",
        ),
        (
            format!("{{hosts: ['*.b'], {PORTS}, resolution: DNS}}"),
            "spec.hosts[0]: \"*.b\": a wildcard cannot be resolved; give endpoints, or resolution NONE or DYNAMIC_DNS",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, resolution: DYNAMIC_DNS}}"),
            "spec.hosts[0]: \"a.b\": resolution DYNAMIC_DNS is for wildcard hosts; write DNS",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, resolution: dns}}"),
            "spec.resolution: \"dns\": expected one of NONE, STATIC, DNS, DNS_ROUND_ROBIN, DYNAMIC_DNS",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, location: MARS}}"),
            "spec.location: \"MARS\": expected one of MESH_EXTERNAL, MESH_INTERNAL",
        ),
        (
            "{hosts: [a.b], ports: [{number: 80, name: x, protocol: HTPP}]}".into(),
            "spec.ports[0].protocol: \"HTPP\": expected one of HTTP, HTTP2, GRPC, GRPC-Web, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL, UDP",
        ),
        (
            "{hosts: [a.b], ports: [{number: 0}]}".into(),
            "spec.ports[0].number: \"0\": expected a port from 1 to 65535\nspec.ports[0].name: a port needs a name",
        ),
        (
            "{hosts: [a.b], ports: [{number: 80, name: x, protocol: HTTP}, {number: 80, name: x, protocol: HTTP}]}".into(),
            "spec.ports[1].number: \"80\": another port of this ServiceEntry has this number
            spec.ports[1].name: \"x\": another port of this ServiceEntry has this name",
        ),
        (
            "{hosts: [a.b, c.d], ports: [{number: 80, name: x}], resolution: DNS}".into(),
            "spec.ports: \"80\": several hosts need ports whose calls name their host",
        ),
        (
            format!("{{hosts: [a.b], addresses: [10.0.0.0/8], {PORTS}, resolution: DNS}}"),
            "spec.addresses[0]: \"10.0.0.0/8\": only with resolution NONE or STATIC",
        ),
        (
            format!("{{hosts: [a.b], addresses: [ten], {PORTS}}}"),
            "spec.addresses[0]: \"ten\": expected an address such as 10.0.0.1 or a range such as 10.0.0.0/8",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, endpoints: [{{address: 1.2.3.4}}]}}"),
            "spec.endpoints: this resolution dials where the caller wanted to go",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, resolution: STATIC}}"),
            "spec.endpoints: resolution STATIC without endpoints, so calls will find nobody",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, resolution: STATIC, endpoints: [{{address: c.d}}]}}"),
            "spec.endpoints[0].address: \"c.d\": expected an IP address or unix:///path; for a name write resolution DNS",
        ),
        (
            format!(
                "{{hosts: [a.b], {PORTS}, resolution: STATIC, endpoints: [{{address: 'unix:///run/a.sock'}}]}}"
            ),
            "",
        ),
        (
            format!(
                "{{hosts: [a.b], {PORTS}, resolution: DNS, endpoints: [{{address: 'unix:///run/a.sock'}}]}}"
            ),
            "spec.endpoints[0].address: \"unix:///run/a.sock\": expected an IP address or a host name",
        ),
        (
            format!(
                "{{hosts: [a.b], {PORTS}, resolution: DNS, endpoints: [{{address: c.d, ports: {{https: 1, http: 0}}}}]}}"
            ),
            "spec.endpoints[0].ports.http: \"0\": expected a port from 1 to 65535\nspec.endpoints[0].ports.https: \"1\": the ServiceEntry has no port of this name",
        ),
        (
            format!(
                "{{hosts: [a.b], {PORTS}, resolution: DNS_ROUND_ROBIN, endpoints: [{{address: c.d}}, {{address: e.f}}]}}"
            ),
            "spec.endpoints: \"2\": resolution DNS_ROUND_ROBIN has at most one",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, exportTo: ['*', x]}}"),
            "spec.exportTo: \"*, x\": `*` and `~` stand alone",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, exportTo: ['x/y']}}"),
            "spec.exportTo[0]: \"x/y\": expected `*`, `.` or the name of a namespace",
        ),
        (format!("{{hosts: [a.b], {PORTS}, exportTo: ['~']}}"), ""),
        (
            format!(
                "{{hosts: [a.b], {PORTS}, resolution: STATIC, endpoints: [{{address: 1.1.1.1}}], workloadSelector: {{labels: {{a: '*'}}}}}}"
            ),
            "spec.workloadSelector: only one of workloadSelector and endpoints
            spec.workloadSelector.labels: \"a=*\": a selector has no wildcards and no empty keys",
        ),
    ];
    let table: Vec<_> = table
        .iter()
        .map(|(spec, told)| (spec.as_str(), *told))
        .collect();
    check("ServiceEntry", &table);
}

#[test]
fn a_service_entry_becomes_a_service_for_each_host() {
    let objects = good(&object(
        "ServiceEntry",
        "{hosts: [A.b, '*.C'], addresses: [10.0.0.1, 'fd00::1'], exportTo: ['.', x], location: MESH_INTERNAL, ports: [{number: 80, name: h, protocol: http, targetPort: 8080}, {number: 443, name: s, protocol: https}],
          resolution: STATIC, endpoints: [{address: 10.1.1.1, weight: 3, labels: {v: '1'}, ports: {h: 81}, locality: r/z}, {address: '::1'}]}",
    ));
    let hosts: Vec<_> = objects
        .services
        .iter()
        .map(|service| service.host.to_string())
        .collect();
    assert_eq!(hosts, ["a.b", "*.c"]);
    let service = &objects.services[0];
    assert_eq!(service.resolution, Resolution::Static);
    assert_eq!(service.addresses[1].to_string(), "fd00::1/128");
    assert_eq!(service.ports[0].target, Some(8080));
    assert_eq!(service.ports[1].protocol, Protocol::Https);
    assert_eq!(
        service.export_to,
        Some(ExportTo::Namespaces(vec!["n".into(), "x".into()]))
    );
    assert!(!service.external);
    let endpoint = &service.endpoints[0];
    assert_eq!(
        (endpoint.weight, &*endpoint.locality, endpoint.ports["h"]),
        (Some(3), "r/z", 81)
    );
    assert_eq!(objects.counts[&Kind::ServiceEntry], 1);
}

#[test]
fn virtual_services_are_checked() {
    let table = [
        ("{hosts: [a], http: [{route: [{destination: {host: b}}]}]}", ""),
        ("{hosts: [a]}", "spec: at least one http, tls or tcp rule is required"),
        ("{hosts: ['*'], http: [{route: [{destination: {host: b}}]}]}", "spec.hosts[0]: \"*\": `*` is only for gateways; name the hosts that sidecars shall route"),
        ("{hosts: ['*'], gateways: [g, mesh], http: [{route: [{destination: {host: b}}]}]}", ""),
        ("{hosts: ['*.com', a.com], http: [{route: [{destination: {host: b}}]}]}", "spec.hosts[1]: \"a.com\": overlaps with *.com of the same VirtualService"),
        ("{hosts: [a], gateways: [g.x.svc.cluster.local], http: [{route: [{destination: {host: b}}]}]}", "spec.gateways[0]: \"g.x.svc.cluster.local\": the old form of a gateway's name; write x/g"),
        ("{hosts: [a], gateways: [a/b/c], http: [{route: [{destination: {host: b}}]}]}", "spec.gateways[0]: \"a/b/c\": expected `mesh`, `name` or `namespace/name`"),
        ("{tls: [{match: [{sniHosts: [a]}], route: [{destination: {host: b}}]}]}", "spec.tls: a VirtualService without hosts is a delegate, which has only http rules\nspec.tls[0].match[0].sniHosts[0]: \"a\": is not one of the VirtualService's hosts ()"),
        ("{hosts: [a], http: [{}]}", "spec.http[0]: one of route, redirect, directResponse and delegate is required"),
        ("{hosts: [a], http: [{route: [{destination: {host: b}}], redirect: {uri: /x}}]}", "spec.http[0].redirect: a rule cannot have both route and redirect"),
        ("{hosts: [a], http: [{redirect: {uri: /x}, rewrite: {uri: /y}, fault: {abort: {httpStatus: 500}}}]}", "spec.http[0].fault: a rule cannot have both redirect and fault\nspec.http[0].rewrite: a rule cannot have both redirect and rewrite"),
        ("{hosts: [a], http: [{redirect: {redirectCode: 304}}]}", "spec.http[0].redirect.redirectCode: \"304\": expected one of 301, 302, 303, 307, 308"),
        ("{hosts: [a], http: [{redirect: {}}]}", "spec.http[0].redirect: one of uri, authority, scheme and port is required"),
        ("{hosts: [a], http: [{directResponse: {status: 99}}]}", "spec.http[0].directResponse.status: \"99\": expected a status from 200 to 600"),
        ("{hosts: [a], http: [{route: [{}]}]}", "spec.http[0].route[0].destination: a destination is required"),
        ("{hosts: [a], http: [{route: [{destination: {host: '*', port: {number: 70000}, subset: a.b}}]}]}", "spec.http[0].route[0].destination.host: \"*\": a destination cannot be `*`
            spec.http[0].route[0].destination.subset: \"a.b\": not a valid name of a subset
            spec.http[0].route[0].destination.port.number: \"70000\": expected a port from 1 to 65535"),
        ("{hosts: [a], http: [{route: [{destination: {host: b}}, {destination: {host: c}}]}]}", "spec.http[0].route: the weights of several destinations must not all be 0"),
        ("{hosts: [a], http: [{route: [{destination: {host: b}, weight: -1}]}]}", "spec.http[0].route[0].weight: \"-1\": must not be negative"),
        ("{hosts: [a], http: [{timeout: 5, route: [{destination: {host: b}}]}]}", "spec.http[0].timeout: \"5\": expected a duration such as `1.5s` or `1h30m`"),
        ("{hosts: [a], http: [{timeout: 0s, route: [{destination: {host: b}}]}]}", "spec.http[0].timeout: \"0s\": taken as no limit, but Istio's admission refuses it; leave it out"),
        ("{hosts: [a], http: [{match: [{uri: {exact: /a, prefix: /b}}], route: [{destination: {host: b}}]}]}", "spec.http[0].match[0].uri: only one of exact, prefix and regex"),
        ("{hosts: [a], http: [{match: [{uri: {regex: '('}}], route: [{destination: {host: b}}]}]}", "spec.http[0].match[0].uri.regex: \"(\": not a valid regular expression: unclosed group"),
        ("{hosts: [a], http: [{match: [{method: {prefix: ''}, uri: {prefix: ''}, headers: {'a b': {exact: c}}}], route: [{destination: {host: b}}]}]}", "spec.http[0].match[0].method.prefix: cannot be empty\nspec.http[0].match[0].headers: \"a b\": not a valid name of a header"),
        ("{hosts: [a], http: [{match: [{port: 99999, sourceNamespace: 'a/b'}], route: [{destination: {host: b}}]}]}", "spec.http[0].match[0].sourceNamespace: \"a/b\": not a valid name of a namespace\nspec.http[0].match[0].port: \"99999\": expected a port from 1 to 65535"),
        ("{hosts: [a], http: [{delegate: {name: b}, match: [{uri: {regex: '/a'}}]}]}", ""),
        ("{http: [{delegate: {name: b}}]}", "spec.http[0].delegate: a delegate cannot have delegates of its own"),
        ("{hosts: [a], http: [{retries: {attempts: 0, retryOn: 5xx}, route: [{destination: {host: b}}]}]}", "spec.http[0].retries.attempts: \"0\": 0 turns retries off, so nothing else can be set; leave out the rest, or set attempts"),
        ("{hosts: [a], http: [{retries: {attempts: 2, retryOn: 'gateway-error,503,often'}, route: [{destination: {host: b}}]}]}", "spec.http[0].retries.retryOn: \"often\": expected a status code or one of 5xx, gateway-error, reset, reset-before-request, connect-failure, envoy-ratelimited, retriable-4xx, refused-stream, retriable-status-codes, retriable-headers, http3-post-connect-failure, cancelled, deadline-exceeded, internal, resource-exhausted, unavailable, unknown"),
        ("{hosts: [a], http: [{fault: {delay: {percentage: {value: 101}, fixedDelay: 1s}}, route: [{destination: {host: b}}]}]}", "spec.http[0].fault.delay.percentage.value: \"101\": expected a percentage from 0 to 100"),
        ("{hosts: [a], http: [{fault: {abort: {grpcStatus: NOPE}}, route: [{destination: {host: b}}]}]}", "spec.http[0].fault.abort.grpcStatus: \"NOPE\": expected the name of a gRPC status, such as UNAVAILABLE"),
        ("{hosts: [a], http: [{rewrite: {authority: x}, headers: {request: {set: {Host: y}}}, route: [{destination: {host: b}}]}]}", "spec.http[0].headers.request: the authority is set in several places"),
        ("{hosts: [a], http: [{headers: {response: {set: {Host: y}}}, route: [{destination: {host: b}}]}]}", "spec.http[0].headers.response.set: \"Host\": the host can only be set, and only for requests"),
        ("{hosts: [a], http: [{mirror: {host: c}, mirrors: [{destination: {host: d}}], route: [{destination: {host: b}}]}]}", "spec.http[0].mirrors: only one of mirror and mirrors"),
        ("{hosts: [a], http: [{rewrite: {}, route: [{destination: {host: b}}]}]}", "spec.http[0].rewrite: one of uri, uriRegexRewrite and authority is required"),
        ("{hosts: [a.b], tls: [{route: [{destination: {host: b}}]}]}", "spec.tls[0].match: a tls rule needs a match with sniHosts"),
        ("{hosts: [a.b], tls: [{match: [{}], route: []}]}", "spec.tls[0].match[0].sniHosts: at least one is required\nspec.tls[0].route: at least one destination is required"),
        ("{hosts: [a.b], tls: [{match: [{sni_hosts: [c.d]}], route: [{destination: {host: b}}]}]}", "spec.tls[0].match[0].sniHosts[0]: \"c.d\": is not one of the VirtualService's hosts (a.b)"),
        ("{hosts: ['*.b'], tls: [{match: [{sniHosts: [a.b], sourceSubnet: 10.0.0.0/8}], route: [{destination: {host: b}}]}]}", ""),
        ("{hosts: [a.b], tcp: [{match: [{destinationSubnets: [10.0.0.0/33], sourceSubnet: x}], route: [{destination: {host: b}}]}]}", "spec.tcp[0].match[0].destinationSubnets[0]: \"10.0.0.0/33\": expected an address such as 10.0.0.1 or a range such as 10.0.0.0/8\nspec.tcp[0].match[0].sourceSubnet: \"x\": expected an address such as 10.0.0.1 or a range such as 10.0.0.0/8"),
        ("{hosts: [a], exportTo: ['~'], tcp: [{route: [{destination: {host: b}}]}]}", "spec.exportTo[0]: \"~\": expected `*`, `.` or the name of a namespace"),
    ];
    check("VirtualService", &table);
}

#[test]
fn a_virtual_service_is_completed() {
    let objects = good(&object(
        "VirtualService",
        "{hosts: [reviews, a.com], gateways: [mesh, g, x/g, ./g], http: [{name: r, match: [{uri: {prefix: /A}, ignoreUriCase: true, headers: {X-A: {}}, port: 80, gateways: [mesh]}], route: [{destination: {host: Ratings, subset: v1, port: {number: 80}}, weight: 20}],
          retries: {attempts: 3, retryOn: '503,reset'}, timeout: 0.5s, mirror: {host: m}, mirrorPercentage: {value: 0.5}}, {redirect: {uri: '%PREFIX()%/x', redirectCode: 308}}]}",
    ));
    let vs = &objects.virtual_services[0];
    let hosts: Vec<_> = vs.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["reviews.n.svc.cluster.local", "a.com"]);
    let gateway = |namespace: &str, bare| GatewayName::Gateway {
        name: ObjectName::new(namespace, "g"),
        bare,
    };
    assert_eq!(
        vs.gateways,
        [
            GatewayName::Mesh,
            gateway("n", true),
            gateway("x", false),
            gateway("n", false)
        ]
    );
    let rule = &vs.http[0];
    let HttpAction::Route(destinations) = &rule.action else {
        panic!("a route, not {:?}", rule.action);
    };
    assert_eq!(
        &*destinations[0].destination.host,
        "ratings.n.svc.cluster.local"
    );
    assert_eq!(destinations[0].weight, 20);
    assert!(
        rule.matches[0]
            .uri
            .as_ref()
            .is_some_and(|uri| uri.matches("/ab"))
    );
    assert_eq!(&*rule.matches[0].headers[0].0, "x-a");
    assert_eq!(
        rule.retries
            .as_ref()
            .map(|retries| (retries.statuses.clone(), retries.on.clone())),
        Some((
            vec![503],
            vec!["reset".into(), "retriable-status-codes".into()]
        ))
    );
    assert_eq!(rule.mirrors[0].share, 5_000);
    assert!(matches!(&vs.http[1].action, HttpAction::Redirect(redirect) if redirect.code == 308));
}

#[test]
fn destination_rules_are_checked() {
    let table = [
        (
            "{host: a, trafficPolicy: {tls: {mode: SIMPLE, sni: a.b}}}",
            "",
        ),
        ("{}", "spec.host: a host name is required"),
        (
            "{host: a, trafficPolicy: {}}",
            "spec.trafficPolicy: an empty policy; leave it out or set something",
        ),
        (
            "{host: a, trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}}",
            "spec.trafficPolicy.portLevelSettings[0]: an empty policy for a port; leave it out or set something",
        ),
        (
            "{host: a, trafficPolicy: {portLevelSettings: [{tls: {mode: DISABLE}}]}}",
            "spec.trafficPolicy.portLevelSettings[0].port: required",
        ),
        (
            "{host: a, subsets: [{name: v1}, {name: v1}, {}]}",
            "spec.subsets[1].name: \"v1\": another subset has this name\nspec.subsets[2].name: expected a name of letters, digits and dashes",
        ),
        (
            "{host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: ['*']}",
            "spec.exportTo: \"*\": with a workloadSelector only `.`",
        ),
        (
            "{host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: ['.']}",
            "",
        ),
        (
            "{host: a, trafficPolicy: {loadBalancer: {simple: FASTEST}}}",
            "spec.trafficPolicy.loadBalancer.simple: \"FASTEST\": expected one of LEAST_REQUEST, ROUND_ROBIN, RANDOM, PASSTHROUGH",
        ),
        (
            "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, httpHeaderName: x}}}}",
            "spec.trafficPolicy.loadBalancer.consistentHash: exactly one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName",
        ),
        (
            "{host: a, trafficPolicy: {connectionPool: {}}}",
            "spec.trafficPolicy.connectionPool: one of tcp and http is required",
        ),
        (
            "{host: a, trafficPolicy: {connectionPool: {tcp: {maxConnections: -1, connectTimeout: 0s}}}}",
            "spec.trafficPolicy.connectionPool.tcp.maxConnections: \"-1\": must not be negative\nspec.trafficPolicy.connectionPool.tcp.connectTimeout: \"0s\": expected a duration of at least 1ms",
        ),
        (
            "{host: a, trafficPolicy: {outlierDetection: {maxEjectionPercent: 200, interval: x}}}",
            "spec.trafficPolicy.outlierDetection.maxEjectionPercent: \"200\": expected a percentage from 0 to 100\nspec.trafficPolicy.outlierDetection.interval: \"x\": expected a duration such as `1.5s` or `1h30m`",
        ),
        (
            "{host: a, trafficPolicy: {tls: {mode: MUTUAL}}}",
            "spec.trafficPolicy.tls.clientCertificate: required in mode MUTUAL\nspec.trafficPolicy.tls.privateKey: required in mode MUTUAL",
        ),
        (
            "{host: a, trafficPolicy: {tls: {mode: ISTIO_MUTUAL, caCertificates: /x}}}",
            "spec.trafficPolicy.tls.caCertificates: \"/x\": has no effect: ISTIO_MUTUAL uses the mesh's own certificates",
        ),
        (
            "{host: a, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true, caCertificates: /x}}}",
            "spec.trafficPolicy.tls.caCertificates: \"/x\": contradicts insecureSkipVerify",
        ),
        (
            "{host: a, trafficPolicy: {tls: {mode: SIMPLE, credentialName: c}}}",
            "spec.trafficPolicy.tls.credentialName: \"c\": no Secret called \"c\" was loaded; calls are refused until it is there",
        ),
        (
            "{host: a, trafficPolicy: {tunnel: {targetHost: b.c, targetPort: 443}, retryBudget: {percent: 20}}}",
            "",
        ),
        (
            "{host: a, trafficPolicy: {tunnel: {}, proxyProtocol: {version: V3}}}",
            "spec.trafficPolicy.proxyProtocol: only one of tunnel and proxyProtocol
            spec.trafficPolicy.tunnel.targetHost: a host name is required
            spec.trafficPolicy.tunnel.targetPort: \"0\": expected a port from 1 to 65535
            spec.trafficPolicy.proxyProtocol.version: \"V3\": expected one of V1, V2",
        ),
    ];
    check("DestinationRule", &table);
}

#[test]
fn gateways_are_checked() {
    let table = [
        ("{servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}", ""),
        ("{servers: [{port: {number: 443, name: s, protocol: TLS}, hosts: [x/a.b, ./c.d, '*/*'], tls: {}}]}", ""),
        ("{}", "spec.servers: at least one is required"),
        ("{servers: [{hosts: []}]}", "spec.servers[0].hosts: at least one is required\nspec.servers[0].port: required"),
        ("{servers: [{port: {number: 80, protocol: UDP}, hosts: [a.test]}]}", "spec.servers[0].port.name: required\nspec.servers[0].port.protocol: \"UDP\": expected one of HTTP, HTTP2, GRPC, GRPC-Web, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL"),
        ("{servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test]}, {port: {number: 81, name: a, protocol: HTTP}, hosts: [b.test]}]}", "spec.servers: \"a\": two servers have a port of this name; port names are unique within a Gateway"),
        ("{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.test]}]}", "spec.servers[0].tls: required for protocol HTTPS"),
        ("{servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test], tls: {httpsRedirect: true}}]}", ""),
        ("{servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test], tls: {mode: SIMPLE}}]}", "spec.servers[0].tls: on a plaintext HTTP port only httpsRedirect; write protocol HTTPS for TLS"),
        ("{servers: [{port: {number: 80, name: a, protocol: TCP}, hosts: [a.test], tls: {}}]}", "spec.servers[0].tls: not for protocol TCP; write TLS or HTTPS"),
        ("{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.test], tls: {mode: SIMPLE}}]}", "spec.servers[0].tls.serverCertificate: required\nspec.servers[0].tls.privateKey: required"),
        ("{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.test], tls: {mode: MUTUAL, serverCertificate: /c, privateKey: /k}}]}", "spec.servers[0].tls.caCertificates: required in order to verify clients"),
        ("{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.test], tls: {mode: SIMPLE, serverCertificate: /c, privateKey: /k, credentialName: x}}]}", "spec.servers[0].tls: only one of credentialName, credentialNames, tlsCertificates and serverCertificate
            spec.servers[0].tls.credentialName: \"x\": no Secret of this name with a certificate and its key was loaded; every handshake is refused until it is there"),
        ("{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: ['a/b/c'], tls: {mode: HARD}}]}", "spec.servers[0].hosts[0]: \"a/b/c\": not a host name: expected labels of letters, digits and dashes, joined by dots
            spec.servers[0].tls.mode: \"HARD\": expected one of PASSTHROUGH, SIMPLE, MUTUAL, OPTIONAL_MUTUAL, ISTIO_MUTUAL, AUTO_PASSTHROUGH"),
        ("{servers: [{port: {number: 80, name: a, protocol: HTTP}, bind: home, hosts: [a.test]}]}", "spec.servers[0].bind: \"home\": expected an IP address"),
    ];
    check("Gateway", &table);
}

#[test]
fn sidecars_are_checked() {
    let table = [
        (
            "{egress: [{hosts: ['./*', 'istio-system/*', '~x/a.b']}]}",
            "",
        ),
        (
            "{}",
            "spec: an empty Sidecar; set egress, ingress or outboundTrafficPolicy",
        ),
        (
            "{workloadSelector: {labels: {a: b}}}",
            "spec: an empty Sidecar; set egress, ingress or outboundTrafficPolicy",
        ),
        (
            "{egress: [{}]}",
            "spec.egress[0].hosts: at least one is required",
        ),
        (
            "{egress: [{hosts: [a.b, 'x y/*']}]}",
            "spec.egress[0].hosts[0]: \"a.b\": expected `namespace/host`, for example `*/*`, `./*` or `istio-system/*.example.com`\nspec.egress[0].hosts[1]: \"x y/*\": not a valid name of a namespace before the `/`",
        ),
        (
            "{egress: [{hosts: ['*/*']}, {port: {number: 80, protocol: HTTP, name: a}, hosts: ['*/*']}]}",
            "spec.egress[0].port: only the last egress listener may be without a port",
        ),
        (
            "{egress: [{port: {number: 80, protocol: HTTP}, hosts: ['*/*']}, {port: {number: 80, protocol: HTTP}, hosts: ['*/*']}]}",
            "spec.egress[1].port.number: \"80\": another egress listener has this port",
        ),
        (
            "{outboundTrafficPolicy: {egressProxy: {host: a.b, port: {number: 1}}}}",
            "spec.outboundTrafficPolicy.egressProxy: needs mode ALLOW_ANY",
        ),
        (
            "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: '*.b'}}}",
            "spec.outboundTrafficPolicy.egressProxy.host: \"*.b\": not a host name: expected labels of letters, digits and dashes, joined by dots\nspec.outboundTrafficPolicy.egressProxy.port.number: \"0\": expected a port from 1 to 65535",
        ),
        (
            "{outboundTrafficPolicy: {mode: ALLOW_ANY}, ingress: [{port: {number: 1}}]}",
            "",
        ),
    ];
    check("Sidecar", &table);
    let objects = good(&object(
        "Sidecar",
        "{outboundTrafficPolicy: {}, egress: [{hosts: ['~/*']}]}",
    ));
    let sidecar = &objects.sidecars[0];
    assert_eq!(sidecar.outbound_policy, Some(OutboundPolicy::RegistryOnly));
    assert_eq!(sidecar.egress[0].hosts[0].namespace, ImportFrom::Nothing);
}

#[test]
fn mesh_configurations_are_read_over_the_defaults() {
    let mesh = |content: &str| {
        let (objects, problems) = load(&texts(content), None);
        (
            objects.mesh,
            problems.iter().map(Problem::to_string).collect::<Vec<_>>(),
        )
    };
    let (unset, told) = mesh("rootNamespace: x\n");
    assert_eq!(
        (unset.outbound_policy, &*unset.root_namespace),
        (OutboundPolicy::AllowAny, "x")
    );
    assert_eq!(told, [""; 0]);
    let (set, told) = mesh(
        "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\naccessLogFile: /dev/stdout\naccessLogEncoding: JSON\nprotocolDetectionTimeout: 100ms\ndefaultServiceExportTo: ['.']\n",
    );
    assert_eq!(told, [""; 0]);
    assert_eq!(
        (set.outbound_policy, set.access_log_encoding),
        (OutboundPolicy::RegistryOnly, AccessLogEncoding::Json)
    );
    let (wrong, told) = mesh("outboundTrafficPolicy: {mode: REGISTRYONLY}\nconnectTimeout: soon\n");
    assert_eq!(wrong.outbound_policy, OutboundPolicy::RegistryOnly);
    assert_eq!(
        told,
        [
            "f:1: MeshConfig: outboundTrafficPolicy.mode: \"REGISTRYONLY\": expected one of ALLOW_ANY, REGISTRY_ONLY, ALLOW_ANY_DYNAMIC_DNS",
            "f:1: MeshConfig: connectTimeout: \"soon\": expected a duration such as `1.5s` or `1h30m`",
        ]
    );
    let own = Text {
        file: "--mesh-config".into(),
        bytes: b"outboundTrafficPolicy: {mode: ALLOW_ANY}".to_vec(),
    };
    let (objects, problems) = load(
        &texts("outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n"),
        Some(&own),
    );
    assert_eq!(
        (objects.mesh.outbound_policy, problems.len()),
        (OutboundPolicy::AllowAny, 0)
    );
}

#[test]
fn kubernetes_objects_are_read() {
    let objects = good(
        "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: n, annotations: {networking.istio.io/exportTo: '., x'}}\nspec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, 'fd00::1'], selector: {a: b}, ports: [{port: 80, name: http-x, targetPort: web, nodePort: 30000}, {port: 53, protocol: UDP}, {port: 3306, targetPort: 3307}]}
---\napiVersion: v1\nkind: Service\nmetadata: {name: h}\nspec: {clusterIP: None}
---\napiVersion: v1\nkind: Service\nmetadata: {name: e}\nspec: {type: ExternalName, externalName: A.b}
---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s-1, namespace: n, labels: {kubernetes.io/service-name: s}}\naddressType: IPv4\nports: [{name: http-x, port: 8080, protocol: TCP}]\nendpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}, {addresses: [10.0.0.2], conditions: {ready: false}}]\n",
    );
    let service = |host: &str| {
        objects
            .services
            .iter()
            .find(|service| service.host.to_string() == host)
            .expect("loaded")
    };
    let plain = service("s.n.svc.cluster.local");
    assert_eq!(plain.addresses.len(), 2);
    assert_eq!(
        plain.export_to,
        Some(ExportTo::Namespaces(vec!["n".into(), "x".into()]))
    );
    let ports: Vec<_> = plain
        .ports
        .iter()
        .map(|port| {
            (
                port.number,
                port.protocol,
                port.target,
                port.target_name.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        ports,
        [
            (80, Protocol::Http, None, Some("web")),
            (3306, Protocol::Tcp, Some(3307), None)
        ]
    );
    assert!(service("h.default.svc.cluster.local").headless);
    assert_eq!(
        service("e.default.svc.cluster.local").resolution,
        Resolution::Alias("a.b".into())
    );
    let members: Vec<_> = objects.endpoints[0]
        .endpoints
        .iter()
        .map(|endpoint| endpoint.address.clone())
        .collect();
    assert_eq!(members, [Address::Ip([10, 0, 0, 1].into())]);
}

#[test]
fn a_credential_is_taken_from_its_secret() {
    let rule = object(
        "DestinationRule",
        "{host: a.b, trafficPolicy: {tls: {mode: MUTUAL, credentialName: c}}}",
    );
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: istio-system}\ndata: {tls.crt: Y2VydA==, tls.key: a2V5, ca.crt: Y2E=}\n";
    let objects = good(&format!("{rule}{secret}"));
    let policy = objects.destination_rules[0]
        .policy
        .as_ref()
        .expect("written");
    let Some(Some(tls)) = &policy.all.tls else {
        panic!("TLS, not {:?}", policy.all.tls);
    };
    assert!(matches!(tls.mode, ClientTlsMode::Mutual(_)));
    let (objects, problems) = load(&texts(&rule), None);
    let policy = objects.destination_rules[0]
        .policy
        .as_ref()
        .expect("written");
    assert!(
        matches!(&policy.all.tls, Some(Some(tls)) if matches!(tls.mode, ClientTlsMode::Unusable(_)))
    );
    assert_eq!(problems.len(), 1);
}

#[test]
fn an_object_with_an_error_is_left_out_alone() {
    let content = format!(
        "{}---\n{}---\n{}",
        object("ServiceEntry", "{hosts: ['*']}"),
        object(
            "Gateway",
            "{servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}"
        ),
        object(
            "Gateway",
            "{servers: [{port: {number: 81, name: http, protocol: HTTP}, hosts: ['*']}]}"
        ),
    );
    let (objects, problems) = load(&texts(&content), None);
    assert_eq!(
        objects.counts.iter().collect::<Vec<_>>(),
        [(&Kind::Gateway, &1)]
    );
    assert_eq!(objects.gateways[0].servers[0].port, 81);
    let last = problems
        .iter()
        .map(Problem::to_string)
        .find(|text| text.contains("replaces"));
    assert_eq!(
        last.as_deref(),
        Some("f:11: Gateway n/a: replaces the earlier one of f:6")
    );
    let (objects, problems) = load(&texts("apiVersion: v1\nkind: Service\nspec: {}\n"), None);
    assert!(objects.services.is_empty());
    assert_eq!(
        problems[0].to_string(),
        "f:1: Service: metadata.name: required"
    );
}

#[test]
fn objects_are_in_order_of_age() {
    let one = |name: &str, created: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, creationTimestamp: {created}}}\nspec: {{servers: [{{port: {{number: 80, name: h, protocol: HTTP}}, hosts: ['*']}}]}}\n---\n"
        )
    };
    let content = [
        one("c", "'2024-01-02T00:00:00Z'"),
        one("b", "2024-01-01T00:00:00Z"),
        one("z", "null"),
        one("a", "2024-01-02T00:00:00Z"),
    ];
    let objects = good(&content.concat());
    let names: Vec<_> = objects
        .gateways
        .iter()
        .map(|gateway| &*gateway.meta.name.name)
        .collect();
    assert_eq!(names, ["z", "b", "a", "c"]);
}

#[test]
fn fields_that_are_not_acted_on_are_told() {
    let content = object(
        "Sidecar",
        "{outboundTrafficPolicy: {mode: ALLOW_ANY}, ingress: [{port: {number: 1}}]}",
    );
    let (objects, problems) = load(&texts(&content), None);
    assert_eq!(objects.sidecars.len(), 1);
    assert_eq!(
        problems.iter().map(Problem::to_string).collect::<Vec<_>>(),
        [
            "f:1: Sidecar n/a: spec.ingress: not supported yet, ignored: calls that arrive are not proxied; leave it out"
        ]
    );
}
