//! The shapes of pages that scripts read, and orders with a query.

use std::sync::Mutex;

use serde_json::Value;

use super::*;
use crate::lock::lock;

fn json(admin: &Admin, uri: &str) -> Value {
    let (status, content_type, body) = ask(admin, "GET", uri);
    assert_eq!((status, &*content_type), (200, "application/json"), "{uri}");
    serde_json::from_str(&body).expect(uri)
}

#[test]
fn server_info_has_envoys_fields() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = Admin {
        surroundings: Surroundings {
            pod: Some("web-1".into()),
            workload: Some("web".into()),
            cluster: Some("east".into()),
            ..Surroundings::default()
        },
        ..admin(folder.path())
    };
    let info = json(&admin, "/server_info");
    for (pointer, expected) in [
        ("/state", json!("LIVE")),
        ("/hot_restart_version", json!("disabled")),
        ("/uptime_current_epoch", json!("0s")),
        ("/uptime_all_epochs", json!("0s")),
        ("/command_line_options/concurrency", json!(1)),
        (
            "/node/id",
            json!("sidecar~~web-1.shop~shop.svc.cluster.local"),
        ),
        ("/node/cluster", json!("web.shop")),
        ("/node/metadata/NAMESPACE", json!("shop")),
        ("/node/metadata/NAME", json!("web-1")),
        ("/node/metadata/WORKLOAD_NAME", json!("web")),
        ("/node/metadata/CLUSTER_ID", json!("east")),
        ("/node/metadata/LABELS", json!({"app": "web"})),
        ("/mode", json!("sidecar")),
        ("/policy", json!("ALLOW_ANY")),
        ("/namespace", json!("shop")),
        ("/configuration/status", json!("accepted")),
        ("/configuration/version", json!(1)),
    ] {
        assert_eq!(
            info.pointer(pointer),
            Some(&expected),
            "{pointer}: {info:#}"
        );
    }
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn listeners_have_envoys_shape_in_both_forms() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("a.yaml"), ELSEWHERE).expect("write");
    let admin = admin(folder.path());
    let listeners = json(&admin, "/listeners?format=json");
    let status = json!({
        "name": "0.0.0.0_80",
        "local_address": {"socket_address": {"address": "0.0.0.0", "port_value": 80}},
    });
    let statuses = listeners["listener_statuses"].as_array().expect("a list");
    assert!(statuses.contains(&status), "{statuses:#?}");
    let text = ask(&admin, "GET", "/listeners").2;
    assert!(text.starts_with("0.0.0.0_80::0.0.0.0:80\n"), "{text}");
}

#[test]
fn clusters_are_selected_by_an_expression() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("a.yaml"), ELSEWHERE).expect("write");
    let admin = admin(folder.path());
    let names = |filter: &str| -> Vec<String> {
        let page = json(&admin, &format!("/clusters?format=json{filter}"));
        let clusters = page["cluster_statuses"].as_array().expect("a list");
        let names = clusters.iter().filter_map(|one| one["name"].as_str());
        names.map(str::to_owned).collect()
    };
    let all = [
        "outbound|80||elsewhere.example",
        "BlackHoleCluster",
        "PassthroughCluster",
    ];
    assert_eq!(names(""), all);
    assert_eq!(names("&filter="), all);
    assert_eq!(names("&filter=Cluster$"), all[1..]);
    assert_eq!(names("&filter=%5Eoutbound%5C%7C80"), all[..1]);
    assert!(names("&filter=nothing").is_empty());
    let text = ask(&admin, "GET", "/clusters?filter=Black").2;
    assert!(
        text.contains("BlackHoleCluster") && !text.contains("elsewhere"),
        "{text}"
    );
    assert_eq!(ask(&admin, "GET", "/clusters?filter=%5B").0, 400);
}

#[test]
fn pages_that_have_nothing_to_say_have_their_shape() {
    let folder = tempfile::tempdir().expect("folder");
    let admin = admin(folder.path());
    assert_eq!(json(&admin, "/runtime"), json!({}));
    assert_eq!(json(&admin, "/certs"), json!({"certificates": []}));
    assert_eq!(ask(&admin, "GET", "/config_dump?include_eds").0, 200);
    assert!(json(&admin, "/config_dump?include_eds&format=json").is_object());
}

#[test]
fn problems_are_listed_with_those_of_an_edit_that_is_not_in_force() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("a.yaml");
    std::fs::write(&file, ELSEWHERE).expect("write");
    let fine = admin(folder.path());
    let nothing = json!({"problems": [], "rejected": null});
    assert_eq!(json(&fine, "/problems?format=json"), nothing);
    assert_eq!(ask(&fine, "GET", "/problems").2, "none\n");
    std::fs::write(&file, ELSEWHERE.replace("STATIC", "SOMEHOW")).expect("write");
    let admin = admin(folder.path());
    let rejected = vec!["a.yaml:3: the reason".to_owned()];
    admin.status.reject(Timestamp::UNIX_EPOCH, rejected);
    let page = json(&admin, "/problems?format=json");
    assert_eq!(page["problems"][0]["object"], "ServiceEntry shop/elsewhere");
    assert_eq!(page["rejected"]["reasons"][0], "a.yaml:3: the reason");
    let text = ask(&admin, "GET", "/problems").2;
    assert!(
        text.starts_with("rejected: a.yaml:3: the reason\nerror: "),
        "{text}"
    );
}

/// A gateway's certificate and key in a Secret.
fn secret(folder: &Path) -> (String, String) {
    let key = rcgen::KeyPair::generate().expect("key");
    let params = rcgen::CertificateParams::new(["shop.example".to_owned()]).expect("names");
    let certificate = params.self_signed(&key).expect("certificate").pem();
    let indented = |pem: &str| pem.trim().replace('\n', "\n    ");
    let text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: mine, namespace: shop}}\nstringData:\n  \
         tls.crt: |\n    {}\n  tls.key: |\n    {}\n---\n{ORIGINATED}",
        indented(&certificate),
        indented(&key.serialize_pem()),
    );
    std::fs::write(folder.join("a.yaml"), text).expect("write");
    (certificate, key.serialize_pem())
}

const ORIGINATED: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: elsewhere, namespace: shop}
spec:
  hosts: [elsewhere.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: elsewhere, namespace: shop}
spec:
  host: elsewhere.example
  workloadSelector: {matchLabels: {app: web}}
  trafficPolicy: {tls: {mode: MUTUAL, credentialName: mine}}
";

#[test]
fn certificates_are_shown_and_private_keys_are_on_no_page() {
    let folder = tempfile::tempdir().expect("folder");
    let (_, key) = secret(folder.path());
    let admin = admin(folder.path());
    let certs = json(&admin, "/certs");
    let chain = certs.pointer("/certificates/0/cert_chain/0");
    let chain = chain.unwrap_or_else(|| panic!("{certs:#}"));
    assert_eq!(chain["subject_alt_names"], json!([{"dns": "shop.example"}]));
    assert!(
        chain["days_until_expiration"].as_str().is_some(),
        "{chain:#}"
    );
    for field in ["path", "serial_number", "valid_from", "expiration_time"] {
        assert!(chain[field].is_string(), "{field}: {chain:#}");
    }
    let secret = key.lines().nth(1).expect("a line of the key");
    for page in pages::PAGES.iter().filter(|page| page.verb == Verb::Get) {
        for form in ["", "?format=json"] {
            let body = ask(&admin, "GET", &format!("{}{form}", page.path)).2;
            assert!(!body.contains(secret), "{}{form}", page.path);
            assert!(!body.contains("PRIVATE KEY"), "{}{form}", page.path);
        }
    }
}

#[test]
fn levels_of_loggers_change_at_once_or_not_at_all() {
    let folder = tempfile::tempdir().expect("folder");
    let applied = Arc::<Mutex<Vec<Targets>>>::default();
    let sink = Arc::clone(&applied);
    let info: Targets = "info".parse().expect("a filter");
    let admin = Admin {
        log_levels: Arc::new(LogLevels::new(&info, move |filter| {
            lock(&sink).push(filter)
        })),
        ..admin(folder.path())
    };
    let shown = |query: &str| {
        let (status, _, body) = ask(&admin, "POST", &format!("/logging{query}"));
        assert_eq!(status, 200, "{query}: {body}");
        assert!(body.starts_with("active loggers:\n  accept: "), "{body}");
        body
    };
    for logger in [
        "accept", "http", "tcp", "tls", "dns", "upstream", "source", "admin",
    ] {
        assert!(
            shown("").contains(&format!("\n  {logger}: info\n")),
            "{logger}"
        );
    }
    assert!(lock(&applied).is_empty(), "showing them changes nothing");
    let text = shown("?http=debug");
    assert!(
        text.contains("  http: debug\n") && text.contains("  tls: info\n"),
        "{text}"
    );
    let text = shown("?paths=tls:trace,dns:off");
    assert!(
        text.contains("  tls: trace\n") && text.contains("  dns: off\n"),
        "{text}"
    );
    let text = shown("?level=warning");
    assert_eq!(
        text.matches(": warning\n").count(),
        text.lines().count() - 1,
        "{text}"
    );
    let changes = lock(&applied).len();
    for wrong in [
        "?level=loud",
        "?nothing=debug",
        "?http=loud",
        "?paths=http:debug,nothing:debug",
        "?paths=http",
        "?level=debug&nothing=debug",
    ] {
        let (status, _, body) = ask(&admin, "POST", &format!("/logging{wrong}"));
        assert_eq!(status, 400, "{wrong}: {body}");
        assert!(body.starts_with("unknown "), "{wrong}: {body}");
    }
    assert_eq!(lock(&applied).len(), changes, "nothing changed");
    assert!(!shown("").contains("debug"));
}
