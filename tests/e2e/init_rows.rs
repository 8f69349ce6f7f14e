//! Every row of the decisions, tried with real sockets: in both families, with the rules loaded by each backend and by
//! the tools that a dry run is written for.

use std::net::IpAddr;

use crate::init_world::Fate;
use crate::init_world::Fate::Proxy;
use crate::init_world::Fate::Refused;
use crate::init_world::Fate::Silent;
use crate::init_world::Fate::Untouched;
use crate::init_world::InitWorld;
use crate::init_world::Owner;
use crate::init_world::POD;
use crate::init_world::POD_AT_ETH1;
use crate::init_world::SERVERS;
use crate::init_world::at;
use crate::init_world::feed;
use crate::init_world::nft;
use crate::init_world::shell;

mod packets;

const APP: Owner = (1000, 1000);
const PROXY: Owner = (1337, 1337);
const OUT: Fate = Proxy(15001);
const IN: Fate = Proxy(15006);
const DNS: Fate = Proxy(15053);

/// Addresses outside, in both families.
const FAR: [&str; 2] = ["203.0.113.7", "2001:db8::7"];
/// Addresses that the world outside calls by way of the pod's second interface.
const PASSED_ON: [&str; 2] = ["198.51.100.9", "2001:db8:5::9"];
const NEAR: [&str; 2] = ["192.0.2.9", "2001:db8:9::1"];

/// One connection: by whom, to which of two addresses, to which port, and where it goes.
enum Try {
    Tcp(Owner, [&'static str; 2], u16, Fate),
    /// As `Tcp`, from the addresses that the proxy calls applications from.
    Pass(Owner, [&'static str; 2], u16, Fate),
    Udp(Owner, [&'static str; 2], u16, Fate),
    /// From outside.
    Arrive([&'static str; 2], u16, Fate),
}

use Try::{Arrive, Pass, Tcp, Udp};

const LOCALHOST: [&str; 2] = ["127.0.0.1", "::1"];

/// Flags and variables, and connections under them. The proxy is user and group 1337 where nothing else is said.
fn rows() -> Vec<(&'static str, Vec<Try>)> {
    vec![
        (
            "-i * -b * -d 400 -o 22 -x 192.0.2.0/28,2001:db8:9::/48 -q 443",
            vec![
                Tcp(APP, FAR, 22, Untouched),
                Tcp(PROXY, POD, 22, Untouched),
                Pass(PROXY, POD, 80, Untouched),
                Tcp(PROXY, POD, 80, IN),
                Tcp(PROXY, POD, 15008, Untouched),
                Tcp(PROXY, LOCALHOST, 80, Untouched),
                Tcp(APP, POD, 80, Untouched),
                Tcp((1000, 1337), POD, 80, Untouched),
                Tcp(PROXY, FAR, 80, Untouched),
                Tcp((1000, 1337), FAR, 80, Untouched),
                Udp(PROXY, SERVERS, 53, Untouched),
                Udp(APP, SERVERS, 53, Untouched),
                Tcp(APP, LOCALHOST, 80, Untouched),
                Tcp(APP, NEAR, 80, Untouched),
                Tcp(APP, NEAR, 443, Untouched),
                Tcp((0, 0), FAR, 80, OUT),
                Arrive(POD, 15008, Untouched),
                Arrive(POD, 400, Untouched),
                Arrive(POD, 80, IN),
            ],
        ),
        (
            "-i 203.0.113.0/24,2001:db8::/48 -q 443 -b 80,15008 -d 80 -c eth1",
            vec![
                Tcp(APP, FAR, 80, OUT),
                Tcp(APP, NEAR, 80, Untouched),
                Tcp(APP, NEAR, 443, OUT),
                Tcp(APP, ["10.2.0.1", "fd00:2::1"], 443, Untouched),
                Arrive(POD, 80, IN),
                Arrive(POD, 15008, Untouched),
                Arrive(POD, 81, Untouched),
                Arrive(POD_AT_ETH1, 80, Untouched),
            ],
        ),
        (
            "-i * -k eth1 -c eth1",
            vec![
                Arrive(POD_AT_ETH1, 80, OUT),
                Arrive(POD, 80, Untouched),
                Udp(APP, FAR, 80, Untouched),
            ],
        ),
        (
            "-i 203.0.113.0/24,2001:db8::/48 -k eth1 -b *",
            vec![
                Arrive(POD_AT_ETH1, 80, Untouched),
                Arrive(POD, 80, IN),
                Tcp(APP, FAR, 80, OUT),
            ],
        ),
        (
            "-p 15006 -z 15001 -e 80 -i * -b *",
            vec![
                Tcp(APP, FAR, 80, IN),
                Tcp(PROXY, POD, 81, OUT),
                Tcp(PROXY, POD, 80, Untouched),
                Arrive(POD, 81, OUT),
                Arrive(POD, 80, Untouched),
            ],
        ),
        (
            "-i * -u 1337,7 -g 8",
            vec![
                Tcp(PROXY, POD, 80, IN),
                Tcp((7, 1000), POD, 80, Untouched),
                Tcp((1000, 8), POD, 80, Untouched),
                Tcp((7, 1000), FAR, 80, Untouched),
                Tcp((1000, 8), FAR, 80, Untouched),
                Tcp((1000, 1337), FAR, 80, OUT),
            ],
        ),
        (
            "-i * -u 1337,7 -g 8 --strict-istio=false",
            vec![
                Tcp(PROXY, POD, 80, IN),
                Tcp((7, 1000), POD, 80, IN),
                Tcp((1000, 8), POD, 80, IN),
                Tcp((7, 1000), LOCALHOST, 80, Untouched),
                Tcp((7, 1000), FAR, 80, Untouched),
                Tcp((1000, 8), FAR, 80, Untouched),
                Tcp(APP, POD, 80, Untouched),
                Tcp(APP, FAR, 80, OUT),
            ],
        ),
        (
            "ISTIO_OUTBOUND_OWNER_GROUPS=1000,2000-3000 -i * --redirect-dns",
            vec![
                Tcp(APP, FAR, 80, OUT),
                Tcp((0, 2500), FAR, 80, OUT),
                Udp(APP, SERVERS, 53, DNS),
                Tcp((1000, 0), FAR, 80, Untouched),
                Udp((1000, 0), SERVERS, 53, Untouched),
            ],
        ),
        (
            "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE=888 -i * --redirect-dns",
            vec![
                Tcp((1000, 888), FAR, 80, Untouched),
                Tcp((1000, 888), SERVERS, 53, Untouched),
                Udp((1000, 888), SERVERS, 53, Untouched),
                Udp(APP, SERVERS, 53, DNS),
                Tcp(APP, FAR, 80, OUT),
            ],
        ),
        (
            "-i 10.2.0.0/24,fd00:2::/64,127.0.0.0/8 -k eth1 -b *",
            vec![
                Arrive(POD_AT_ETH1, 80, OUT),
                Tcp(APP, ["10.2.0.5", "fd00:2::5"], 80, OUT),
                Tcp(APP, LOCALHOST, 80, Untouched),
            ],
        ),
        (
            "-i * --redirect-dns",
            vec![
                Udp(APP, SERVERS, 53, DNS),
                Tcp(APP, SERVERS, 53, DNS),
                Udp(PROXY, SERVERS, 53, Untouched),
                Udp(APP, FAR, 53, Untouched),
                Tcp(APP, FAR, 53, OUT),
                Tcp(APP, POD, 53, OUT),
                Tcp(PROXY, POD, 53, Untouched),
                // The second group of rules for the proxy's owners spares no port.
                Tcp((1000, 1337), POD, 53, IN),
            ],
        ),
        (
            "--redirect-dns --capture-all-dns -o 80",
            vec![
                Udp(APP, FAR, 53, DNS),
                Tcp(APP, FAR, 53, DNS),
                Tcp(APP, FAR, 80, Untouched),
            ],
        ),
        (
            "--redirect-dns --capture-all-dns -i * -o 53",
            vec![
                Udp(APP, SERVERS, 53, Untouched),
                Tcp(APP, SERVERS, 53, Untouched),
                Tcp(APP, FAR, 80, OUT),
            ],
        ),
        (
            "--redirect-dns --capture-all-dns -i * -c eth1",
            vec![
                Udp(APP, ["10.2.0.1", "fd00:2::1"], 53, Untouched),
                Tcp(APP, ["10.2.0.1", "fd00:2::1"], 53, Untouched),
                Udp(APP, FAR, 53, DNS),
            ],
        ),
        (
            "-m TPROXY -i * -b * -d 400",
            vec![
                Arrive(POD, 80, IN),
                Arrive(POD, 15008, IN),
                Arrive(POD, 400, Untouched),
                Tcp(PROXY, POD, 80, IN),
                Pass(PROXY, POD, 80, Untouched),
                Tcp(APP, POD, 80, Untouched),
                Tcp(APP, FAR, 80, OUT),
                Tcp(PROXY, FAR, 80, Untouched),
            ],
        ),
        (
            "-m TPROXY -b 80 -c eth1",
            vec![
                Arrive(POD, 80, IN),
                Arrive(POD, 81, Untouched),
                Arrive(POD_AT_ETH1, 80, Untouched),
            ],
        ),
        (
            "-i * --block-quic -x 192.0.2.0/28,2001:db8:9::/48",
            vec![
                Udp(APP, FAR, 443, Refused),
                Udp(APP, NEAR, 443, Untouched),
                Udp(PROXY, FAR, 443, Untouched),
                Udp(APP, FAR, 444, Untouched),
            ],
        ),
    ]
}

impl Try {
    fn check(&self, world: &InitWorld, family: usize, place: &str) {
        let pass: [IpAddr; 2] =
            ["127.0.0.6", "::6"].map(|text| text.parse().expect("both are addresses"));
        let (actual, expected, words) = match *self {
            Tcp(owner, to, port, fate) => (
                world.tcp(owner, None, at(to[family], port)),
                fate,
                format!("{owner:?} to {} port {port}", to[family]),
            ),
            Pass(owner, to, port, fate) => (
                world.tcp(owner, Some(pass[family]), at(to[family], port)),
                fate,
                format!(
                    "{owner:?} from {} to {} port {port}",
                    pass[family], to[family]
                ),
            ),
            Udp(owner, to, port, fate) => (
                world.udp(owner, None, at(to[family], port)),
                fate,
                format!("{owner:?} over UDP to {} port {port}", to[family]),
            ),
            Arrive(to, port, fate) => (
                world.tcp_from_outside(at(to[family], port)),
                fate,
                format!("from outside to {} port {port}", to[family]),
            ),
        };
        assert_eq!(actual, expected, "{place}: {words}");
    }
}

/// Tries all rows, the rules loaded by `load`.
fn try_rows(load: fn(&InitWorld, &[&str]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for (line, tries) in rows() {
        let world = InitWorld::new()?;
        let flags: Vec<&str> = ["--dual-stack", "-u", "1337"]
            .into_iter()
            .chain(line.split(' '))
            .collect();
        load(&world, &flags)?;
        world.serve_proxy(PROXY)?;
        for family in 0..2 {
            for attempt in &tries {
                attempt.check(&world, family, line);
            }
        }
    }
    Ok(())
}

#[test]
fn over_netlink() -> anyhow::Result<()> {
    try_rows(|world, flags| world.done(flags).map(drop))
}

#[test]
fn as_nft_loads_a_dry_run() -> anyhow::Result<()> {
    try_rows(|world, flags| {
        let text = dry_run(world, flags, "nft")?;
        nft(&world.pod, &text)?;
        besides(world, &text)
    })
}

#[test]
fn as_iptables_restore_loads_a_dry_run() -> anyhow::Result<()> {
    try_rows(|world, flags| {
        let text = dry_run(world, flags, "iptables")?;
        feed(&world.pod, "iptables-nft-restore --noflush", &text)?;
        feed(&world.pod, "ip6tables-legacy-restore --noflush", &text)?;
        besides(world, &text)
    })
}

#[test]
fn through_iptables() -> anyhow::Result<()> {
    try_rows(|world, flags| {
        let flags = [flags, &["--backend", "iptables"]].concat();
        let said = world.done(&flags)?;
        assert!(said.contains("rules applied through iptables"), "{said}");
        world.done(&[&["verify"], &flags[..]].concat())?;
        Ok(())
    })
}

/// With IPv6 blocked, only the proxy speaks it to others.
#[test]
fn ipv6_off_and_blocked() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    world.serve_proxy(PROXY)?;
    let to = at(FAR[1], 80);
    let warned = world.init(&["-i", "*", "-b", "*"])?;
    assert!(
        warned.errors.contains("--ipv6 block to refuse it"),
        "{warned:?}"
    );
    assert_eq!(world.tcp(APP, None, to), Untouched);
    assert_eq!(world.tcp_from_outside(at(POD[1], 80)), Untouched);
    world.done(&["-i", "*", "-b", "*", "--ipv6", "block"])?;
    assert_eq!(world.tcp(APP, None, to), Refused);
    assert_eq!(world.udp(APP, None, to), Refused);
    assert_eq!(world.tcp(PROXY, None, to), Untouched);
    assert_eq!(world.tcp(APP, None, at(FAR[0], 80)), OUT);
    assert_eq!(world.tcp_from_outside(at(POD[0], 80)), IN);
    world.done(&["-i", "*", "-b", "*", "--ipv6", "on"])?;
    assert_eq!(world.tcp(APP, None, to), OUT);
    assert_eq!(world.tcp_from_outside(at(POD[1], 80)), IN);
    Ok(())
}

/// The one address of localhost is left alone, unless more are told; this concerns IPv4 alone.
#[test]
fn other_addresses_of_the_loopback_network() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    world.serve_proxy(PROXY)?;
    let flags = ["-u", "1337", "-i", "127.0.0.0/8", "-b", "*"];
    let wider = "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR=127.0.0.0/8";
    for (flags, proxy, application) in [
        (flags.to_vec(), IN, OUT),
        ([&flags[..], &[wider]].concat(), Untouched, Untouched),
    ] {
        world.done(&flags)?;
        for (owner, fate) in [(PROXY, proxy), (APP, application)] {
            assert_eq!(world.tcp(owner, None, at("127.0.0.2", 80)), fate);
            assert_eq!(world.tcp(owner, None, at("127.0.0.1", 80)), Untouched);
        }
    }
    Ok(())
}

/// What arrives for others, to be passed on, is captured as what arrives for the pod. QUIC of virtual machines is passed
/// on, and so refused where that is asked for.
#[test]
fn what_passes_through() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    world.serve_proxy(PROXY)?;
    world.pod_passes_on(PASSED_ON)?;
    let (inbound, virtual_machine) = (["-b", "*"], ["-i", "*", "-k", "eth1"]);
    for to in PASSED_ON {
        let flags = [&inbound[..], &["--dual-stack"]].concat();
        world.done(&flags)?;
        assert_eq!(world.tcp_from_outside(at(to, 80)), IN);
        let flags = [&virtual_machine[..], &["--dual-stack"]].concat();
        world.done(&flags)?;
        assert_eq!(world.tcp_from_outside(at(to, 443)), OUT);
        assert_eq!(world.udp_from_outside(at(to, 443)), Silent);
        world.done(&[&flags[..], &["--block-quic"]].concat())?;
        assert_eq!(world.udp_from_outside(at(to, 443)), Refused);
        assert_eq!(world.udp_from_outside(at(to, 444)), Silent);
    }
    Ok(())
}

/// An application and the proxy ask the same server from the same port, one after the other.
#[test]
fn questions_of_both_sides_stay_apart() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    world.done(&["-u", "1337", "--redirect-dns", "--dual-stack"])?;
    world.serve_proxy(PROXY)?;
    for server in SERVERS {
        for _ in 0..2 {
            assert_eq!(world.udp_from_port(APP, 4444, at(server, 53)), DNS);
            assert_eq!(world.udp_from_port(PROXY, 4444, at(server, 53)), Untouched);
        }
    }
    Ok(())
}

fn dry_run(world: &InitWorld, flags: &[&str], output: &str) -> anyhow::Result<String> {
    let before = world.ruleset()?;
    let text = world.done(&[flags, &["--dry-run", "--output", output]].concat())?;
    assert_eq!(world.ruleset()?, before, "a dry run changes nothing");
    Ok(text)
}

/// Runs the commands that a dry run lists besides the rules.
fn besides(world: &InitWorld, text: &str) -> anyhow::Result<()> {
    for command in text
        .lines()
        .filter_map(|line| line.strip_prefix("# besides: "))
    {
        shell(&world.pod, command)?;
    }
    Ok(())
}
