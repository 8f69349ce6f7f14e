//! Connections through a sidecar: what is registered, what is not, and what may not be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use egret_tests::egret::{INJECTED, Settings, redirect};
use egret_tests::envoy;
use egret_tests::folder::Folder;
use egret_tests::places::{
    CNN, EGRESS_GATEWAY, ELSEWHERE, Family, GOOGLE, INGRESS_GATEWAY, Located, PRODUCTPAGE, Place,
    SLEEP, Site,
};
use egret_tests::topology::World;

use crate::compare::Names;
use crate::insist::insist;
use crate::rows::dialogue::Step::{End, Greet, Hear, Rest, Say};
use crate::rows::dialogue::{Dialogue, Step};
use crate::rows::{Through, alone, peer};
use crate::{differences, tell_skipped};

/// To a server that is found by its name, which is registered.
const BY_NAME: Dialogue = to(
    "by name",
    GOOGLE,
    9443,
    &[
        Greet(Some("named.example")),
        Hear(b"hello to you"),
        End,
        Rest,
    ],
);

/// Where anything is allowed.
const OPEN: &[Dialogue] = &[
    to(
        "not registered",
        ELSEWHERE,
        9000,
        &[
            Say(b"echo\n"),
            Hear(b"plain"),
            Say(b"abc"),
            Hear(b"abc"),
            End,
            Rest,
        ],
    ),
    to("not registered, nobody listens", ELSEWHERE, 9001, &[Rest]),
    to(
        "registered",
        GOOGLE,
        9000,
        &[Say(b"echo\n"), Hear(b"other"), End, Rest],
    ),
    to("registered, nobody listens", CNN, 9000, &[Rest]),
    to(
        "by name, not registered",
        ELSEWHERE,
        9443,
        &[
            Greet(Some("unknown.example")),
            Hear(b"hello to you"),
            End,
            Rest,
        ],
    ),
    BY_NAME,
    to(
        "no HTTP where HTTP is",
        ELSEWHERE,
        80,
        &[Say(b"echo\n"), Hear(b"plain"), End, Rest],
    ),
];

/// Where only what is registered is.
const CLOSED: &[Dialogue] = &[
    to(
        "registered",
        GOOGLE,
        9000,
        &[Say(b"echo\n"), Hear(b"other"), End, Rest],
    ),
    to("not registered", ELSEWHERE, 9000, &[Say(b"abc\n"), Rest]),
    to(
        "not registered, HTTP",
        ELSEWHERE,
        9000,
        &[
            Say(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
            Rest,
        ],
    ),
    to(
        "by name, not registered",
        ELSEWHERE,
        9443,
        &[Greet(Some("unknown.example")), Rest],
    ),
    BY_NAME,
    to(
        "no HTTP where HTTP is",
        ELSEWHERE,
        80,
        &[Say(b"echo\n"), Rest],
    ),
];

const fn to(name: &'static str, site: Site, port: u16, steps: &'static [Step]) -> Dialogue {
    let ip = Ipv4Addr::new(198, 51, 100, site.number);
    Dialogue {
        name,
        to: SocketAddr::new(IpAddr::V4(ip), port),
        steps,
        rows: 1,
    }
}

#[test]
fn a_sidecar_tells_of_connections_as_envoy_does() -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let world = World::new("parity-rows-sidecar", Family::V4)?;
    for port in [80, 9000, 9443] {
        peer::serve(world.internet.listen(ELSEWHERE.v4(), port)?, "plain")?;
        peer::serve(world.internet.listen(GOOGLE.v4(), port)?, "other")?;
    }
    let pod = |place: Place| -> anyhow::Result<_> {
        let pod = world.pod(place, "default")?;
        redirect(&world, &pod, &INJECTED, &[])?;
        Ok(pod)
    };
    let pods = [
        pod(EGRESS_GATEWAY)?,
        pod(INGRESS_GATEWAY)?,
        pod(PRODUCTPAGE)?,
        pod(SLEEP)?,
    ];
    let bootstrap = |policy| include_str!("sidecar.envoy.yaml").replace("POLICY", policy);
    let objects = |policy| include_str!("sidecar.istio.yaml").replace("POLICY", policy);
    let (open, closed) = (Folder::new()?, Folder::new()?);
    open.write("rows.yaml", &objects("ALLOW_ANY"))?;
    closed.write("rows.yaml", &objects("REGISTRY_ONLY"))?;
    let settings = |config: &Folder| alone(Settings::sidecar("default")).config(config.path());
    let envoys = [
        envoy::start(&world, &pods[0], &bootstrap("PassthroughCluster"))?,
        envoy::start(&world, &pods[2], &bootstrap("BlackHoleCluster"))?,
    ];
    let egrets = [
        settings(&open)
            .pod_ip(INGRESS_GATEWAY.v4())
            .start(&world, &pods[1])?,
        settings(&closed)
            .pod_ip(SLEEP.v4())
            .start(&world, &pods[3])?,
    ];
    let through = |client, place: Place, log| Through {
        client,
        names: Names::new(place.v4(), place.v4()),
        at: None,
        log,
    };
    insist(
        OPEN,
        &[
            through(&pods[0], EGRESS_GATEWAY, &envoys[0].output),
            through(&pods[1], INGRESS_GATEWAY, &egrets[0].output),
        ],
        differences::ROWS_OPEN,
        |way, dialogue| way.hold(dialogue),
        |dialogue| dialogue.name,
    )?;
    insist(
        CLOSED,
        &[
            through(&pods[2], PRODUCTPAGE, &envoys[1].output),
            through(&pods[3], SLEEP, &egrets[1].output),
        ],
        differences::ROWS_CLOSED,
        |way, dialogue| way.hold(dialogue),
        |dialogue| dialogue.name,
    )
}
