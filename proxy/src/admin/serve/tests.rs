mod connections;
mod metrics;
mod rules;
mod shapes;
mod statistics;

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;

use egret_config::labels::Labels;
use egret_config::model::mesh::FormatSource;
use egret_config::snapshot::telemetry::AccessLogTarget;
use egret_config::snapshot::workload::{Mode, Workload};
use futures_util::FutureExt;
use http::{Method, Uri};
use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tracing_subscriber::filter::Targets;

use super::*;
use crate::current::Current;
use crate::dns::names::Names;
use crate::life::drain::Drain;
use crate::life::end::Command;
use crate::life::ready::Ready;
use crate::listen::reconcile::ListenerStatus;
use crate::logging::LogLevels;
use crate::report::access_log::AccessLog;
use crate::report::destinations::Destinations;
use crate::report::metrics::identity::{Identity, Surroundings};
use crate::report::metrics::registry::Metrics;
use crate::report::reporter::{Reporter, Sink};
use crate::source::compile::Terms;
use crate::source::files::Options;
use crate::source::files::follow::FileSource;
use crate::source::status::Status;

fn admin(folder: &Path) -> Admin {
    let workload = Workload {
        labels: Labels::parse("app=web").expect("labels"),
        ..Workload::new(Mode::Sidecar, "shop")
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("runtime");
    let status = Status::default();
    let options = Options {
        paths: vec![folder.to_path_buf()],
        mesh_config: None,
    };
    let terms = Terms {
        workload,
        ignore_authorization_policies: false,
    };
    let (_, snapshot) = FileSource::load(options, terms, status.clone()).expect("load");
    let names = Names::new(runtime.handle().clone(), |_| {
        Box::pin(std::future::pending())
    });
    // Nothing runs there. Dropping it would wait, which async tests may not.
    runtime.shutdown_background();
    let current = Arc::new(Current::new(snapshot));
    let metrics = Metrics::new(Mode::Sidecar, Identity::unknown(), Arc::clone(&current));
    let destinations = Destinations::new(Arc::clone(&current));
    Admin {
        current,
        destinations: Arc::new(destinations),
        metrics: Arc::new(metrics),
        captured_queries: None,
        application: Arc::default(),
        status,
        listener_status: ListenerStatus::default(),
        access_log: Arc::new(AccessLog::new(false)),
        names: Arc::new(names),
        shared_clusters: Arc::default(),
        log_levels: Arc::new(LogLevels::new(&Targets::new(), drop)),
        surroundings: Surroundings::default(),
        ready: Ready::new(),
        drain: Drain::new(),
        commands: mpsc::unbounded_channel().0,
        started: Timestamp::now(),
        threads: 1,
    }
}

fn ask(admin: &Admin, method: &str, uri: &str) -> (u16, String, String) {
    let method = Method::from_bytes(method.as_bytes()).expect("method");
    let uri: Uri = uri.parse().expect("uri");
    let asked = Asked::of(uri.query(), &HeaderMap::new());
    parts(pages::admin(admin, &method, uri.path(), asked))
}

fn parts(page: Page) -> (u16, String, String) {
    (
        page.status.as_u16(),
        page.content_type.to_owned(),
        page.body,
    )
}

#[test]
fn every_page_answers_in_its_forms() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    for path in ["/config_dump", "/listeners", "/clusters", "/routes"] {
        let (status, content_type, body) = ask(&admin, "GET", path);
        assert_eq!(
            (status, &*content_type),
            (200, "text/plain; charset=utf-8"),
            "{path}"
        );
        assert!(!body.is_empty() && body.ends_with('\n'), "{path}: {body:?}");
        let (status, content_type, body) = ask(&admin, "GET", &format!("{path}?format=json"));
        assert_eq!(
            (status, &*content_type),
            (200, "application/json"),
            "{path}"
        );
        let value: serde_json::Value = serde_json::from_str(&body).expect(path);
        assert!(value.is_object(), "{path}");
    }
    let info: serde_json::Value =
        serde_json::from_str(&ask(&admin, "GET", "/server_info").2).expect("JSON");
    assert_eq!(
        (&info["state"], &info["namespace"], &info["labels"]["app"]),
        (&"LIVE".into(), &"shop".into(), &"web".into())
    );
    assert_eq!(ask(&admin, "GET", "/").0, 200);
    assert!(ask(&admin, "GET", "/help").2.contains("/config_dump"));
    let unknown = ask(&admin, "GET", "/nothing").2;
    assert_eq!(unknown, "not found: /help names the pages\n");
}

const ELSEWHERE: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: elsewhere, namespace: shop}
spec:
  hosts: [elsewhere.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 198.51.100.1, locality: a/b/c}, {address: 'unix:///run/elsewhere'}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: elsewhere, namespace: shop}
spec:
  host: elsewhere.example
  trafficPolicy:
    loadBalancer: {consistentHash: {httpHeaderName: x-user}}
    connectionPool: {tcp: {maxConnections: 7, connectTimeout: 1.5s}, http: {http1MaxPendingRequests: 3}}
    outlierDetection: {consecutive5xxErrors: 4, interval: 10s}
    tls: {mode: SIMPLE, sni: elsewhere.example}
";

#[test]
fn clusters_have_envoys_shape() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("a.yaml"), ELSEWHERE).expect("write");
    let admin = admin(folder.path());
    let body = ask(&admin, "GET", "/clusters?format=json").2;
    let page: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let named = |name: &str| {
        let mut clusters = page["cluster_statuses"].as_array().into_iter().flatten();
        clusters.find(|one| one["name"] == name).expect("cluster")
    };
    let cluster = named("outbound|80||elsewhere.example");
    let at = |pointer: &str| {
        cluster
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer} in {cluster:#}"))
    };
    for (pointer, expected) in [
        (
            "/observability_name",
            json!("outbound|80||elsewhere.example"),
        ),
        ("/added_via_api", json!(true)),
        ("/circuit_breakers/thresholds/0/max_connections", json!(7)),
        (
            "/circuit_breakers/thresholds/0/max_pending_requests",
            json!(3),
        ),
        (
            "/circuit_breakers/thresholds/0/max_requests",
            json!(u32::MAX),
        ),
        (
            "/host_statuses/0/address/socket_address",
            json!({"address": "198.51.100.1", "port_value": 80}),
        ),
        (
            "/host_statuses/0/health_status/eds_health_status",
            json!("HEALTHY"),
        ),
        ("/host_statuses/0/weight", json!(1)),
        (
            "/host_statuses/0/stats/0",
            json!({"name": "cx_active", "value": "0", "type": "GAUGE"}),
        ),
        (
            "/host_statuses/0/stats/7",
            json!({"name": "rq_total", "value": "0", "type": "COUNTER"}),
        ),
        (
            "/host_statuses/0/locality",
            json!({"region": "a", "zone": "b", "sub_zone": "c"}),
        ),
        (
            "/host_statuses/1/address/pipe/path",
            json!("/run/elsewhere"),
        ),
        (
            "/policy/loadBalancer",
            json!({"consistentHash": {"httpHeaderName": "x-user"}}),
        ),
        ("/policy/connectTimeout", json!("1.5s")),
        ("/policy/connectionPool/tcp/maxConnections", json!(7)),
        ("/policy/outlierDetection/consecutive5xxErrors", json!(4)),
        ("/policy/outlierDetection/interval", json!("10s")),
        ("/policy/tls/sni", json!("elsewhere.example")),
    ] {
        assert_eq!(*at(pointer), expected, "{pointer}");
    }
    for name in ["PassthroughCluster", "BlackHoleCluster"] {
        assert_eq!(named(name)["host_statuses"], json!([]));
    }
    for debug in ["Some(", "None", "ConnectionPool {", "1.5s\\"] {
        assert!(!body.contains(debug), "{debug} in {body}");
    }
}

#[test]
fn explain_offers_the_yaml_that_would_allow_a_call() {
    let folder = tempfile::tempdir().expect("folder");
    let mesh = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    \
                outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n";
    std::fs::write(folder.path().join("mesh.yaml"), mesh).expect("write");
    std::fs::write(folder.path().join("a.yaml"), ELSEWHERE).expect("write");
    let admin = admin(folder.path());
    let unknown = "/explain?to=192.0.2.9:443&protocol=tls&sni=bank.example";
    let (status, _, text) = ask(&admin, "GET", unknown);
    assert_eq!(status, 200, "{text}");
    assert!(text.starts_with("blackhole"), "{text}");
    for words in ["kind: ServiceEntry", "- bank.example", "number: 443"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    // What is registered with other ports is not registered once more.
    let other = "/explain?to=192.0.2.9:443&protocol=tls&sni=elsewhere.example";
    let text = ask(&admin, "GET", other).2;
    assert!(
        text.contains("ServiceEntry shop/elsewhere has the host, but not the port"),
        "{text}"
    );
    let (status, _, text) = ask(&admin, "GET", "/explain?to=nowhere");
    assert_eq!((status, text.lines().count()), (400, 1), "{text}");
}

#[test]
fn odd_requests_are_refused_kindly() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    for (method, uri, expected) in [
        ("GET", "/nothing", 404),
        ("GET", "/config_dump/", 404),
        ("GET", "/READY", 404),
        ("POST", "/ready", 405),
        ("DELETE", "/config_dump", 405),
        ("GET", "/quitquitquit", 405),
        ("HEAD", "/ready", 200),
        ("FOO", "/clusters", 405),
        ("OPTIONS", "*", 404),
        ("GET", "/clusters?format=xml&&=&%00", 200),
        ("GET", "/clusters?include_eds&FORMAT=JSON", 200),
        ("GET", "http://elsewhere.test/ready", 200),
        ("CONNECT", "elsewhere.test:443", 404),
    ] {
        assert_eq!(ask(&admin, method, uri).0, expected, "{method} {uri}");
    }
}

#[test]
fn ready_and_health_follow_the_process() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    let health = |uri: &str| parts(pages::health(&admin, &Method::GET, uri));
    assert_eq!(ask(&admin, "GET", "/ready").2, "LIVE\n");
    assert_eq!(health("/healthz/ready").0, 200);
    assert_eq!(health("/config_dump").0, 404);
    let pending = admin.ready.wait_for("listeners");
    let (status, _, body) = ask(&admin, "GET", "/ready");
    assert!(
        status == 503 && body.contains("PRE_INITIALIZING") && body.contains("listeners"),
        "{body}"
    );
    assert_eq!(health("/healthz/ready").0, 503);
    pending.done();
    assert_eq!(ask(&admin, "GET", "/ready").0, 200);
    admin.drain.start();
    let (status, _, body) = ask(&admin, "GET", "/ready");
    assert!(status == 503 && body.contains("DRAINING"), "{body}");
}

#[test]
fn a_rejected_edit_is_told_with_its_reasons() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    admin.status.reject(
        Timestamp::UNIX_EPOCH,
        vec!["a.yaml:3: the reason".to_owned()],
    );
    let (_, _, text) = ask(&admin, "GET", "/config_dump");
    assert!(
        text.starts_with("status: rejected") && text.contains("a.yaml:3: the reason"),
        "{text}"
    );
    let value: serde_json::Value =
        serde_json::from_str(&ask(&admin, "GET", "/config_dump?format=json").2).expect("JSON");
    assert_eq!(value["status"], "rejected");
    assert_eq!(value["rejected"]["problems"][0], "a.yaml:3: the reason");
    assert_eq!(value["rejected"]["since"], "1970-01-01T00:00:00Z");
    assert_eq!(value["loaded"]["version"], 1);
}

#[test]
fn lines_of_the_access_log_are_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    let counted = || {
        let (_, _, text) = ask(&admin, "GET", "/config_dump");
        let (_, _, json) = ask(&admin, "GET", "/config_dump?format=json");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let (_, counts) = text.split_once("ACCESS LOG\n").expect("counts");
        let (counts, _) = counts.split_once("\n\n").expect("more");
        (counts.to_owned(), json["access_log"].clone())
    };
    let counts = |written: u64, dropped: u64| {
        (
            format!("  lines written: {written}\n  lines dropped: {dropped}"),
            json!({ "lines_written": written, "lines_dropped": dropped }),
        )
    };
    let log: Arc<dyn Sink> = admin.access_log.clone();
    let reporter = Reporter::new([log]);
    // A file that takes no bytes.
    for (file, expected) in [
        ("log".as_ref(), counts(2, 0)),
        (Path::new("/dev/full"), counts(2, 2)),
    ] {
        let path = folder.path().join(file).to_str().expect("UTF-8").into();
        let (_, errors) = admin.access_log.configure(&[AccessLogTarget {
            provider: None,
            path,
            format: FormatSource::DefaultJson,
            omit_empty: false,
            filter: None,
        }]);
        assert!(errors.is_empty(), "{errors:?}");
        for _ in 0..2 {
            reporter.begin().end();
        }
        assert!(admin.access_log.flush(Duration::from_secs(60)));
        assert_eq!(counted(), expected);
    }
}

#[test]
fn a_call_is_explained_by_what_is_in_force_and_not_by_the_files() {
    const QUERY: &str = "/explain?to=203.0.113.9:443&protocol=tls&sni=hidden.example";
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("a.yaml");
    let registry_only = "
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: 'outboundTrafficPolicy: {mode: REGISTRY_ONLY}'}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: hidden, namespace: other}
spec:
  hosts: [hidden.example]
  exportTo: ['.']
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: DNS
";
    std::fs::write(&file, registry_only).expect("write");
    let admin = admin(folder.path());
    let told = ask(&admin, "GET", QUERY).2;
    assert!(
        told.contains("ServiceEntry other/hidden has the host and port 443"),
        "{told}"
    );
    std::fs::remove_file(&file).expect("remove");
    assert_eq!(ask(&admin, "GET", QUERY).2, told);
}

/// Serves the admin pages to so many clients at a time, while `talk` talks to them.
async fn served<F: Future>(admin: &Admin, clients_max: usize, talk: impl FnOnce(SocketAddr) -> F) {
    served_as(Pages::Admin, admin, clients_max, talk).await;
}

/// The same with other pages.
async fn served_as<F: Future>(
    pages: Pages,
    admin: &Admin,
    clients_max: usize,
    talk: impl FnOnce(SocketAddr) -> F,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let serving = serve(listener, pages, admin.clone(), clients_max);
    let talking = LocalSet::new();
    talking.spawn_local(serving);
    talking.run_until(talk(address)).await;
}

async fn connected(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connect")
}

async fn said(client: &mut TcpStream, request: &str) -> String {
    client.write_all(request.as_bytes()).await.expect("write");
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("read");
    answer
}
