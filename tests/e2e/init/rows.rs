//! Every row of the decisions, tried with real sockets: in both families, with the rules loaded by each backend and by
//! the tools that a dry run is written for.

use std::ops::Range;

use crate::helpers::init_world::Fate::{Refused, Silent, Untouched};
use crate::helpers::init_world::{InitWorld, POD, SERVERS, at, feed, nft, shell};

use self::table::{APP, DNS, FAR, IN, OUT, PASSED_ON, PROXY, rows};

mod packets;
mod table;

/// Tries all rows in both families, the rules loaded by `load`.
fn try_rows(load: fn(&InitWorld, &[&str]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    try_rows_of(&["--dual-stack"], 0..2, load)
}

/// Tries all rows in IPv4 alone, where the table never sees IPv6.
fn try_rows_of_ipv4(load: fn(&InitWorld, &[&str]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    try_rows_of(&["--ipv6", "off"], 0..1, load)
}

fn try_rows_of(
    stack: &[&str],
    families: Range<usize>,
    load: fn(&InitWorld, &[&str]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for (line, tries) in rows() {
        let world = InitWorld::new()?;
        let words = ["-u", "1337"].into_iter().chain(line.split(' '));
        let flags: Vec<&str> = stack.iter().copied().chain(words).collect();
        load(&world, &flags)?;
        world.serve_proxy(PROXY)?;
        for family in families.clone() {
            for attempt in &tries {
                attempt.check(&world, family, line);
            }
        }
    }
    Ok(())
}

fn over_netlink_alone(world: &InitWorld, flags: &[&str]) -> anyhow::Result<()> {
    world.done(flags).map(drop)
}

fn by_nft(world: &InitWorld, flags: &[&str]) -> anyhow::Result<()> {
    let text = dry_run(world, flags, "nft")?;
    nft(&world.pod, &text)?;
    besides(world, &text)?;
    let rules_alone = world.init(&[&["verify"], flags].concat())?;
    assert!(!rules_alone.errors.contains("chain"), "{rules_alone:?}");
    Ok(())
}

#[test]
fn over_netlink() -> anyhow::Result<()> {
    try_rows(over_netlink_alone)
}

#[test]
fn over_netlink_in_ipv4() -> anyhow::Result<()> {
    try_rows_of_ipv4(over_netlink_alone)
}

#[test]
fn as_nft_loads_a_dry_run() -> anyhow::Result<()> {
    try_rows(by_nft)
}

#[test]
fn as_nft_loads_a_dry_run_in_ipv4() -> anyhow::Result<()> {
    try_rows_of_ipv4(by_nft)
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
