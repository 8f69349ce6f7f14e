//! Text statistics, as Istio's agent and people ask for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{admin, ask};
use crate::admin::{Admin, metrics};
use crate::report::metrics::envoy::under_way::{CountedConnection, RequestInFlight};
use crate::report::metrics::tests::exposition::Exposition;

/// An admin whose one worker accepted three connections, two of which are open, and called one cluster.
fn busy(admin: &Admin) -> Vec<impl Drop> {
    let shard = admin.metrics.shard();
    let everywhere: SocketAddr = ([0, 0, 0, 0], 16_001).into();
    let listener = shard.downstream.listener(everywhere);
    drop(listener.connection());
    let open = vec![listener.connection(), listener.connection()];
    let cluster = shard.upstream.cluster(&"outbound|80||a.test".into());
    let mut request = RequestInFlight::begin(&cluster, None, http::Version::HTTP_11);
    request.complete();
    drop(request);
    cluster.completed(200, None);
    CountedConnection::begin(&cluster).connected(Duration::from_millis(20));
    shard.downstream.http(80).request();
    open
}

fn read(text: &str) -> Exposition {
    Exposition::read(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn names(body: &str) -> Vec<&str> {
    let lines = body.lines();
    lines
        .map(|line| line.split_once(": ").expect("a value").0)
        .collect()
}

#[test]
fn what_istios_agent_asks_is_answered() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    let _open = busy(&admin);
    for filter in [
        "^(server\\.state|listener_manager\\.workers_started)",
        "%5E%28server%5C.state%7Clistener_manager%5C.workers_started%29",
    ] {
        let asked = ask(&admin, "GET", &format!("/stats?usedonly&filter={filter}"));
        let expected = "listener_manager.workers_started: 1\nserver.state: 0\n";
        assert_eq!(
            asked,
            (
                200,
                "text/plain; charset=utf-8".to_owned(),
                expected.to_owned()
            )
        );
    }
    let (_, _, active) = ask(
        &admin,
        "GET",
        "/stats?usedonly&filter=downstream_cx_active$",
    );
    assert_eq!(
        active,
        "http.outbound_0.0.0.0_80;.downstream_cx_active: 0\nlistener.0.0.0.0_16001.downstream_cx_active: 2\n"
    );
}

#[test]
fn statistics_are_sorted_lines_under_envoys_names() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    let _open = busy(&admin);
    let (status, _, body) = ask(&admin, "GET", "/stats");
    assert_eq!(status, 200);
    for line in [
        "server.live: 1",
        "server.concurrency: 1",
        "cluster_manager.cds.update_success: 1",
        "cluster.outbound|80||a.test;.upstream_rq_total: 1",
        "cluster.outbound|80||a.test;.upstream_rq_200: 1",
        "cluster.outbound|80||a.test;.upstream_rq_2xx: 1",
        "cluster.outbound|80||a.test;.upstream_cx_connect_fail: 0",
        "http.outbound_0.0.0.0_80;.downstream_rq_active: 1",
        "egret.draining: 0",
        "egret.verdicts_total.verdict.route.protocol.http: 0",
    ] {
        assert!(body.lines().any(|found| found == line), "{line}: {body}");
    }
    let names = names(&body);
    assert!(names.is_sorted(), "{names:?}");
    let histogram = "cluster.outbound|80||a.test;.upstream_cx_connect_ms: P0(nan,10) P25(nan,";
    assert!(body.contains(histogram), "{body}");
    let unused = "egret.dns_query_duration_seconds: No recorded values\n";
    assert!(body.contains(unused), "{body}");
}

#[test]
fn only_what_is_asked_for_is_shown() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    let _open = busy(&admin);
    let body = |query: &str| ask(&admin, "GET", &format!("/stats?{query}")).2;
    let used = body("usedonly");
    assert!(!used.contains("upstream_cx_connect_fail"), "{used}");
    assert!(used.contains("upstream_rq_total: 1"), "{used}");
    assert!(!used.contains("No recorded values"), "{used}");
    for filter in [
        "a\\.test;\\.upstream_rq_total",
        "a\\.test\\.upstream_rq_total",
    ] {
        assert_eq!(
            body(&format!("filter={filter}")),
            "cluster.outbound|80||a.test;.upstream_rq_total: 1\n"
        );
    }
    assert_eq!(body("filter=no_such_name"), "");
    for (query, wrong) in [
        ("filter=(", "bad request: filter: "),
        ("format=xml", "bad request: format: \"xml\" is none of"),
    ] {
        let (status, _, body) = ask(&admin, "GET", &format!("/stats?{query}"));
        assert_eq!(status, 400, "{query}");
        assert!(body.starts_with(wrong), "{query}: {body}");
    }
    assert_eq!(ask(&admin, "POST", "/stats").0, 405);
}

#[test]
fn statistics_come_as_json_html_and_prometheus() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    let _open = busy(&admin);
    let (status, kind, body) = ask(&admin, "GET", "/stats?format=json&usedonly");
    assert_eq!((status, &*kind), (200, "application/json"));
    let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let all = value["stats"].as_array().expect("a list");
    let live = serde_json::json!({ "name": "server.live", "value": 1 });
    assert!(all.contains(&live), "{body}");
    let histograms = &all.last().expect("histograms")["histograms"];
    let computed = histograms["computed_quantiles"].as_array().expect("a list");
    assert_eq!(
        computed[0]["name"],
        "cluster.outbound|80||a.test;.upstream_cx_connect_ms"
    );
    assert_eq!(
        computed[0]["values"].as_array().map(Vec::len),
        histograms["supported_quantiles"].as_array().map(Vec::len)
    );
    let (_, kind, html) = ask(&admin, "GET", "/stats?format=html");
    assert_eq!(kind, "text/html; charset=utf-8");
    assert!(html.contains("<td>server.live</td><td>1</td>"), "{html}");
    let (_, kind, text) = ask(&admin, "GET", "/stats?format=prometheus");
    assert_eq!(kind, crate::report::metrics::exposition::CONTENT_TYPE);
    let scraped = read(&text);
    assert!(scraped.of("envoy_server_live", &[]).len() == 1, "{text}");
    assert_eq!(scraped.lint("egret_"), Vec::<String>::new());
    let (_, _, text) = ask(
        &admin,
        "GET",
        "/stats?format=prometheus&usedonly&filter=server.live",
    );
    assert_eq!(
        text,
        "# TYPE envoy_server_live gauge\nenvoy_server_live 1\n"
    );
}

#[test]
fn each_family_has_its_definition_and_each_definition_its_family() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = Admin {
        captured_queries: Some(Arc::default()),
        ..admin(folder.path())
    };
    let of = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names
    };
    let defined = metrics::definitions().into_iter();
    let defined = of(defined.map(|definition| definition.name).collect());
    let families = metrics::families(&admin);
    let found = of(families
        .iter()
        .map(|family| family.definition.name)
        .collect());
    assert_eq!(defined, found);
    assert!(defined.windows(2).all(|pair| pair[0] != pair[1]), "twice");
}

/// 5,000 series: every family once, no series twice.
#[test]
fn a_large_scrape_is_correct() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    for worker in 0..2_u16 {
        let shard = admin.metrics.shard();
        for number in 0..200 {
            let name: Arc<str> = format!("outbound|80||{number}.test").into();
            let cluster = shard.upstream.cluster(&name);
            cluster.completed(200 + worker, None);
            CountedConnection::begin(&cluster).connected(Duration::from_millis(1));
        }
    }
    let (status, _, body) = ask(&admin, "GET", "/stats/prometheus");
    assert_eq!(status, 200);
    let scraped = read(&body);
    assert!(scraped.samples.len() > 5_000, "{}", scraped.samples.len());
    let name = [("cluster_name", "outbound|80||7.test")];
    assert_eq!(scraped.sum("envoy_cluster_upstream_cx_total", &name), 2.0);
    let class = [name[0], ("response_code_class", "2xx")];
    assert_eq!(scraped.sum("envoy_cluster_upstream_rq", &class), 2.0);
    let code = [name[0], ("response_code", "201")];
    assert_eq!(scraped.sum("envoy_cluster_upstream_rq", &code), 1.0);
    assert_eq!(scraped.lint("egret_"), Vec::<String>::new());
}
