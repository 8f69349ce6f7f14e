//! The admin page of the destinations that were called.

use anyhow::Context;
use egret_tests::DEADLINE;
use egret_tests::client::curl;
use egret_tests::egret::{ADMIN, Proxy};
use egret_tests::folder::Folder;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::scrape;
use egret_tests::topology::World;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::helpers::stage;
use crate::helpers::stage::registered_elsewhere;

/// The rows of the page that `query` selects.
fn rows(proxy: &Proxy<'_>, query: &str) -> anyhow::Result<Vec<Value>> {
    let page = proxy.page(&format!("/destinations{query}"))?;
    anyhow::ensure!(page.status == 200, "{query}: {}", page.body);
    let page: Value = serde_json::from_str(&page.body)?;
    let rows = page["destinations"].as_array().context("rows")?;
    anyhow::ensure!(
        page["total"] == rows.len() && page["dropped"] == 0,
        "{page:#}"
    );
    Ok(rows.clone())
}

/// The row of a name with a verdict, once it has so many calls that ended.
fn row(proxy: &Proxy<'_>, name: &str, verdict: &str, calls: u64) -> anyhow::Result<Value> {
    let of = |body: &str| -> Option<Value> {
        let page: Value = serde_json::from_str(body).ok()?;
        let mut rows = page["destinations"].as_array()?.iter();
        let is_it = |row: &&Value| row["name"] == name && row["verdict"] == verdict;
        rows.find(is_it)
            .filter(|row| row["calls"] == calls && row["active"] == 0)
            .cloned()
    };
    let page = proxy.await_page("/destinations", DEADLINE, |body| of(body).is_some())?;
    let page = page.body;
    of(&page).with_context(|| format!("{name} {verdict} in {page}"))
}

#[test]
fn every_destination_has_a_row_and_rows_survive_reloads() -> anyhow::Result<()> {
    let world = World::new("destinations", Family::V4)?;
    world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "hello")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = registered_elsewhere()?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(rows(&sidecar, "")?, Vec::<Value>::new());
    for _ in 0..2 {
        assert_eq!(curl(&pod, &["elsewhere.example"])?.status, 200);
    }
    assert_eq!(
        curl(&pod, &["-H", "Host: =Bank.example", "elsewhere.example"])?.status,
        502
    );
    assert_ne!(curl(&pod, &["-k", "https://elsewhere.example"])?.exit, 0);

    let routed = row(&sidecar, "elsewhere.example", "route", 2)?;
    for (field, expected) in [
        ("named_by", json!("host")),
        ("address", json!(ELSEWHERE.v4())),
        ("port", json!(80)),
        ("protocol", json!("http")),
        ("cluster", json!("outbound|80||elsewhere.example")),
        ("object", json!("ServiceEntry default/elsewhere-example")),
        ("failed", json!(0)),
        ("bytes_sent", json!(2 * "hello".len())),
        ("bytes_received", json!(0)),
    ] {
        assert_eq!(routed[field], expected, "{field}: {routed:#}");
    }
    assert!(routed["latency_ms"]["p50"].as_f64() <= routed["latency_ms"]["p99"].as_f64());
    let refused = row(&sidecar, "=bank.example", "blackhole", 1)?;
    let reason = refused["reason"].as_str().context("a reason")?;
    assert!(reason.contains("REGISTRY_ONLY"), "{reason}");
    assert_eq!(
        (&refused["object"], &refused["failed"]),
        (&Value::Null, &json!(0))
    );
    let tls = row(&sidecar, "elsewhere.example", "blackhole", 1)?;
    assert_eq!(
        (&tls["named_by"], &tls["protocol"]),
        (&json!("sni"), &json!("tls"))
    );

    // The endpoint has its counts, in Envoy's shape.
    let clusters = sidecar.json("/clusters")?;
    let clusters = clusters["cluster_statuses"]
        .as_array()
        .context("clusters")?;
    let mut clusters = clusters.iter();
    let cluster = clusters.find(|one| one["name"] == "outbound|80||elsewhere.example");
    let cluster = cluster.context("the cluster")?;
    for (name, expected) in [
        ("rq_total", "2"),
        ("rq_success", "2"),
        ("rq_error", "0"),
        ("rq_active", "0"),
    ] {
        let stats = cluster["host_statuses"][0]["stats"]
            .as_array()
            .context("stats")?;
        let stat = stats
            .iter()
            .find(|stat| stat["name"] == name)
            .context(name)?;
        assert_eq!(stat["value"], expected, "{name}: {cluster:#}");
    }

    let names = |query: &str| -> anyhow::Result<Vec<String>> {
        let rows = rows(&sidecar, query)?.into_iter();
        Ok(rows
            .map(|row| row["name"].as_str().unwrap_or("-").to_owned())
            .collect())
    };
    assert_eq!(names("?q=BANK")?, ["=bank.example"]);
    assert_eq!(names("?verdict=route&sort=bytes")?, ["elsewhere.example"]);
    assert_eq!(names("?q=%3Dbank&verdict=route")?, Vec::<String>::new());
    assert_eq!(names("?sort=name")?[0], "=bank.example");
    for wrong in ["?verdict=maybe", "?sort=size", "?limit=some", "?format=xml"] {
        assert_eq!(
            sidecar.page(&format!("/destinations{wrong}"))?.status,
            400,
            "{wrong}"
        );
    }
    let csv = sidecar.page("/destinations?format=csv&q=bank")?.body;
    let mut lines = csv.split("\r\n");
    assert_eq!(
        lines.next(),
        Some(
            "name,named_by,address,port,protocol,verdict,reason,cluster,object,calls,active,failed,bytes_sent,\
             bytes_received,p50_ms,p99_ms,first,last"
        )
    );
    let line = lines.next().context("a row")?;
    assert!(
        line.starts_with("'=bank.example,host,") && line.contains(",blackhole,"),
        "{csv}"
    );
    assert_eq!(lines.collect::<Vec<_>>(), [""], "{csv}");

    // Without its entry the name is refused: a new row, beside the one that stays.
    config.remove(&["elsewhere.yaml"])?;
    sidecar.await_page("/clusters", DEADLINE, |clusters| {
        !clusters.contains("elsewhere.example")
    })?;
    assert_eq!(curl(&pod, &["elsewhere.example"])?.status, 502);
    let page = sidecar.await_page("/destinations?q=elsewhere", DEADLINE, |page| {
        page.matches("\"protocol\": \"http\"").count() == 2
    })?;
    assert!(page.body.contains("\"calls\": 2"), "{}", page.body);
    Ok(())
}

#[test]
fn a_level_is_in_force_at_once_and_every_call_leaves_its_decision() -> anyhow::Result<()> {
    let world = World::new("logging", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[stage::REGISTRY_ONLY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let levels = scrape::post(&pod, ADMIN, "/logging?level=debug")?;
    assert_eq!(levels.status, 200);
    assert!(levels.body.contains("\n  http: debug\n"), "{}", levels.body);
    assert_eq!(curl(&pod, &["elsewhere.example"])?.status, 502);
    sidecar.await_log(&[
        "request decided",
        "elsewhere.example",
        "blackhole",
        "REGISTRY_ONLY",
    ])?;
    assert_ne!(curl(&pod, &["-k", "https://elsewhere.example"])?.exit, 0);
    sidecar.await_log(&["connection decided", "elsewhere.example", "blackhole"])?;
    assert_eq!(scrape::post(&pod, ADMIN, "/logging?level=off")?.status, 200);
    let before = sidecar.errors.len();
    assert_eq!(curl(&pod, &["aliyun.com"])?.status, 502);
    assert_eq!(scrape::post(&pod, ADMIN, "/logging?http=loud")?.status, 400);
    assert_eq!(
        scrape::post(&pod, ADMIN, "/logging?http=debug")?.status,
        200
    );
    assert_eq!(curl(&pod, &["httpbin.com"])?.status, 502);
    sidecar.await_log(&["request decided", "httpbin.com"])?;
    let since = sidecar.errors.all().split_off(before);
    assert!(
        !since.iter().any(|line| line.contains("aliyun.com")),
        "{since:?}"
    );
    assert_eq!(sidecar.page("/logging")?.status, 405);
    Ok(())
}
