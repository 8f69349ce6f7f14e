//! Problems of VirtualServices, and how they are completed.

use crate::model::route::HttpAction;
use crate::model::source::GatewayName;
use crate::name::ObjectName;

use super::{check, good, object};

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
        ("{hosts: [a], http: [{redirect: {}}]}", "spec.http[0].redirect: one of uri, prefixRewrite, authority, scheme, port and derivePort is required"),
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
    assert!(rule.matches[0].path().is_some_and(|uri| uri.matches("/ab")));
    assert_eq!(rule.matches[0].conditions[1].field(), "headers.x-a");
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
