//! Name servers that forge, refuse, lead in circles, or are not there: what is believed, how often they are asked, and where
//! an operator sees it.

use std::fs;

use egret_tests::client::curl;
use egret_tests::egret::Proxy;
use egret_tests::names::Answer;
use egret_tests::netns::Host;
use egret_tests::objects::ServiceEntry;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ALIYUN, CNN, ELSEWHERE, Family, Located, SLEEP};
use egret_tests::process::Process;
use egret_tests::topology::World;
use egret_tests::{DEADLINE, egret};
use hyper::StatusCode;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{assert_fields, field, until};

const NAME: &str = "shop.example";

fn entry(name: &str) -> String {
    format!("---\n{}", ServiceEntry::new(name).port(80, "HTTP"))
}

/// The status of a call to `name`, for which the application itself asks nobody.
fn status(pod: &Host, name: &str) -> anyhow::Result<u16> {
    let resolve = format!("{name}:80:{}", ELSEWHERE.v4());
    Ok(curl(pod, &["--resolve", &resolve, &format!("http://{name}/")])?.status)
}

#[test]
fn forged_answers_are_not_believed() -> anyhow::Result<()> {
    let world = World::new("names-forged", Family::V4)?;
    let page = at_once(|_| text(StatusCode::OK, ""));
    let (origin, forger) = (world.http(CNN, 80, &page)?, world.http(ALIYUN, 80, &page)?);
    let forged = Answer::Forged {
        addresses: vec![CNN.v4()],
        false_address: ALIYUN.v4(),
    };
    world.names.set(NAME, forged.clone());
    world.names.set("captured.example", forged);
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("names.yaml", &entry(NAME))?;
    let flags = [&egret::INJECTED[..], &["--redirect-dns"]].concat();
    stage::redirect(&world, &pod, &flags)?;
    let _sidecar = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .with(&["--dns-capture"])
        .start(&world, &pod)?;
    for _ in 0..3 {
        assert_eq!(status(&pod, NAME)?, 200);
    }
    assert_eq!(origin.requests.len(), 3);
    assert!(forger.connections.is_empty(), "nobody believes the forger");

    let mut command = pod.command(1000, "getent".as_ref(), &["ahostsv4", "captured.example"]);
    command.env("RES_OPTIONS", "ndots:1");
    let found = Process::run(&pod, command)?;
    assert!(found.output.contains(&CNN.v4().to_string()), "{found:?}");
    assert!(
        !found.output.contains(&ALIYUN.v4().to_string()),
        "{found:?}"
    );
    Ok(())
}

#[test]
fn a_name_that_leads_in_a_circle_or_is_refused_is_seldom_asked_for() -> anyhow::Result<()> {
    let world = World::new("names-circle", Family::V4)?;
    let (one, other, refused) = ("one.example", "other.example", "refused.example");
    world.names.set(one, Answer::Alias(other.to_owned()));
    world.names.set(other, Answer::Alias(one.to_owned()));
    world.names.set(refused, Answer::Refused);
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("names.yaml", &(entry(one) + &entry(refused)))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    // Their second questions come two seconds after the first, their third ones six seconds later.
    until(|| {
        assert_eq!((status(&pod, one)?, status(&pod, refused)?), (503, 503));
        Ok(world.names.questions(one) > 2 && world.names.questions(refused) > 2)
    })?;
    for name in [one, other, refused] {
        let asked = world.names.questions(name);
        assert!(asked <= 4, "{name} was asked for {asked} times");
    }
    for (name, reason) in [(one, "cname_loop"), (refused, "refused")] {
        sees(&sidecar, name, reason, "")?;
    }
    Ok(())
}

/// The reason of a name's failure is in the log, in the access log, on /clusters and in /explain.
fn sees(sidecar: &Proxy<'_>, name: &str, reason: &str, details: &str) -> anyhow::Result<()> {
    sidecar.await_log(&["WARN", name, reason, details])?;
    let line = sidecar.await_access(|line| field(line, "authority") == name)?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(503)),
            ("response_flags", json!("UH")),
            ("response_code_details", json!("no_healthy_upstream")),
        ],
    );
    let why = field(&line, "upstream_transport_failure_reason").to_string();
    let word = format!("dns_resolution_failure{{{reason}}}");
    assert!(why.contains(&word) && why.contains(details), "{line:#}");

    let table = sidecar.page("/clusters")?.body;
    let row = table
        .lines()
        .find(|row| row.starts_with(name) && row.contains(details));
    assert!(row.is_some_and(|row| row.contains(reason)), "{table}");
    let json = sidecar.json("/clusters")?;
    let names = json["names"].as_array().cloned().unwrap_or_default();
    let known = names.iter().find(|known| known["name"] == name);
    let known = known.unwrap_or_else(|| panic!("{name}: {json:#}"));
    assert_eq!(known["last_failure"]["reason"], reason, "{json:#}");
    assert!(known["failures"].as_u64() > Some(0), "{json:#}");

    let call = format!(
        "/explain?to={}:80&protocol=http&host={name}",
        ELSEWHERE.v4()
    );
    let explained = sidecar.page(&call)?.body;
    for words in [name, reason, details, "503", "UH"] {
        assert!(explained.contains(words), "{words}:\n{explained}");
    }
    Ok(())
}

#[test]
fn why_a_name_has_no_address_is_seen() -> anyhow::Result<()> {
    let world = World::new("names-reasons", Family::V4)?;
    let origin = world.http(CNN, 80, &at_once(|_| text(StatusCode::OK, "")))?;
    let names = [
        "gone.example",
        "broken.example",
        "silent.example",
        "unserved.example",
    ];
    let [gone, broken, silent, unserved] = names;
    world.names.set(gone, Answer::NxDomain);
    world.names.set(broken, Answer::ServFail);
    world.names.set(silent, Answer::Silence);
    world.resolve(unserved, &[CNN.v4()]);
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("names.yaml", &names.map(entry).concat())?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for (name, reason, details) in [
        (gone, "nxdomain", "NXDOMAIN"),
        (broken, "servfail", "SERVFAIL"),
        (silent, "timeout", "no answer from"),
    ] {
        assert_eq!(status(&pod, name)?, 503);
        sees(&sidecar, name, reason, details)?;
    }
    // The file is mounted over the pod's.
    let resolv_conf = world
        .folder()
        .join("pods")
        .join(SLEEP.name)
        .join("resolv.conf");
    let text = fs::read_to_string(&resolv_conf)?;
    fs::write(&resolv_conf, "")?;
    assert_eq!(status(&pod, unserved)?, 503);
    sees(&sidecar, unserved, "no_name_server", "names no name server")?;
    fs::write(&resolv_conf, text)?;
    until(|| Ok(status(&pod, unserved)? == 200))?;
    sidecar.await_log(&["INFO", unserved, "resolves again"])?;
    let well = |page: &str| {
        !page
            .lines()
            .any(|row| row.starts_with(unserved) && row.contains("no_name_server"))
    };
    sidecar.await_page("/clusters", DEADLINE, well)?;
    assert!(!origin.requests.is_empty());
    Ok(())
}
