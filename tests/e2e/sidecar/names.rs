//! How often name servers are asked, and for what.

use std::net::IpAddr;

use egret_tests::client::curl;
use egret_tests::names::Answer;
use egret_tests::netns::Host;
use egret_tests::objects::ServiceEntry;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{CNN, ELSEWHERE, Family, Located, SLEEP, Site};
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::stage;
use crate::helpers::stage::until;

/// Where packets vanish.
const NOWHERE: Site = Site {
    name: "nowhere",
    number: 99,
};

fn entry(name: &str) -> String {
    format!("---\n{}", ServiceEntry::new(name).port(80, "HTTP"))
}

/// The status of a call to `name`, for which the application itself asks nobody.
fn status(pod: &Host, name: &str) -> anyhow::Result<u16> {
    let resolve = format!("{name}:80:{}", ELSEWHERE.v4());
    Ok(curl(pod, &["--resolve", &resolve, &format!("http://{name}/")])?.status)
}

#[test]
fn one_question_for_a_name_while_its_answer_is_valid() -> anyhow::Result<()> {
    let world = World::new("names-one", Family::V4)?;
    let origin = world.http(CNN, 80, &at_once(|_| text(StatusCode::OK, "")))?;
    world.resolve("shop.example", &[CNN.v4()]);
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("names.yaml", &entry("shop.example"))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let asked = |name: &str| world.names.questions(name);
    assert_eq!(asked("shop.example"), 0, "nobody has called it");
    for _ in 0..10 {
        assert_eq!(status(&pod, "shop.example")?, 200);
    }
    assert_eq!(origin.requests.len(), 10);
    assert_eq!(asked("shop.example"), 2, "A and AAAA, for all workers");
    for domain in [
        "default.svc.cluster.local",
        "svc.cluster.local",
        "cluster.local",
    ] {
        let name = format!("shop.example.{domain}");
        assert_eq!(asked(&name), 0, "{name}");
    }
    Ok(())
}

#[test]
fn a_name_that_nobody_calls_is_not_asked_for_again() -> anyhow::Result<()> {
    let world = World::new("names-unused", Family::V4)?;
    let _origin = world.http(CNN, 80, &at_once(|_| text(StatusCode::OK, "")))?;
    let pod = world.pod(SLEEP, "default")?;
    let names = ["used.example", "unused.example", "never.example"];
    for name in names {
        let answer = Answer::Addresses(vec![CNN.v4()], 1);
        world.names.set(name, answer);
    }
    let config = stage::registered("names.yaml", &names.map(entry).concat())?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(status(&pod, "unused.example")?, 200);
    let asked = |name: &str| world.names.questions(name);
    let before = asked("unused.example");
    // By its third answer the other one's has long been too old.
    until(|| {
        assert_eq!(status(&pod, "used.example")?, 200);
        Ok(asked("used.example") >= 6)
    })?;
    assert_eq!(asked("unused.example"), before);
    assert_eq!(asked("never.example"), 0);
    assert_eq!(status(&pod, "unused.example")?, 200);
    assert!(asked("unused.example") > before);
    Ok(())
}

/// One curl that asks five times on one connection, hence of one worker, where the application believes `name` to be at
/// `dialled`.
fn five_calls(pod: &Host, name: &str, dialled: &Site) -> anyhow::Result<Vec<u16>> {
    let resolve = format!("{name}:80:{}", dialled.v4());
    let url = format!("http://{name}/");
    let mut arguments = vec![
        "--resolve",
        &resolve,
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}\\n",
    ];
    for _ in 0..5 {
        arguments.push(&url);
    }
    let answer = curl(pod, &arguments)?;
    let codes = answer.status_line.lines().chain(answer.body.lines());
    Ok(codes.filter_map(|code| code.parse().ok()).collect())
}

/// Packets to one of the addresses vanish: nobody says that nobody is there. The route allows no second try.
fn lost(name: &str, addresses: &[IpAddr], entry: &str) -> anyhow::Result<()> {
    let world = World::new(name, Family::V4)?;
    let origin = world.http(CNN, 80, &at_once(|_| text(StatusCode::OK, "")))?;
    world
        .internet
        .ip(&format!("route add blackhole {}/32\n", NOWHERE.v4()))?;
    world.resolve("a.shop.example", addresses);
    let pod = world.pod(SLEEP, "default")?;
    let route = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: shop}\nspec:\n  \
        hosts: [a.shop.example]\n  http:\n  - retries: {attempts: 0}\n    route: [{destination: {host: HOST}}]\n";
    let host = if entry.contains('*') {
        "'*.shop.example'"
    } else {
        "a.shop.example"
    };
    let config = stage::registered(
        "names.yaml",
        &(entry.to_owned() + &route.replace("HOST", host)),
    )?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let statuses = five_calls(&pod, "a.shop.example", &ELSEWHERE)?;
    assert_eq!(statuses, [200; 5], "{}", sidecar.everything());
    assert_eq!(
        (origin.requests.len(), origin.connections.len()),
        (5, 1),
        "the first has found out, the others go on with its connection"
    );
    Ok(())
}

#[test]
fn the_other_family_is_tried_where_one_leads_nowhere() -> anyhow::Result<()> {
    let addresses = [NOWHERE.v4(), CNN.v6()];
    lost("names-families", &addresses, &entry("a.shop.example"))
}

#[test]
fn another_address_is_tried_of_a_name_that_a_caller_thought_of() -> anyhow::Result<()> {
    let wild = ServiceEntry::new("*.shop.example").port(80, "HTTP");
    let wild = wild.resolution("DYNAMIC_DNS").to_string();
    lost("names-wildcard", &[NOWHERE.v4(), CNN.v4()], &wild)
}
