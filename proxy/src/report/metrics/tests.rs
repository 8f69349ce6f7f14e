#[allow(
    unreachable_pub,
    reason = "the harness of end-to-end tests has it, too"
)]
#[path = "../../../../tests/harness/exposition.rs"]
pub(crate) mod exposition;
mod labels;

use std::sync::Arc;

use egret_config::address::{EndpointAddress, LocalAddress};
use egret_config::decide::flag::{Flag, Flags};
use egret_config::decide::outcome::OutcomeKind;
use egret_config::decide::verdict::{ALLOW_ANY, BLOCK_ALL, RouteName};
use egret_config::expression::Expression;
use egret_config::labels::Labels;
use egret_config::load::{Text, load};
use egret_config::model::endpoint::DestinationWorkload;
use egret_config::model::telemetry::{Metric, TagOverride};
use egret_config::model::tls::Hashed;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::DestinationService;
use egret_config::snapshot::telemetry::MetricOverrides;
use egret_config::snapshot::workload::{Mode, Workload};
use http::{Request, StatusCode};

use self::exposition::Exposition;
use crate::current::Current;
use crate::report::facts::{CallProtocol, Facts};
use crate::report::metrics::exposition::text;
use crate::report::metrics::identity::{Identity, Surroundings};
use crate::report::metrics::registry::Metrics;
use crate::report::metrics::shard::Shard;
use crate::report::reporter::Sink;

/// A configuration that names one host.
const CONFIGURATION: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: known, namespace: shop}
spec: {hosts: [known.test], resolution: DNS, ports: [{number: 81, name: http, protocol: HTTP}]}
";

fn workload(mode: Mode) -> Workload {
    Workload {
        labels: Labels::parse("app=sleep,version=v2").expect("labels"),
        ..Workload::new(mode, "shop")
    }
}

fn metrics(mode: Mode) -> Metrics {
    let text = |bytes: &str| Text {
        file: "test.yaml".into(),
        bytes: bytes.into(),
    };
    let (objects, _) = load(&[text(CONFIGURATION)], None);
    let (snapshot, _) = Snapshot::build(&objects, workload(mode));
    let surroundings = Surroundings {
        pod: None,
        workload: Some("sleep-v2".into()),
        cluster: Some("Kubernetes".into()),
        ..Surroundings::default()
    };
    let identity = Identity::of(&workload(mode), &surroundings);
    Metrics::new(mode, identity, Arc::new(Current::new(snapshot)))
}

fn scrape(metrics: &Metrics) -> Exposition {
    let text = text(&metrics.families());
    Exposition::read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A request for a host on port 80, answered 200.
fn request(host: &str, verdict: OutcomeKind) -> Facts {
    let mut facts = Facts::begin();
    facts.protocol = CallProtocol::Http;
    facts.downstream.local_address = Some(LocalAddress(([192, 0, 2, 1], 80).into()));
    let request = Request::get("/").header("host", host);
    facts.set_request(&request.body(()).expect("a request"));
    facts.decision.verdict = Some(verdict);
    facts.response.code = Some(StatusCode::OK);
    facts
}

/// A byte stream to port 443.
fn stream(protocol: CallProtocol, verdict: OutcomeKind) -> Facts {
    let mut facts = Facts::begin();
    facts.protocol = protocol;
    facts.downstream.local_address = Some(LocalAddress(([192, 0, 2, 1], 443).into()));
    facts.decision.verdict = Some(verdict);
    facts
}

fn routed(mut facts: Facts) -> Facts {
    facts.decision.service = Some(Hashed::new(DestinationService {
        host: "a.test".into(),
        name: "a.test".into(),
        namespace: "shop".into(),
    }));
    facts
}

fn route(mut facts: Facts, name: &'static str) -> Facts {
    facts.decision.route = Some(RouteName::BuiltIn(name));
    facts
}

#[test]
fn a_request_has_all_of_istios_labels() {
    let metrics = metrics(Mode::Sidecar);
    let shard = metrics.shard();
    let mut facts = routed(request("a.test", OutcomeKind::Route));
    facts.flags = Flags::of([Flag::URX, Flag::UF]);
    facts.response.code = Some(StatusCode::SERVICE_UNAVAILABLE);
    facts
        .attempts
        .begin(EndpointAddress::Ip(([10, 0, 0, 1], 80).into()))
        .workload = Some(Hashed::new(DestinationWorkload {
        name: "reviews-v1".into(),
        namespace: "books".into(),
        app: Some("reviews".into()),
        version: None,
        canonical_service: "reviews".into(),
        canonical_revision: "v1".into(),
    }));
    shard.report(&facts);
    let scraped = scrape(&metrics);
    let labels = [
        ("reporter", "source"),
        ("source_workload", "sleep-v2"),
        ("source_workload_namespace", "shop"),
        ("source_app", "sleep"),
        ("source_version", "v2"),
        ("source_canonical_service", "sleep"),
        ("source_canonical_revision", "v2"),
        ("source_cluster", "Kubernetes"),
        ("source_principal", "unknown"),
        ("destination_service", "a.test"),
        ("destination_service_name", "a.test"),
        ("destination_service_namespace", "shop"),
        ("destination_workload", "reviews-v1"),
        ("destination_workload_namespace", "books"),
        ("destination_app", "reviews"),
        ("destination_version", "unknown"),
        ("destination_canonical_service", "reviews"),
        ("destination_canonical_revision", "v1"),
        ("destination_cluster", "Kubernetes"),
        ("destination_principal", "unknown"),
        ("request_protocol", "http"),
        ("response_code", "503"),
        ("grpc_response_status", ""),
        ("response_flags", "URX,UF"),
        ("connection_security_policy", "unknown"),
    ];
    let found = scraped.of("istio_requests_total", &labels);
    assert_eq!(found.len(), 1, "{:#?}", scraped.samples);
    assert_eq!((found[0].labels.len(), found[0].value), (25, 1.0));
    for family in [
        "istio_request_duration_milliseconds_count",
        "istio_request_bytes_count",
        "istio_response_bytes_count",
    ] {
        assert_eq!(scraped.sum(family, &labels), 1.0, "{family}");
    }
    let build = scraped.of("istio_build", &[("component", "proxy")]);
    assert_eq!(build[0].labels["tag"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn destinations_are_named_as_istio_names_them() {
    use OutcomeKind::*;
    let tls = |verdict| stream(CallProtocol::Tls, verdict);
    let tcp = |verdict| stream(CallProtocol::Tcp, verdict);
    let (side, gate) = (Mode::Sidecar, Mode::Gateway);
    for (mode, facts, expected) in [
        (side, routed(request("x.test", Route)), "a.test a.test shop"),
        (
            side,
            route(request("x.test", Blackhole), BLOCK_ALL),
            "x.test BlackHoleCluster unknown",
        ),
        (
            side,
            route(request("x.test:80", Passthrough), ALLOW_ANY),
            "x.test PassthroughCluster unknown",
        ),
        (
            side,
            routed(route(request("x.test", Route), ALLOW_ANY)),
            "x.test PassthroughCluster unknown",
        ),
        (side, request("x.test", NotFound), "x.test x.test unknown"),
        (side, request("x.test", Redirect), "x.test x.test unknown"),
        (side, request("x.test", NoCluster), "x.test x.test unknown"),
        (gate, request("x.test", NotFound), "unknown unknown unknown"),
        (
            gate,
            request("x.test", DirectResponse),
            "unknown unknown unknown",
        ),
        (gate, routed(request("x.test", Route)), "a.test a.test shop"),
        (side, routed(tcp(Route)), "a.test a.test shop"),
        (side, routed(tcp(EgressProxy)), "a.test a.test shop"),
        (side, tls(Blackhole), "unknown BlackHoleCluster unknown"),
        (side, tcp(Blackhole), "unknown BlackHoleCluster unknown"),
        (side, tls(Passthrough), "unknown PassthroughCluster unknown"),
        (side, tcp(Passthrough), "unknown PassthroughCluster unknown"),
        (gate, tls(NoCluster), "unknown unknown unknown"),
    ] {
        let metrics = metrics(mode);
        metrics.shard().report(&facts);
        let scraped = scrape(&metrics);
        let families = ["istio_requests_total", "istio_tcp_connections_closed_total"];
        let found: Vec<_> = families
            .iter()
            .flat_map(|family| scraped.of(family, &[("reporter", "source")]))
            .map(|sample| {
                ["", "_name", "_namespace"]
                    .map(|part| sample.labels[&format!("destination_service{part}")].clone())
                    .join(" ")
            })
            .collect();
        assert_eq!(found, [expected], "{facts:?}");
    }
}

#[test]
fn a_stream_that_fails_is_opened_and_closed_with_its_flags() {
    let metrics = metrics(Mode::Sidecar);
    let mut facts = routed(stream(CallProtocol::Tcp, OutcomeKind::Route));
    facts.flags = Flags::of([Flag::UF, Flag::URX]);
    metrics.shard().report(&facts);
    let scraped = scrape(&metrics);
    for family in ["opened", "closed"] {
        let family = format!("istio_tcp_connections_{family}_total");
        let found = scraped.of(&family, &[("response_flags", "UF,URX")]);
        assert_eq!((found.len(), found[0].labels.len()), (1, 23));
        assert_eq!(found[0].value, 1.0);
    }
}

#[test]
fn bytes_of_a_stream_grow_while_it_is_open_and_are_exact_at_its_end() {
    let metrics = metrics(Mode::Sidecar);
    let shard = metrics.shard();
    let mut facts = routed(stream(CallProtocol::Tls, OutcomeKind::Route));
    let bytes = Arc::clone(facts.stream.insert(Arc::default()));
    shard.opened(&facts);
    let counts = |flags: &str| {
        let scraped = scrape(&metrics);
        [
            "connections_opened",
            "connections_closed",
            "received_bytes",
            "sent_bytes",
        ]
        .map(|part| {
            let family = format!("istio_tcp_{part}_total");
            scraped.sum(&family, &[("response_flags", flags)])
        })
    };
    bytes.from_client.add(10);
    bytes.from_upstream.add(100);
    assert_eq!(counts("-"), [1.0, 0.0, 0.0, 0.0]);
    shard.count_open_streams();
    shard.count_open_streams();
    assert_eq!(counts("-"), [1.0, 0.0, 10.0, 100.0]);
    bytes.from_client.add(5);
    facts.flags.raise(Flag::UR);
    (facts.bytes_received, facts.bytes_sent) = (15, 100);
    shard.report(&facts);
    shard.count_open_streams();
    assert_eq!(counts("-"), [1.0, 0.0, 10.0, 100.0]);
    assert_eq!(counts("UR"), [0.0, 1.0, 5.0, 0.0]);
    let relayed =
        |direction| scrape(&metrics).sum("egret_relay_bytes_total", &[("direction", direction)]);
    assert_eq!((relayed("received"), relayed("sent")), (15.0, 100.0));
}

#[test]
fn inbound_streams_and_streams_without_chain_are_none_of_istios() {
    let metrics = metrics(Mode::Sidecar);
    let shard = metrics.shard();
    let mut inbound = stream(CallProtocol::Tcp, OutcomeKind::Route);
    inbound.decision.verdict = None;
    let bytes = Arc::clone(inbound.stream.insert(Arc::default()));
    shard.opened(&inbound);
    bytes.from_client.add(3);
    inbound.bytes_received = 3;
    shard.report(&inbound);
    shard.report(&stream(CallProtocol::Tls, OutcomeKind::NoChain));
    let scraped = scrape(&metrics);
    assert_eq!(scraped.sum("istio_tcp_connections_opened_total", &[]), 0.0);
    assert_eq!(scraped.sum("egret_relay_bytes_total", &[]), 3.0);
    assert_eq!(scraped.sum("egret_verdicts_total", &[]), 1.0);
    assert_eq!(
        scraped.sum("egret_verdicts_total", &[("verdict", "no_chain")]),
        1.0
    );
}

#[test]
fn a_request_without_head_is_a_verdict_and_no_request() {
    let metrics = metrics(Mode::Sidecar);
    let mut facts = Facts::begin();
    facts.protocol = CallProtocol::Http;
    facts.decision.verdict = Some(OutcomeKind::BadRequest);
    facts.response.code = Some(StatusCode::BAD_REQUEST);
    metrics.shard().report(&facts);
    let scraped = scrape(&metrics);
    assert_eq!(scraped.sum("istio_requests_total", &[]), 0.0);
    let labels = [("verdict", "bad_request"), ("protocol", "http")];
    assert_eq!(scraped.sum("egret_verdicts_total", &labels), 1.0);
}

#[test]
fn a_client_that_left_has_code_0() {
    let metrics = metrics(Mode::Sidecar);
    let mut facts = routed(request("a.test", OutcomeKind::Route));
    facts.response.code = None;
    facts.flags.raise(Flag::DC);
    metrics.shard().report(&facts);
    let labels = [("response_code", "0"), ("response_flags", "DC")];
    assert_eq!(scrape(&metrics).sum("istio_requests_total", &labels), 1.0);
}

#[test]
fn workers_are_merged() {
    let metrics = metrics(Mode::Sidecar);
    for shard in [metrics.shard(), metrics.shard()] {
        for bytes in [700, 3] {
            let mut facts = routed(request("a.test", OutcomeKind::Route));
            facts.downstream.wire.sent = bytes;
            shard.report(&facts);
        }
    }
    let scraped = scrape(&metrics);
    assert_eq!(scraped.of("istio_requests_total", &[]).len(), 1);
    assert_eq!(scraped.sum("istio_requests_total", &[]), 4.0);
    let bucket = |le| scraped.sum("istio_response_bytes_bucket", &[("le", le)]);
    assert_eq!(
        [bucket("1"), bucket("5"), bucket("1000"), bucket("+Inf")],
        [0.0, 2.0, 4.0, 4.0]
    );
    assert_eq!(scraped.sum("istio_response_bytes_sum", &[]), 1406.0);
    assert_eq!(scraped.of("istio_response_bytes_bucket", &[]).len(), 20);
}

/// Calls of 300 hosts that nobody knows, of one that is known, and of one with everything that has to be escaped.
#[test]
fn strangers_hosts_are_bounded_and_escaped() {
    let metrics = metrics(Mode::Sidecar);
    let shards = [metrics.shard(), metrics.shard()];
    let odd = "quote\"back\\slash";
    let passed = |host: &str| route(request(host, OutcomeKind::Passthrough), ALLOW_ANY);
    shards[0].report(&passed(odd));
    for number in 0..300 {
        shards[number % 2].report(&passed(&format!("{number}.test")));
    }
    for shard in &shards {
        shard.report(&passed("Known.test"));
        shard.report(&passed("0.test"));
    }
    let scraped = scrape(&metrics);
    let requests = |host| scraped.sum("istio_requests_total", &[("destination_service", host)]);
    assert_eq!(requests(odd), 1.0);
    assert_eq!(requests("0.test"), 3.0);
    assert_eq!(requests("254.test"), 1.0);
    assert_eq!(requests("255.test"), 0.0);
    assert_eq!(requests("other"), 45.0);
    assert_eq!(requests("known.test"), 2.0);
    assert_eq!(
        scraped.sum("istio_requests_total", &[]),
        305.0,
        "sums stay exact"
    );
    assert_eq!(scraped.sum("egret_series_dropped_total", &[]), 45.0);
}

#[test]
fn refused_calls_are_counted_by_name_port_and_protocol_and_bounded() {
    let metrics = metrics(Mode::Sidecar);
    let shard = metrics.shard();
    let mut tls = stream(CallProtocol::Tls, OutcomeKind::Blackhole);
    tls.downstream.requested_server_name = Some("sni.test".into());
    shard.report(&tls);
    shard.report(&stream(CallProtocol::Tcp, OutcomeKind::Blackhole));
    shard.report(&request("Host.test:80", OutcomeKind::Blackhole));
    shard.report(&request("fine.test", OutcomeKind::Passthrough));
    for number in 0..260 {
        shard.report(&request(&format!("{number}.test"), OutcomeKind::Blackhole));
    }
    let scraped = scrape(&metrics);
    for (destination, port, protocol, count) in [
        ("sni.test", "443", "tls", 1.0),
        ("192.0.2.1", "443", "tcp", 1.0),
        ("host.test", "80", "http", 1.0),
        ("252.test", "80", "http", 1.0),
        ("253.test", "80", "http", 0.0),
        ("other", "other", "other", 7.0),
    ] {
        let labels = [
            ("destination", destination),
            ("port", port),
            ("protocol", protocol),
        ];
        assert_eq!(
            scraped.sum("egret_refused_calls_total", &labels),
            count,
            "{destination}"
        );
    }
    assert_eq!(scraped.of("egret_refused_calls_total", &[]).len(), 257);
}

#[test]
fn our_own_families_are_there_from_the_start_and_promtool_has_nothing_to_say() {
    let scraped = scrape(&metrics(Mode::Sidecar));
    assert_eq!(scraped.lint("egret_"), Vec::<String>::new());
    assert!(scraped.types.contains_key("egret_refused_calls_total"));
    assert_eq!(scraped.of("egret_series_dropped_total", &[]).len(), 1);
    let metrics = metrics(Mode::Sidecar);
    metrics.shard();
    let verdicts = scrape(&metrics);
    let verdicts = verdicts.of("egret_verdicts_total", &[]);
    assert_eq!(verdicts.len(), OutcomeKind::ALL.len() * 3);
}

#[test]
fn verdicts_are_numbered_as_they_are_listed() {
    for (place, verdict) in OutcomeKind::ALL.into_iter().enumerate() {
        assert_eq!(verdict as usize, place, "{}", verdict.name());
    }
}

/// Another label set begins new series; going back goes on with the old ones.
#[test]
fn what_telemetry_changes_begins_new_series_and_nothing_goes_back() {
    let metrics = metrics(Mode::Sidecar);
    let shard = metrics.shard();
    let call = |shard: &Shard, flag: Option<Flag>| {
        let mut facts = routed(request("a.test", OutcomeKind::Route));
        facts.flags = Flags::of(flag);
        shard.report(&facts);
    };
    let mut overrides = MetricOverrides::default();
    let requests = overrides.of_mut(Metric::RequestCount);
    requests
        .tags
        .insert("response_flags".into(), TagOverride::Remove);
    overrides.of_mut(Metric::RequestSize).disabled = true;
    call(&shard, None);
    shard.relabel(&overrides);
    call(&shard, None);
    call(&shard, Some(Flag::UF));
    let scraped = scrape(&metrics);
    let of = |labels: &[(&str, &str)]| scraped.sum("istio_requests_total", labels);
    assert_eq!((of(&[]), of(&[("response_flags", "-")])), (3.0, 1.0));
    let found = scraped.of("istio_requests_total", &[]);
    assert_eq!(found.len(), 2, "what differed in the flags alone is one");
    assert_eq!(scraped.sum("istio_request_bytes_count", &[]), 1.0);
    assert_eq!(scraped.sum("istio_response_bytes_count", &[]), 3.0);
    shard.relabel(&MetricOverrides::default());
    call(&shard, None);
    let scraped = scrape(&metrics);
    let flags = [("response_flags", "-")];
    assert_eq!(scraped.sum("istio_requests_total", &flags), 2.0);
    assert_eq!(scraped.sum("istio_request_bytes_count", &[]), 2.0);
}

#[test]
fn an_expression_without_value_is_unknown() {
    let metrics = metrics(Mode::Sidecar);
    let shard = metrics.shard();
    let expression = Expression::parse("request.method").expect("an expression");
    let mut overrides = MetricOverrides::default();
    let tags = &mut overrides.of_mut(Metric::TcpOpenedConnections).tags;
    tags.insert("method".into(), TagOverride::Upsert(Arc::new(expression)));
    shard.relabel(&overrides);
    shard.report(&routed(stream(CallProtocol::Tcp, OutcomeKind::Route)));
    let labels = [("method", "unknown")];
    assert_eq!(
        scrape(&metrics).sum("istio_tcp_connections_opened_total", &labels),
        1.0
    );
}
