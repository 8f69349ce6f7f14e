//! A ServiceEntry's `resolution` decides what is dialled: the original destination, the list, or the name.

use std::time::{Duration, Instant};

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::names::Answer;
use egret_tests::netns::Host;
use egret_tests::origin::httpbin;
use egret_tests::places::{Family, HTTPBIN_ORG, Located, SLEEP, Site};
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, field};

const DIALLED: Site = Site {
    name: "dialled",
    number: 20,
};
const LISTED: Site = Site {
    name: "listed",
    number: 21,
};
const MOVED: Site = Site {
    name: "moved",
    number: 22,
};

#[test]
fn none_dials_the_original_destination() -> anyhow::Result<()> {
    let world = World::new("002-none", Family::V4)?;
    let origin = world.http(DIALLED, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "gateways_both_ways/resolution-none.yaml"])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(call_at(&pod, DIALLED)?, 200);
    assert_eq!(origin.only_request()?.local.ip(), DIALLED.v4());
    Ok(())
}

#[test]
fn static_dials_the_listed_endpoint() -> anyhow::Result<()> {
    let world = World::new("002-static", Family::V4)?;
    let origin = world.http(LISTED, 80, &httpbin())?;
    let bystander = world.http(DIALLED, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "gateways_both_ways/resolution-static.yaml"])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(call_at(&pod, DIALLED)?, 200);
    assert_eq!(origin.only_request()?.local.ip(), LISTED.v4());
    assert!(bystander.connections.is_empty());
    Ok(())
}

#[test]
fn dns_dials_what_the_name_resolves_to_now() -> anyhow::Result<()> {
    let world = World::new("002-dns", Family::V4)?;
    let first = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let second = world.http(MOVED, 80, &httpbin())?;
    world
        .names
        .set("httpbin.org", Answer::Addresses(vec![HTTPBIN_ORG.v4()], 1));
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "gateways_both_ways/service-entry.yaml"])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(
        call_at(&pod, DIALLED)?,
        200,
        "the address that the caller dialled does not matter"
    );
    assert_eq!(first.only_request()?.local.ip(), HTTPBIN_ORG.v4());

    world
        .names
        .set("httpbin.org", Answer::Addresses(vec![MOVED.v4()], 1));
    let end = Instant::now() + Duration::from_secs(5);
    while second.requests.is_empty() {
        assert!(
            Instant::now() < end,
            "the record is valid for a second, and five have passed"
        );
        assert_eq!(call_at(&pod, DIALLED)?, 200);
    }
    assert_eq!(call_at(&pod, DIALLED)?, 200);
    assert!(second.requests.len() >= 2);
    Ok(())
}

#[test]
fn a_name_that_does_not_resolve_has_no_endpoint() -> anyhow::Result<()> {
    let world = World::new("002-dns-none", Family::V4)?;
    world.names.set("httpbin.org", Answer::NxDomain);
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "gateways_both_ways/service-entry.yaml"])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(call_at(&pod, DIALLED)?, 503);
    let line = sidecar.await_access(|line| field(line, "authority") == "httpbin.org")?;
    assert_eq!(field(&line, "response_flags"), "UH", "{line:#}");
    Ok(())
}

#[test]
fn an_origin_that_refuses_gives_503() -> anyhow::Result<()> {
    let world = World::new("002-refused", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "gateways_both_ways/service-entry.yaml"])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(call_at(&pod, DIALLED)?, 503);
    let line = sidecar.await_access(|line| field(line, "authority") == "httpbin.org")?;
    assert!(field(&line, "response_flags").contains("UF"), "{line:#}");
    Ok(())
}

/// Calls httpbin.org as if it resolved to `site` for the caller; gives the status.
fn call_at(pod: &Host, site: Site) -> anyhow::Result<u16> {
    let resolve = format!("httpbin.org:80:{}", site.v4());
    Ok(curl(pod, &["--resolve", &resolve, "http://httpbin.org/get"])?.status)
}
