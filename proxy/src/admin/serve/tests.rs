use std::path::Path;

use egret_config::labels::Labels;
use egret_config::snapshot::workload::Mode;
use egret_config::snapshot::workload::Workload;
use jiff::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::task;
use tokio::task::LocalSet;

use super::*;
use crate::current::Current;
use crate::dns::names::Names;
use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::listen::reconcile::Board;
use crate::source::files::Options;
use crate::source::follow::Source;
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
    let (_, snapshot) = Source::load(options, workload, status.clone()).expect("load");
    Admin {
        current: Arc::new(Current::new(snapshot)),
        status,
        board: Board::default(),
        names: Arc::new(Names::new(runtime.handle().clone(), |_| {
            Box::pin(std::future::pending())
        })),
        standings: Arc::default(),
        ready: Ready::new(),
        drain: Drain::new(),
        quit: Arc::new(Notify::new()),
        started: Timestamp::now(),
        threads: 1,
    }
}

fn ask(admin: &Admin, method: &str, uri: &str) -> (u16, String, String) {
    let method = Method::from_bytes(method.as_bytes()).expect("method");
    let response = answer(Pages::Admin, admin, &method, &uri.parse().expect("uri"));
    told(response)
}

fn told(response: Response<Full<Bytes>>) -> (u16, String, String) {
    let content_type = response.headers()[CONTENT_TYPE]
        .to_str()
        .expect("text")
        .to_owned();
    let status = response.status().as_u16();
    let body = futures_util::FutureExt::now_or_never(http_body_util::BodyExt::collect(
        response.into_body(),
    ));
    let body = body.expect("whole").expect("infallible").to_bytes();
    (
        status,
        content_type,
        String::from_utf8(body.to_vec()).expect("text"),
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
    let health = |uri: &str| {
        told(answer(
            Pages::Health,
            &admin,
            &Method::GET,
            &uri.parse().expect("uri"),
        ))
    };
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
fn quitting_over_a_socket_notifies_the_process() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    let socket = crate::listen::bind::alone(
        crate::listen::bind::Purpose::Admin,
        "127.0.0.1:0".parse().expect("address"),
    )
    .expect("bind");
    let address = socket.local_addr().expect("address");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    LocalSet::new().block_on(&runtime, async {
        task::spawn_local(serve(socket, Pages::Admin, admin.clone()));
        let mut client = TcpStream::connect(address).await.expect("connect");
        client
            .write_all(b"POST /quitquitquit HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .expect("write");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("read");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("OK\n"),
            "{answer}"
        );
        admin.quit.notified().await;
    });
}
