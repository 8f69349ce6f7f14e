//! Name servers that fail, stay silent, or change their mind.

use egret_tests::client;
use egret_tests::names::Answer;
use egret_tests::netns::Host;
use egret_tests::objects::ServiceEntry;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ALIYUN, CNN, ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::stage;
use crate::helpers::stage::{field, until};

fn entry(name: &str) -> String {
    format!("---\n{}", ServiceEntry::new(name).port(80, "HTTP"))
}

/// Calls `name` as if it resolved for the application.
fn call(pod: &Host, name: &str) -> anyhow::Result<client::Running> {
    let resolve = format!("{name}:80:{}", ELSEWHERE.v4());
    client::start(pod, &["--resolve", &resolve, &format!("http://{name}/")])
}

/// The status of such a call.
fn status(pod: &Host, name: &str) -> anyhow::Result<u16> {
    Ok(call(pod, name)?.finish()?.status)
}

#[test]
fn a_silent_name_server_holds_up_nobody_else() -> anyhow::Result<()> {
    let world = World::new("names-silent", Family::V4)?;
    let page = at_once(|_| text(StatusCode::OK, ""));
    let _origin = world.http(CNN, 80, &page)?;
    world.names.set("silent.example", Answer::Silence);
    world
        .names
        .set("good.example", Answer::Addresses(vec![CNN.v4()], 1));
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered(
        "names.yaml",
        &(entry("silent.example") + &entry("good.example")),
    )?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(call(&pod, "silent.example")?);
    }
    until(|| Ok(world.names.questions("silent.example") > 0))?;
    for _ in 0..8 {
        assert_eq!(status(&pod, "good.example")?, 200);
    }
    let done = |line: &serde_json::Value| field(line, "authority") == "silent.example";
    assert!(
        !sidecar.access_log().iter().any(done),
        "none has an answer yet"
    );
    for call in waiting {
        assert_eq!(call.finish()?.status, 503);
    }
    let line = sidecar.await_access(done)?;
    assert_eq!(field(&line, "response_flags"), "UH", "{line:#}");
    Ok(())
}

#[test]
fn the_last_good_answer_counts_while_name_servers_fail() -> anyhow::Result<()> {
    let world = World::new("names-failing", Family::V4)?;
    let page = at_once(|_| text(StatusCode::OK, ""));
    let (first, second) = (world.http(CNN, 80, &page)?, world.http(ALIYUN, 80, &page)?);
    let set = |answer| world.names.set("shop.example", answer);
    set(Answer::ServFail);
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("names.yaml", &entry("shop.example"))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(status(&pod, "shop.example")?, 503);
    set(Answer::Addresses(vec![CNN.v4()], 1));
    until(|| Ok(status(&pod, "shop.example")? == 200))?;
    for answer in [Answer::ServFail, Answer::Silence] {
        set(answer);
        let asked = world.names.questions("shop.example");
        until(|| {
            assert_eq!(status(&pod, "shop.example")?, 200);
            Ok(world.names.questions("shop.example") > asked)
        })?;
        assert_eq!(status(&pod, "shop.example")?, 200);
    }
    assert!(second.connections.is_empty());
    set(Answer::Addresses(vec![ALIYUN.v4()], 1));
    until(|| {
        assert_eq!(status(&pod, "shop.example")?, 200);
        Ok(!second.requests.is_empty())
    })?;
    assert!(!first.requests.is_empty());
    Ok(())
}

#[test]
fn an_address_that_nobody_has_is_passed_over_for_one_that_answers() -> anyhow::Result<()> {
    let world = World::new("names-dead-address", Family::V4)?;
    let page = at_once(|_| text(StatusCode::OK, ""));
    let origin = world.http(CNN, 80, &page)?;
    // One of the two is a lie.
    let addresses = vec![ELSEWHERE.v4(), CNN.v4()];
    world
        .names
        .set("shop.example", Answer::Addresses(addresses, 60));
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("names.yaml", &entry("shop.example"))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for _ in 0..10 {
        assert_eq!(status(&pod, "shop.example")?, 200);
    }
    assert_eq!(origin.requests.len(), 10);
    Ok(())
}
