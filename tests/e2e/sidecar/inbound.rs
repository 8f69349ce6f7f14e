//! Connections that arrive at a pod are relayed to its application, and the proxy's own ports lead nowhere.

use egret_tests::client::curl;
use egret_tests::egret;
use egret_tests::egret::Settings;
use egret_tests::folder::Folder;
use egret_tests::origin::httpbin;
use egret_tests::places::{ALIYUN, Family, Located, PRODUCTPAGE, SLEEP};
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, aliyun, at};

#[test]
fn a_call_to_the_application_is_relayed() -> anyhow::Result<()> {
    relayed_over(Family::V4, "127.0.0.6")
}

#[test]
fn a_call_to_the_application_is_relayed_over_ipv6() -> anyhow::Result<()> {
    relayed_over(Family::V6, "::6")
}

fn relayed_over(family: Family, source: &str) -> anyhow::Result<()> {
    let world = World::new(&format!("inbound-{family:?}"), family)?;
    let caller = world.pod(SLEEP, "default")?;
    let pod = world.pod(PRODUCTPAGE, "default")?;
    let application = world.serve(
        &pod,
        &[PRODUCTPAGE.v4(), PRODUCTPAGE.v6()],
        9080,
        &httpbin(),
    )?;
    stage::redirect(&world, &pod, &egret::INJECTED)?;
    let config = Folder::with(&[ALLOW_ANY])?;
    let settings = Settings::sidecar("default")
        .pod_ip(PRODUCTPAGE.address(family))
        .config(config.path());
    let _sidecar = settings.start(&world, &pod)?;

    let answer = curl(
        &caller,
        &[&format!(
            "http://{}/headers",
            at(PRODUCTPAGE.address(family), 9080)
        )],
    )?;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = application.only_request()?;
    assert_eq!(
        seen.peer.ip().to_string(),
        source,
        "from the address that the rules leave alone"
    );
    assert_eq!(seen.local.ip(), PRODUCTPAGE.address(family));

    let health = curl(
        &caller,
        &[&format!(
            "http://{}/healthz/ready",
            at(PRODUCTPAGE.v4(), 15021)
        )],
    )?;
    assert_eq!(
        health.status, 200,
        "the health port is not captured: {health:?}"
    );
    Ok(())
}

#[test]
fn connections_that_were_not_redirected_are_refused_and_not_looped() -> anyhow::Result<()> {
    let world = World::new("inbound-direct", Family::V4)?;
    let _origin = world.http(ALIYUN, 80, &aliyun())?;
    let neighbour = world.pod(PRODUCTPAGE, "default")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for (host, address) in [
        (&pod, "http://127.0.0.1:15001/".to_owned()),
        (&pod, "http://127.0.0.1:15006/".to_owned()),
        (&pod, format!("http://{}/", at(SLEEP.v4(), 15001))),
        (&pod, format!("http://{}/", at(SLEEP.v4(), 15006))),
        (&neighbour, format!("http://{}/", at(SLEEP.v4(), 15001))),
        (&neighbour, format!("http://{}/", at(SLEEP.v4(), 15006))),
    ] {
        let answer = curl(host, &[&address])?;
        assert_eq!(
            answer.status,
            0,
            "{address} from {}: {answer:?}",
            host.name()
        );
        assert_ne!(answer.exit, 28, "closed at once: {answer:?}");
    }
    assert_eq!(
        curl(&pod, &["aliyun.com", "-I"])?.status,
        301,
        "the sidecar still works"
    );
    Ok(())
}
