//! Endpoints that fail again and again are left out, and come back.

use std::time::Instant;

use egret_tests::DEADLINE;
use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::origin::Answer;
use egret_tests::origin::at_once;
use egret_tests::origin::text;
use egret_tests::places::ELSEWHERE;
use egret_tests::places::Family;
use egret_tests::places::Located;
use egret_tests::places::SLEEP;
use egret_tests::places::Site;
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::stage;
use crate::stage::REGISTRY_ONLY;
use crate::stage::elsewhere;
use crate::stage::field;

const BAD: Site = Site {
    name: "bad",
    number: 20,
};
const GOOD: Site = Site {
    name: "good",
    number: 21,
};

fn config(detection: &str) -> String {
    elsewhere(
        &[BAD.v4(), GOOD.v4()],
        &format!("loadBalancer: {{simple: ROUND_ROBIN}}, outlierDetection: {{{detection}}}"),
    )
}

fn answer(status: StatusCode) -> Answer {
    at_once(move |_| text(status, ""))
}

fn call(pod: &Host) -> anyhow::Result<u16> {
    Ok(curl(pod, &["http://elsewhere.example/"])?.status)
}

#[test]
fn a_run_of_server_errors_ejects_once_and_for_all_workers() -> anyhow::Result<()> {
    let world = World::new("outlier-http", Family::V4)?;
    let bad = world.http(BAD, 80, &answer(StatusCode::INTERNAL_SERVER_ERROR))?;
    let good = world.http(GOOD, 80, &answer(StatusCode::OK))?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::with(&[REGISTRY_ONLY])?;
    let detection = "consecutive5xxErrors: 3, baseEjectionTime: 300s, maxEjectionPercent: 50";
    folder.write("elsewhere.yaml", &config(detection))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    let statuses: Vec<u16> = (0..20).map(|_| call(&pod)).collect::<Result<_, _>>()?;
    assert_eq!(bad.requests.len(), 3, "{statuses:?}");
    assert_eq!(good.requests.len(), 17);
    sidecar.await_log(&["endpoint ejected", "198.51.100.20:80", "ServerErrors"])?;
    let page = sidecar.page("/clusters")?.body;
    assert!(
        page.contains("EJECTED") && page.contains("198.51.100.20:80"),
        "{page}"
    );
    Ok(())
}

#[test]
fn an_endpoint_comes_back_when_its_time_is_over() -> anyhow::Result<()> {
    let world = World::new("outlier-recovery", Family::V4)?;
    let bad = world.http(BAD, 80, &answer(StatusCode::BAD_GATEWAY))?;
    let _good = world.http(GOOD, 80, &answer(StatusCode::OK))?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::with(&[REGISTRY_ONLY])?;
    let detection = "consecutive5xxErrors: 0, consecutiveGatewayErrors: 1, interval: 0.2s, baseEjectionTime: 0.5s, maxEjectionPercent: 50";
    folder.write("elsewhere.yaml", &config(detection))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    let end = Instant::now() + DEADLINE;
    while bad.requests.len() < 2 {
        anyhow::ensure!(Instant::now() < end, "{}", sidecar.everything());
        call(&pod)?;
    }
    sidecar.await_log(&["endpoint taken back"])?;
    Ok(())
}

#[test]
fn connections_that_fail_count_for_bytes_too() -> anyhow::Result<()> {
    let world = World::new("outlier-tcp", Family::V4)?;
    let good = world.echo(&world.internet, &[GOOD.v4()], 7000, b"hello")?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::with(&[REGISTRY_ONLY])?;
    let detection = "consecutive5xxErrors: 2, baseEjectionTime: 300s, maxEjectionPercent: 50";
    folder.write("elsewhere.yaml", &config(detection))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    let greeted = || {
        pod.run(|| {
            use std::io::Read;
            let mut stream = std::net::TcpStream::connect((ELSEWHERE.v4(), 7000))?;
            let mut greeting = [0; 5];
            std::io::Result::Ok(stream.read_exact(&mut greeting).is_ok())
        })
    };
    let greeted: Vec<bool> = (0..12).map(|_| greeted()).collect::<Result<_, _>>()?;
    let refused = greeted.iter().filter(|greeted| !**greeted).count();
    assert_eq!((refused, good.connections.len()), (2, 10), "{greeted:?}");
    let line = sidecar.await_access(|line| field(line, "response_flags") == "UF,URX")?;
    assert_eq!(field(&line, "upstream_host"), "198.51.100.20:7000");
    Ok(())
}
