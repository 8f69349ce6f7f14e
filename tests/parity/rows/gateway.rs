//! Connections through a gateway.

use std::net::{IpAddr, Ipv4Addr};

use egret_tests::egret::Settings;
use egret_tests::envoy;
use egret_tests::folder::Folder;
use egret_tests::places::{
    CNN, EGRESS_GATEWAY, ELSEWHERE, Family, GOOGLE, INGRESS_GATEWAY, Located, Place, SLEEP,
};
use egret_tests::topology::World;

use crate::compare::Names;
use crate::insist::insist;
use crate::rows::dialogue::Step::{Beside, End, Greet, Hear, Reset, Rest, Say};
use crate::rows::dialogue::{Dialogue, Step};
use crate::rows::{Through, alone, peer};
use crate::{differences, tell_skipped};

const PLAIN: u16 = 9000;
const DEAD: u16 = 9001;
const NOWHERE: u16 = 9002;
const EMPTY: u16 = 9003;
const WEIGHTED: u16 = 9004;
const IDLE: u16 = 9005;
const LATE: u16 = 9006;
const UNREACHABLE: u16 = 9007;
const AGED: u16 = 9008;
const FULL: u16 = 9009;
const SECURED: u16 = 9010;
const BY_NAME: u16 = 443;

pub(crate) const DIALOGUES: &[Dialogue] = &[
    to(
        "bytes",
        PLAIN,
        &[
            Say(b"echo\n"),
            Hear(b"plain"),
            Say(b"abc"),
            Hear(b"abc"),
            End,
            Rest,
        ],
    ),
    to("no bytes", PLAIN, &[End, Rest]),
    to(
        "the client ends first, hears the rest",
        PLAIN,
        &[Say(b"echo\nabc"), End, Rest],
    ),
    to("the upstream ends first", PLAIN, &[Say(b"close\n"), Rest]),
    to(
        "the upstream ends its half",
        PLAIN,
        &[Say(b"half\n"), Rest, Say(b"more"), End],
    ),
    to(
        "the client closes",
        PLAIN,
        &[Say(b"echo\n"), Hear(b"plain")],
    ),
    to(
        "the client resets",
        PLAIN,
        &[Say(b"echo\n"), Hear(b"plain"), Reset],
    ),
    to(
        "the upstream resets",
        PLAIN,
        &[Say(b"reset\n"), Hear(b"oops"), Say(b"."), Rest],
    ),
    to("nobody listens", DEAD, &[Rest]),
    to("no such cluster", NOWHERE, &[Rest]),
    to("no endpoint", EMPTY, &[Rest]),
    to(
        "no weight and all weight",
        WEIGHTED,
        &[Say(b"echo\n"), Hear(b"other"), End, Rest],
    ),
    to(
        "idle for too long",
        IDLE,
        &[Say(b"echo\n"), Hear(b"plain"), Rest],
    ),
    to("not accepted in time", LATE, &[Rest]),
    to("no way there", UNREACHABLE, &[Rest]),
    to(
        "open for too long",
        AGED,
        &[Say(b"echo\n"), Hear(b"plain"), Rest],
    ),
    Dialogue {
        rows: 2,
        ..to("one too many", FULL, &[Beside(b"echo\n", b"plain"), Rest])
    },
    to("no TLS with the upstream", SECURED, &[Rest]),
    to(
        "passed by name",
        BY_NAME,
        &[
            Greet(Some("passed.example")),
            Hear(b"hello to you"),
            End,
            Rest,
        ],
    ),
    to(
        "a name of no server",
        BY_NAME,
        &[Greet(Some("unknown.example")), Rest],
    ),
    to("no name", BY_NAME, &[Greet(None), Rest]),
    to(
        "plaintext where names are",
        BY_NAME,
        &[Say(b"hello\n"), Rest],
    ),
];

const fn to(name: &'static str, port: u16, steps: &'static [Step]) -> Dialogue {
    Dialogue {
        name,
        to: std::net::SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
        steps,
        rows: 1,
    }
}

#[test]
fn a_gateway_tells_of_connections_as_envoy_does() -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let world = World::new("parity-rows-gateway", Family::V4)?;
    peer::serve(world.internet.listen(ELSEWHERE.v4(), PLAIN)?, "plain")?;
    peer::serve(world.internet.listen(GOOGLE.v4(), PLAIN)?, "other")?;
    peer::shout(world.internet.listen(CNN.v4(), PLAIN)?)?;
    let client = world.pod(SLEEP, "default")?;
    let (envoy_pod, egret_pod) = (
        world.gateway_pod(EGRESS_GATEWAY)?,
        world.gateway_pod(INGRESS_GATEWAY)?,
    );
    let envoy = envoy::start(&world, &envoy_pod, include_str!("gateway.envoy.yaml"))?;
    let config = Folder::new()?;
    config.write("rows.yaml", include_str!("gateway.istio.yaml"))?;
    let egret = alone(Settings::gateway("app=parity"))
        .config(config.path())
        .start(&world, &egret_pod)?;
    let through = |place: Place, log| Through {
        client: &client,
        names: Names::new(SLEEP.v4(), place.v4()),
        at: Some(place.v4()),
        log,
    };
    insist(
        DIALOGUES,
        &[
            through(EGRESS_GATEWAY, &envoy.output),
            through(INGRESS_GATEWAY, &egret.output),
        ],
        differences::ROWS_GATEWAY,
        |way, dialogue| way.hold(dialogue),
        |dialogue| dialogue.name,
    )
}
