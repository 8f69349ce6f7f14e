//! What verdicts and refusals come to: kind, status, flags, details and reason code, with the cluster where there is one.

use crate::decide::bad_request::BadRequestKind;
use crate::decide::call::{Connection, Layer, Request};
use crate::decide::outcome::{Outcome, OutcomeKind};
use crate::decide::tests::{ALLOW_ANY, World, entry, gateway, object, sidecar};
use crate::decide::trail::Trail;
use crate::decide::verdict::{ConnectionDecision, Refusal, RequestDecision, Verdict};
use crate::decide::{connection, request, tests};
use crate::snapshot::workload::Mode;

/// The address of the services.
const TO: &str = "10.0.0.1:80";

/// `KIND STATUS FLAGS DETAILS CODE CLUSTER`, with `-` for what there is not.
fn row(outcome: &Outcome) -> String {
    let status = outcome.status.map(|status| status.to_string());
    let parts = [
        status.as_deref().unwrap_or("-"),
        &outcome.flags.to_string(),
        outcome.details.unwrap_or("-"),
        outcome.code.unwrap_or("-"),
        outcome.cluster.as_deref().unwrap_or("-"),
    ];
    format!("{} {}", outcome.kind.name(), parts.join(" "))
}

fn refusals() -> [Refusal; 5] {
    [
        Refusal::Blackhole,
        Refusal::OwnListener,
        Refusal::NoRoute,
        Refusal::NoCluster("missing".into()),
        Refusal::NoChain,
    ]
}

#[test]
fn requests_that_are_refused() {
    let rows = refusals().map(|refusal| {
        let kind = OutcomeKind::refused(&refusal).name();
        let decision = RequestDecision::refused(refusal, Some("block_all"), Trail::default());
        let outcome = Outcome::of_request(&decision, false);
        assert_eq!(OutcomeKind::of_exchange(&decision).name(), kind);
        assert_eq!(outcome.virtual_host.as_deref(), Some("block_all"));
        assert_eq!(outcome.route.as_deref(), Some("block_all"));
        row(&outcome)
    });
    assert_eq!(
        rows,
        [
            "blackhole 502 - direct_response blackhole -",
            "blackhole 502 - own_listener own_listener -",
            "not_found 404 NR route_not_found no_route -",
            "route 503 NC cluster_not_found no_cluster missing",
            // Nothing can be sent that has a status.
            "no_chain - NR filter_chain_not_found no_chain -",
        ]
    );
}

#[test]
fn streams_that_are_refused() {
    let rows = |mode: Mode, listener: Option<&'static str>| {
        refusals().map(|refusal| {
            let trail = Trail {
                listener,
                ..Trail::default()
            };
            let decision = ConnectionDecision::new(Verdict::Refuse(refusal), trail);
            row(&Outcome::of_connection(&decision, mode))
        })
    };
    let heard = [
        "blackhole - UH - blackhole BlackHoleCluster",
        "blackhole - UH - own_listener BlackHoleCluster",
        "no_chain - NR - no_route -",
        "route - NC - no_cluster -",
        "no_chain - NR filter_chain_not_found no_chain -",
    ];
    for (mode, listener) in [
        (Mode::Sidecar, None),
        (Mode::Sidecar, Some("0.0.0.0:80")),
        (Mode::Gateway, Some("0.0.0.0:80")),
    ] {
        assert_eq!(rows(mode, listener), heard, "{mode:?} {listener:?}");
    }
    // Where a gateway has no listener, no connection is accepted: there is no reply, and no line of a log.
    let mut unheard = heard;
    unheard[2] = "no_listener - - - - -";
    unheard[4] = "no_listener - - - - -";
    assert_eq!(rows(Mode::Gateway, None), unheard);
}

#[test]
fn requests_that_are_bad() {
    use BadRequestKind::*;
    for (kind, expected) in [
        (Syntax, "400 DPE http1.codec_error bad_request"),
        (NoHost, "400 - missing_host_header bad_request"),
        (Upgrade, "403 - upgrade_failed upgrade_refused"),
        (TooLarge, "431 DPE request_headers_too_large too_large"),
    ] {
        let outcome = Outcome::of_bad_request(kind);
        assert_eq!(row(&outcome), format!("bad_request {expected} -"));
    }
}

/// Services `a.test` for HTTP and `bytes.test`, and a host for each thing that a rule can do.
fn world() -> World {
    let route = "route: [{destination: {host: a.test}}]";
    let abort = |share: u32, what: &str| {
        format!("fault: {{abort: {{percentage: {{value: {share}}}, {what}}}}}, {route}")
    };
    let rules = [
        ("moved", "redirect: {authority: new.test}".to_owned()),
        (
            "teapot",
            "directResponse: {status: 418, body: {string: tea}}".to_owned(),
        ),
        ("rewritten", format!("rewrite: {{uri: /b}}, {route}")),
        (
            "gone",
            "route: [{destination: {host: missing.test}}]".to_owned(),
        ),
        ("fault", abort(100, "httpStatus: 555")),
        ("grpc", abort(100, "grpcStatus: UNAVAILABLE")),
        ("sometimes", abort(99, "httpStatus: 555")),
    ];
    let services = entry(
        "a",
        "{hosts: [a.test], resolution: STATIC, endpoints: [{address: 10.9.9.9}], \
          ports: [{number: 80, name: http, protocol: HTTP}]}",
    ) + &entry(
        "bytes",
        "{hosts: [bytes.test], addresses: [10.0.0.2], resolution: STATIC, endpoints: [{address: 10.9.9.9}], \
          ports: [{number: 90, name: tcp, protocol: TCP}]}",
    );
    let rules = rules.map(|(name, rule)| {
        let spec = format!("{{hosts: [{name}.test], http: [{{{rule}}}]}}");
        object("VirtualService", name, &spec)
    });
    sidecar(ALLOW_ANY, &(services + &rules.concat()))
}

#[test]
fn verdicts_about_requests() {
    let world = world();
    let preflight = true;
    for (host, is_preflight, expected) in [
        ("a.test", false, "route - - - - outbound|80||a.test"),
        ("rewritten.test", false, "route - - - - outbound|80||a.test"),
        (
            "nowhere.test",
            false,
            "passthrough - - - - PassthroughCluster",
        ),
        ("moved.test", false, "redirect 301 - direct_response - -"),
        (
            "teapot.test",
            false,
            "direct_response 418 - direct_response - -",
        ),
        (
            "gone.test",
            false,
            "route 503 NC cluster_not_found no_cluster outbound|80||missing.test",
        ),
        // An abort ends the request in place of the rule; one that does not always come is not reported.
        (
            "fault.test",
            false,
            "route 555 FI fault_filter_abort fault outbound|80||a.test",
        ),
        (
            "grpc.test",
            false,
            "route 200 FI fault_filter_abort fault outbound|80||a.test",
        ),
        ("sometimes.test", false, "route - - - - outbound|80||a.test"),
        (
            "a.test",
            preflight,
            "direct_response 200 - cors_response - -",
        ),
        (
            "fault.test",
            preflight,
            "route 555 FI fault_filter_abort fault outbound|80||a.test",
        ),
    ] {
        let headers = http::HeaderMap::new();
        let question = Request {
            arrival: tests::arrival(TO.parse().unwrap()),
            terminated: None,
            method: "GET",
            scheme: "http",
            authority: host,
            path: "/",
            headers: &headers,
        };
        let decision = request(&world.snapshot, &question, &mut |_| 0);
        let outcome = Outcome::of_request(&decision, is_preflight);
        assert_eq!(row(&outcome), expected, "{host}");
        let rewritten = (host == "rewritten.test").then_some("/b");
        assert_eq!(outcome.rewrites.path.as_deref(), rewritten, "{host}");
        let location = (host == "moved.test").then_some("http://new.test/");
        assert_eq!(outcome.location.as_deref(), location, "{host}");
    }
}

#[test]
fn verdicts_about_streams() {
    let sidecar = world();
    let gateway = gateway("egress", "");
    for (world, to, expected, kind) in [
        (
            &sidecar,
            "10.0.0.2:90",
            "route - - - - outbound|90||bytes.test",
            Some(OutcomeKind::Route),
        ),
        (
            &sidecar,
            "10.0.0.3:90",
            "passthrough - - - - PassthroughCluster",
            Some(OutcomeKind::Passthrough),
        ),
        (
            &sidecar,
            "10.34.0.140:15001",
            "blackhole - UH - own_listener BlackHoleCluster",
            Some(OutcomeKind::Blackhole),
        ),
        (
            &gateway,
            "10.34.0.141:90",
            "no_listener - - - - -",
            Some(OutcomeKind::NoChain),
        ),
    ] {
        let question = Connection {
            arrival: tests::arrival(to.parse().unwrap()),
            layer: &Layer::Opaque,
            terminated: None,
        };
        let decision = connection(&world.snapshot, &question, &mut |_| 0);
        let outcome = Outcome::of_connection(&decision, world.snapshot.workload.mode);
        assert_eq!(row(&outcome), expected, "{to}");
        assert_eq!(OutcomeKind::of_stream(&decision), kind, "{to}");
    }
}
