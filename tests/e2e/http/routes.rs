//! What routes do with requests of real clients: retries with their bodies, mirrors, CORS, time limits, faults.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::{Answer, at_once, httpbin, text};
use egret_tests::places::{ELSEWHERE, Family, HTTPBIN_ORG, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, assert_fields, field};

/// Both sites registered, with one rule for httpbin.org.
fn config(rule: &str) -> anyhow::Result<Folder> {
    let config = Folder::with(&[REGISTRY_ONLY, "google_by_sni/httpbin.yaml"])?;
    let elsewhere = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: elsewhere}\nspec:\n  \
        hosts: [elsewhere.example]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: DNS\n";
    config.write("elsewhere.yaml", elsewhere)?;
    let route = format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: httpbin}}\nspec:\n  \
         hosts: [httpbin.org]\n  http:\n  - route: [{{destination: {{host: httpbin.org}}}}]\n    {rule}\n"
    );
    config.write("route.yaml", &route)?;
    Ok(config)
}

/// Fails this often, then answers.
fn failing(times: usize) -> Answer {
    let left = AtomicUsize::new(times);
    at_once(move |seen| {
        let failing = left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
            left.checked_sub(1)
        });
        match failing {
            Ok(_) => text(StatusCode::SERVICE_UNAVAILABLE, "busy\n"),
            Err(_) => text(StatusCode::OK, &format!("{} bytes\n", seen.body.len())),
        }
    })
}

#[test]
fn a_post_is_tried_again_with_its_body() -> anyhow::Result<()> {
    let world = World::new("routes-retries", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &failing(2))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config("retries: {attempts: 3, retryOn: 'gateway-error,503', backoff: 1ms}")?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let body = "x".repeat(60_000);
    let answer = curl(
        &pod,
        &[
            "-H",
            "Transfer-Encoding: chunked",
            "-d",
            &body,
            "http://httpbin.org/post",
        ],
    )?;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "60000 bytes\n"),
        "{answer:?}"
    );
    let counts: Vec<_> = origin
        .requests
        .all()
        .iter()
        .map(|seen| {
            (
                seen.body.len(),
                seen.headers["x-envoy-attempt-count"].clone(),
            )
        })
        .collect();
    assert_eq!(counts.len(), 3);
    for (number, (length, count)) in counts.iter().enumerate() {
        assert_eq!(
            (*length, count.as_bytes()),
            (body.len(), (number + 1).to_string().as_bytes())
        );
    }
    let line = sidecar.await_access(|line| field(line, "path") == "/post")?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(200)),
            ("response_flags", json!("-")),
        ],
    );
    Ok(())
}

#[test]
fn tries_run_out() -> anyhow::Result<()> {
    let world = World::new("routes-retries-out", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &failing(9))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config("retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}")?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &["http://httpbin.org/get"])?;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (503, "busy\n"),
        "{answer:?}"
    );
    assert_eq!(origin.requests.len(), 2);
    let line = sidecar.await_access(|line| field(line, "path") == "/get")?;
    assert_fields(
        &line,
        &[
            ("response_flags", json!("URX")),
            ("response_code_details", json!("via_upstream")),
        ],
    );
    Ok(())
}

#[test]
fn a_mirror_sees_what_the_origin_sees() -> anyhow::Result<()> {
    let world = World::new("routes-mirror", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &failing(0))?;
    let mirror = world.http(ELSEWHERE, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config("mirror: {host: elsewhere.example}")?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &["-d", "a=b", "http://httpbin.org/post"])?;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "3 bytes\n"),
        "{answer:?}"
    );
    let copy = mirror.requests.await_one(|seen| seen.target == "/post")?;
    let seen = origin.only_request()?;
    assert_eq!(
        (&copy.method, &copy.host, &copy.body),
        (&seen.method, &seen.host, &seen.body)
    );
    assert_eq!(copy.headers["x-envoy-internal"], "true");
    Ok(())
}

#[test]
fn a_preflight_is_answered_without_the_origin() -> anyhow::Result<()> {
    let world = World::new("routes-cors", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config(
        "corsPolicy: {allowOrigins: [{prefix: 'https://page.'}], allowMethods: [PUT, GET], maxAge: 1m}",
    )?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let page = "Origin: https://page.example";
    let asked = "Access-Control-Request-Method: PUT";
    let url = "http://httpbin.org/get";
    let answer = curl(&pod, &["-X", "OPTIONS", "-H", page, "-H", asked, url])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://page.example")
    );
    assert_eq!(
        answer.header("access-control-allow-methods"),
        Some("PUT,GET")
    );
    assert_eq!(answer.header("access-control-max-age"), Some("60"));
    assert!(origin.requests.is_empty());
    let answer = curl(&pod, &["-H", page, url])?;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, Some("https://page.example"))
    );
    Ok(())
}

#[test]
fn an_answer_that_does_not_come_in_time_is_given_up() -> anyhow::Result<()> {
    let world = World::new("routes-timeout", Family::V4)?;
    let silent: Answer = Arc::new(|_| Box::pin(pending()));
    let origin = world.http(HTTPBIN_ORG, 80, &silent)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config("timeout: 0.3s")?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &["http://httpbin.org/get"])?;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (504, "upstream request timeout\n"),
        "{answer:?}"
    );
    assert_eq!(answer.header("x-egret-verdict"), Some("timeout"));
    assert_eq!(
        origin.only_request()?.headers["x-envoy-expected-rq-timeout-ms"],
        "300"
    );
    let line = sidecar.await_access(|line| field(line, "path") == "/get")?;
    assert_fields(
        &line,
        &[
            ("response_flags", json!("UT")),
            ("response_code_details", json!("response_timeout")),
        ],
    );
    Ok(())
}

#[test]
fn faults_are_injected() -> anyhow::Result<()> {
    let world = World::new("routes-faults", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let all = "percentage: {value: 100}";
    let config = config(&format!(
        "fault: {{delay: {{fixedDelay: 0.4s, {all}}}, abort: {{httpStatus: 418, {all}}}}}"
    ))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &["http://httpbin.org/get"])?;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (418, "fault filter abort\n"),
        "{answer:?}"
    );
    let line = sidecar.await_access(|line| field(line, "path") == "/get")?;
    assert_fields(
        &line,
        &[
            ("response_flags", json!("DI,FI")),
            ("response_code_details", json!("fault_filter_abort")),
        ],
    );
    assert!(line["duration"].as_u64() >= Some(400), "{line:#}");
    assert!(origin.connections.is_empty());
    Ok(())
}
