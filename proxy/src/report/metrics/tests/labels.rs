//! Labels that Telemetry defines, those of gRPC, and bounds of histograms that annotations give.

use egret_config::decide::outcome::OutcomeKind;
use egret_config::grpc::GrpcStatus;

use super::*;
use crate::report::metrics::bounds::HistogramBounds;
use crate::report::metrics::envoy::under_way::CountedConnection;

#[test]
fn values_of_expressions_are_bounded_and_sums_stay_exact() {
    let metrics = metrics(Mode::Sidecar);
    let shards = [metrics.shard(), metrics.shard()];
    let expression = Expression::parse("request.host").expect("an expression");
    let mut overrides = MetricOverrides::default();
    let tags = &mut overrides.of_mut(Metric::RequestCount).tags;
    tags.insert("host".into(), TagOverride::Upsert(Arc::new(expression)));
    for shard in &shards {
        shard.relabel(&overrides);
    }
    for number in 0..300 {
        let host = format!("{number}.test");
        shards[number % 2].report(&routed(request(&host, OutcomeKind::Route)));
    }
    for shard in &shards {
        shard.report(&routed(request("0.test", OutcomeKind::Route)));
        shard.report(&routed(request("unknown", OutcomeKind::Route)));
    }
    let scraped = scrape(&metrics);
    let of = |host| scraped.sum("istio_requests_total", &[("host", host)]);
    assert_eq!((of("0.test"), of("255.test")), (3.0, 1.0));
    assert_eq!((of("256.test"), of("other")), (0.0, 44.0));
    assert_eq!(of("unknown"), 2.0);
    assert_eq!(scraped.sum("istio_requests_total", &[]), 304.0);
    assert_eq!(scraped.of("istio_requests_total", &[]).len(), 258);
    assert_eq!(scraped.sum("istio_request_bytes_count", &[]), 304.0);
    assert_eq!(scraped.of("istio_request_bytes_count", &[]).len(), 1);
}

#[test]
fn a_grpc_call_has_its_status_and_its_messages() {
    for (code, said, expected) in [
        (200, Some(0), "0"),
        (200, Some(14), "14"),
        // The upstream says a number that gRPC does not have, or nothing.
        (200, Some(77), "2"),
        (200, None, "2"),
        (404, None, "12"),
        (503, None, "14"),
    ] {
        let metrics = metrics(Mode::Sidecar);
        let mut facts = routed(request("a.test", OutcomeKind::Route));
        facts.request.grpc = true;
        facts.response.code = StatusCode::from_u16(code).ok();
        facts.response.grpc_status = said;
        (facts.request_messages, facts.response_messages) = (3, 2);
        metrics.shard().report(&facts);
        let scraped = scrape(&metrics);
        let labels = [
            ("request_protocol", "grpc"),
            ("grpc_response_status", expected),
        ];
        assert_eq!(scraped.sum("istio_requests_total", &labels), 1.0, "{code}");
        let messages = |direction: &str| {
            let found = format!("istio_{direction}_messages_total");
            let found = scraped.of(&found, &[("destination_service", "a.test")]);
            assert_eq!((found.len(), found[0].labels.len()), (1, 20));
            found[0].value
        };
        assert_eq!((messages("request"), messages("response")), (3.0, 2.0));
    }
}

#[test]
fn other_calls_have_no_messages_and_no_status_of_grpc() {
    let metrics = metrics(Mode::Sidecar);
    let mut facts = routed(request("a.test", OutcomeKind::Route));
    facts.response.grpc_status = Some(GrpcStatus::Internal as u32);
    metrics.shard().report(&facts);
    let scraped = scrape(&metrics);
    assert!(scraped.of("istio_request_messages_total", &[]).is_empty());
    let labels = [("request_protocol", "http"), ("grpc_response_status", "")];
    assert_eq!(scraped.sum("istio_requests_total", &labels), 1.0);
}

#[test]
fn histograms_have_the_bounds_that_are_given() {
    let text = r#"{"istiocustom.istio_response_bytes":[10,100],"cluster":[7]}"#;
    let bounds = HistogramBounds::parse(text).expect("bounds");
    let (snapshot, _) = Snapshot::build(&load(&[], None).0, workload(Mode::Sidecar));
    let current = Arc::new(Current::new(snapshot));
    let metrics = Metrics::with_bounds(Mode::Sidecar, Identity::unknown(), current, &bounds);
    let shard = metrics.shard();
    let mut facts = routed(request("a.test", OutcomeKind::Route));
    facts.downstream.wire.sent = 50;
    shard.report(&facts);
    let cluster = shard.upstream.cluster(&"a".into());
    CountedConnection::begin(&cluster).connected(std::time::Duration::from_millis(8));
    let scraped = scrape(&metrics);
    let buckets = |name: &str| -> Vec<(String, f64)> {
        let found = scraped.of(&format!("{name}_bucket"), &[]);
        found
            .iter()
            .map(|sample| (sample.labels["le"].clone(), sample.value))
            .collect()
    };
    let expected = |list: &[(&str, f64)]| -> Vec<(String, f64)> {
        list.iter()
            .map(|(bound, count)| ((*bound).to_owned(), *count))
            .collect()
    };
    assert_eq!(
        buckets("istio_response_bytes"),
        expected(&[("10", 0.0), ("100", 1.0), ("+Inf", 1.0)])
    );
    assert_eq!(
        buckets("envoy_cluster_upstream_cx_connect_ms"),
        expected(&[("7", 0.0), ("+Inf", 1.0)])
    );
    assert_eq!(buckets("istio_request_bytes").len(), 20);
}

#[test]
fn bytes_of_a_stream_are_those_of_its_cluster_too() {
    let metrics = metrics(Mode::Sidecar);
    let shard = metrics.shard();
    let mut facts = routed(stream(CallProtocol::Tcp, OutcomeKind::Route));
    facts.upstream = Some(shard.upstream.cluster(&"outbound|443||a.test".into()));
    let bytes = Arc::clone(facts.stream.insert(Arc::default()));
    shard.opened(&facts);
    bytes.from_client.add(10);
    shard.count_open_streams();
    (facts.bytes_received, facts.bytes_sent) = (12, 100);
    shard.report(&facts);
    shard.report(&stream(CallProtocol::Tls, OutcomeKind::Blackhole));
    let scraped = scrape(&metrics);
    let cluster = [("cluster_name", "outbound|443||a.test")];
    let sum = |family: &str| scraped.sum(&format!("envoy_cluster_upstream_cx_{family}"), &cluster);
    assert_eq!(
        (sum("tx_bytes_total"), sum("rx_bytes_total")),
        (12.0, 100.0)
    );
    for prefix in ["outbound|443||a.test", "BlackHoleCluster"] {
        let prefix = [("tcp_prefix", prefix)];
        assert_eq!(scraped.sum("envoy_tcp_downstream_cx_total", &prefix), 1.0);
    }
}
