//! What a route lets a request try again, where, how often and for how long.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::Context;
use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::origin::{Answer, Seen, at_once, text};
use egret_tests::places::{Family, Located, SLEEP, Site};
use egret_tests::topology::World;
use egret_tests::{DEADLINE, client};
use hyper::StatusCode;
use tokio::sync::watch;

use crate::helpers::stage;
use crate::helpers::stage::{elsewhere, field};

const BAD: Site = Site {
    name: "bad",
    number: 20,
};
const GOOD: Site = Site {
    name: "good",
    number: 21,
};

const URL: &str = "http://elsewhere.example/";

/// Calls so many times where each has one chance in four to fail without the rule: that it never shows has one chance
/// in ten thousand.
const CALLS: usize = 32;

/// `elsewhere.example` at these sites with a DestinationRule's `policy`, and a route with `rule`.
fn config(sites: &[Site], policy: &str, rule: &str) -> anyhow::Result<Folder> {
    let addresses: Vec<_> = sites.iter().map(Located::v4).collect();
    let route = format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: elsewhere}}\nspec:\n  \
         hosts: [elsewhere.example]\n  http:\n  - route: [{{destination: {{host: elsewhere.example}}}}]\n    {rule}\n"
    );
    stage::registered("elsewhere.yaml", &(elsewhere(&addresses, policy) + &route))
}

fn status(code: StatusCode) -> Answer {
    at_once(move |_| text(code, ""))
}

/// Which of a request's tries this is.
fn attempt(seen: &Seen) -> &[u8] {
    seen.headers["x-envoy-attempt-count"].as_bytes()
}

/// Answers first tries with 503, and holds the answers of second ones and of `/held` until the word is given.
fn second_tries_held(go: &watch::Receiver<bool>) -> Answer {
    let go = go.clone();
    Arc::new(move |seen| {
        let mut go = go.clone();
        Box::pin(async move {
            if attempt(&seen) == b"1" && seen.target != "/held" {
                return text(StatusCode::SERVICE_UNAVAILABLE, "");
            }
            // The test's end is a word, too.
            let _ = go.wait_for(|go| *go).await;
            text(StatusCode::OK, "")
        })
    })
}

fn calls(pod: &Host, times: usize) -> anyhow::Result<Vec<u16>> {
    (0..times).map(|_| Ok(curl(pod, &[URL])?.status)).collect()
}

#[test]
fn a_host_that_failed_is_avoided_by_the_next_try() -> anyhow::Result<()> {
    let world = World::new("retries-avoid", Family::V4)?;
    let bad = world.http(BAD, 80, &status(StatusCode::SERVICE_UNAVAILABLE))?;
    let _good = world.http(GOOD, 80, &status(StatusCode::OK))?;
    let pod = world.pod(SLEEP, "default")?;
    let rule = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}";
    let policy = "loadBalancer: {simple: RANDOM}";
    let config = config(&[BAD, GOOD], policy, rule)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(calls(&pod, CALLS)?, [200; CALLS]);
    assert!(!bad.requests.is_empty(), "nothing was tried again");
    Ok(())
}

#[test]
fn a_host_that_cannot_be_reached_is_left_for_another_without_being_asked_to() -> anyhow::Result<()>
{
    let world = World::new("retries-default", Family::V4)?;
    let good = world.http(GOOD, 80, &status(StatusCode::OK))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config(&[BAD, GOOD], "loadBalancer: {simple: RANDOM}", "")?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(calls(&pod, CALLS)?, [200; CALLS]);
    let again = good.requests.all();
    let again = again.iter().filter(|seen| attempt(seen) == b"2").count();
    assert!(again > 0, "nothing was tried again");
    Ok(())
}

#[test]
fn without_retries_a_failure_is_passed_on() -> anyhow::Result<()> {
    let world = World::new("retries-none", Family::V4)?;
    let bad = world.http(BAD, 80, &status(StatusCode::SERVICE_UNAVAILABLE))?;
    let pod = world.pod(SLEEP, "default")?;
    let rule = "retries: {attempts: 0, retryOn: 5xx}";
    let config = config(&[BAD], "loadBalancer: {simple: RANDOM}", rule)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(calls(&pod, 1)?, [503]);
    assert_eq!(bad.requests.len(), 1);
    Ok(())
}

#[test]
fn a_try_that_takes_too_long_is_left_for_another_host() -> anyhow::Result<()> {
    let world = World::new("retries-slow", Family::V4)?;
    let (_word, go) = watch::channel(false);
    let held: Answer = Arc::new(move |_| {
        let mut go = go.clone();
        Box::pin(async move {
            let _ = go.wait_for(|go| *go).await;
            text(StatusCode::OK, "")
        })
    });
    let slow = world.http(BAD, 80, &held)?;
    let _good = world.http(GOOD, 80, &status(StatusCode::OK))?;
    let pod = world.pod(SLEEP, "default")?;
    let rule = "retries: {attempts: 3, perTryTimeout: 1s, retryOn: gateway-error, backoff: 1ms}";
    let policy = "loadBalancer: {simple: ROUND_ROBIN}";
    let config = config(&[BAD, GOOD], policy, rule)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    // Whichever worker serves a call, each has both hosts take turns.
    for _ in 0..4 {
        assert_eq!(calls(&pod, 1)?, [200], "{}", sidecar.everything());
    }
    assert!(!slow.requests.is_empty(), "nothing was tried again");
    Ok(())
}

#[test]
fn a_body_is_kept_for_another_try_up_to_a_bound() -> anyhow::Result<()> {
    let world = World::new("retries-bodies", Family::V4)?;
    let answer = at_once(|seen| match attempt(seen) {
        b"1" => text(StatusCode::SERVICE_UNAVAILABLE, ""),
        _ => text(StatusCode::OK, &seen.body.len().to_string()),
    });
    let origin = world.http(GOOD, 80, &answer)?;
    let pod = world.pod(SLEEP, "default")?;
    let rule = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}";
    let config = config(&[GOOD], "loadBalancer: {simple: RANDOM}", rule)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for (length, status, tries) in [(1_000_000, 200, 2), (1_100_000, 503, 1)] {
        let before = origin.requests.len();
        let path = world.folder().join("body");
        std::fs::write(&path, "x".repeat(length))?;
        let file = format!("@{}", path.display());
        let answer = curl(&pod, &["-H", "Expect:", "--data-binary", &file, URL])?;
        assert_eq!(answer.status, status, "{length}: {answer:?}");
        let seen = origin.requests.all().split_off(before);
        assert_eq!(seen.len(), tries, "{length}");
        assert!(seen.iter().all(|seen| seen.body.len() == length));
    }
    Ok(())
}

#[test]
fn so_many_retries_at_once() -> anyhow::Result<()> {
    let world = World::new("retries-limit", Family::V4)?;
    let (word, go) = watch::channel(false);
    let origin = world.http(GOOD, 80, &second_tries_held(&go))?;
    let pod = world.pod(SLEEP, "default")?;
    let rule = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}";
    let policy = "connectionPool: {http: {maxRetries: 1}}";
    let config = config(&[GOOD], policy, rule)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let first = client::start(&pod, &[URL])?;
    origin.requests.await_one(|seen| attempt(seen) == b"2")?;
    assert_eq!(curl(&pod, &[URL])?.status, 503, "one retries already");
    let line = sidecar.await_access(|line| field(line, "response_flags").contains("UO"))?;
    assert_eq!(line["response_code"], 503, "{line:#}");
    assert_eq!(origin.requests.len(), 3);
    word.send_replace(true);
    assert_eq!(first.finish()?.status, 200);
    assert_eq!(curl(&pod, &[URL])?.status, 200, "the place is free again");
    Ok(())
}

/// A request that is tried a third time does not need a second place for it.
#[test]
fn a_request_has_one_place_among_the_retries() -> anyhow::Result<()> {
    let world = World::new("retries-place", Family::V4)?;
    let answer = at_once(|seen| match attempt(seen) {
        b"4" => text(StatusCode::OK, ""),
        _ => text(StatusCode::SERVICE_UNAVAILABLE, ""),
    });
    let origin = world.http(GOOD, 80, &answer)?;
    let pod = world.pod(SLEEP, "default")?;
    let rule = "retries: {attempts: 3, retryOn: 5xx, backoff: 1ms}";
    let policy = "connectionPool: {http: {maxRetries: 1}}";
    let config = config(&[GOOD], policy, rule)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(calls(&pod, 1)?, [200]);
    assert_eq!(origin.requests.len(), 4);
    Ok(())
}

#[test]
fn a_budget_is_a_share_of_the_requests_under_way() -> anyhow::Result<()> {
    let world = World::new("retries-budget", Family::V4)?;
    let (word, go) = watch::channel(false);
    let origin = world.http(GOOD, 80, &second_tries_held(&go))?;
    let pod = world.pod(SLEEP, "default")?;
    let rule = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}";
    let policy = "retryBudget: {percent: 50, minRetryConcurrency: 1}";
    let config = config(&[GOOD], policy, rule)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let mut under_way = vec![client::start(&pod, &[URL])?];
    origin.requests.await_one(|seen| attempt(seen) == b"2")?;
    assert_eq!(
        curl(&pod, &[URL])?.status,
        503,
        "half of two is one, which is there"
    );
    for _ in 0..2 {
        let url = format!("{URL}held");
        let known = origin.requests.len();
        under_way.push(client::start(&pod, &[&url])?);
        origin.requests.await_from(known, |_| true)?;
    }
    let known = origin.requests.len();
    under_way.push(client::start(&pod, &[URL])?);
    let second = |seen: &Seen| attempt(seen) == b"2";
    origin
        .requests
        .await_from(known, second)
        .context("half of four is two")?;
    assert_eq!(curl(&pod, &[URL])?.status, 503, "half of five is two");
    word.send_replace(true);
    for call in under_way {
        assert_eq!(call.finish()?.status, 200);
    }
    Ok(())
}

/// A client that is slow to send does not use up the time that its origin has for the answer.
#[test]
fn a_tries_time_begins_when_the_request_has_come() -> anyhow::Result<()> {
    let world = World::new("retries-upload", Family::V4)?;
    let (_word, go) = watch::channel(false);
    let answer: Answer = Arc::new(move |seen| {
        let mut go = go.clone();
        Box::pin(async move {
            if seen.target == "/silent" {
                let _ = go.wait_for(|go| *go).await;
            }
            text(StatusCode::OK, "")
        })
    });
    let origin = world.http(GOOD, 80, &answer)?;
    let copies = world.http(BAD, 80, &status(StatusCode::OK))?;
    let pod = world.pod(SLEEP, "default")?;
    let rule = "retries: {attempts: 1, perTryTimeout: 2s, retryOn: connect-failure}\n    \
        timeout: 2s\n    mirror: {host: copies.example}";
    let config = config(&[GOOD], "loadBalancer: {simple: RANDOM}", rule)?;
    let entry =
        elsewhere(&[BAD.v4()], "loadBalancer: {simple: RANDOM}").replace("elsewhere", "copies");
    config.write("copies.yaml", &entry)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let mut upload = pod.run(|| TcpStream::connect((GOOD.v4(), 80)))?;
    upload.set_read_timeout(Some(DEADLINE))?;
    upload.write_all(b"POST /upload HTTP/1.1\r\nhost: elsewhere.example\r\ncontent-length: 8\r\nconnection: close\r\n\r\nhalf")?;
    origin.connections.await_one(|_| true)?;
    // By the time that this one's is over, the time of one that began before would be, too.
    let url = format!("{URL}silent");
    assert_eq!(curl(&pod, &[&url])?.status, 504);
    upload.write_all(b"half")?;
    let mut said = String::new();
    upload.read_to_string(&mut said)?;
    assert!(
        said.starts_with("HTTP/1.1 200 OK\r\n"),
        "{said}\n{}",
        sidecar.everything()
    );
    let copy = copies.requests.await_one(|seen| seen.target == "/upload")?;
    assert_eq!(&copy.body[..], b"halfhalf");
    Ok(())
}
