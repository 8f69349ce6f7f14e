//! Golden tests: command lines and the rules they give, in nft's syntax and in iptables-restore's. Cases that
//! istio-iptables has a golden file for carry its name.
//!
//! `EGRET_BLESS=1` rewrites the files; the difference is then reviewed.

#![allow(
    clippy::disallowed_methods,
    reason = "the runner asks for new golden files in the environment"
)]

use std::fs;
use std::path::Path;

use super::*;
use crate::accounts::Accounts;
use crate::args::Request;
use crate::intent::HostFacts;
use crate::render;
use crate::rules::{ChainName, Reason};

mod model;

/// The injector's flags without annotations.
const INJECTED: &str = "-p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x  -b * -d 15090,15021,15020";

/// Makes an intent from a command line, split at single blanks, and variables `NAME=value`.
fn intent(line: &str, variables: &[&str], addresses: &[&str]) -> Intent {
    let environment = |name: &str| {
        variables
            .iter()
            .find_map(|variable| Some(variable.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    };
    let arguments =
        std::iter::once("egret-init").chain(line.split(' ').filter(|_| !line.is_empty()));
    let Request::Apply(flags) = Request::parse(arguments, &environment).unwrap() else {
        panic!("{line} asks for something else");
    };
    let addresses = addresses
        .iter()
        .map(|address| address.parse().unwrap())
        .collect();
    // `java` and `ftp` are what Istio's cases call their groups.
    let host = HostFacts {
        accounts: Accounts {
            passwd: String::new(),
            group: "java:x:3:\nftp:x:21:\n".to_owned(),
        },
        addresses,
        resolv_conf: environment("RESOLV_CONF").or(Some(String::new())),
    };
    Intent::new(&flags, &host).unwrap()
}

fn check(name: &str, line: &str, variables: &[&str], addresses: &[&str]) {
    let rules = plan(&intent(line, variables, addresses));
    let mut actual = format!(
        "# egret-init {line}\n# addresses: {}\n",
        addresses.join(" ")
    );
    for variable in variables {
        actual.push_str(&format!("# {variable}\n"));
    }
    actual.push_str("\n# nft -f\n");
    actual.push_str(&render::nftables::render(&rules));
    actual.push_str("\n# iptables-restore --noflush, ip6tables-restore --noflush\n");
    actual.push_str(&render::iptables::render(&rules));
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(format!("{name}.golden"));
    if std::env::var_os("EGRET_BLESS").is_some() {
        fs::write(&path, &actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "{name} differs from {}; it is now:\n{actual}",
        path.display()
    );
}

const IPV4: &[&str] = &["10.1.0.5"];
const BOTH: &[&str] = &["10.1.0.5", "fd00::5"];
const IPV6: &[&str] = &["fd00::5"];

const DNS_V4: &str = "RESOLV_CONF=nameserver 127.0.0.53";
const DNS_BOTH: &str = "RESOLV_CONF=nameserver 127.0.0.53\nnameserver ::127.0.0.53";

#[test]
fn injected() {
    check("empty", "", &[], IPV4);
    check("injected", INJECTED, &[], IPV4);
    check("injected-ipv6-only", INJECTED, &[], IPV6);
    check(
        "injected-dual-stack",
        INJECTED,
        &["ISTIO_DUAL_STACK=true"],
        BOTH,
    );
    check("injected-dual-stack-unasked", INJECTED, &[], BOTH);
    check(
        "injected-dns",
        INJECTED,
        &[
            "ISTIO_META_DNS_CAPTURE=true",
            "RESOLV_CONF=nameserver 10.96.0.10",
        ],
        IPV4,
    );
    check("logging", "--log_output_level=default:info", &[], IPV4);
}

#[test]
fn outbound_ranges() {
    let line = "-i 10.0.0.0/8,192.168.7.7/16,fd00::/8 -x 10.3.0.0/16,10.3.1.0/24,fe80::/10";
    check("ranges-overlapping", line, &["DUAL_STACK=true"], BOTH);
    check(
        "all-but-ranges",
        "-i * -x 10.0.0.0/8,fd00::/8 --dual-stack",
        &[],
        BOTH,
    );
    check("ipnets", "-i 10.0.0.0/8", &[], IPV4);
    check(
        "ip-range",
        "-x 1.1.0.0/16 -i 9.9.0.0/16 --redirect-dns -g 1,2 -u 3,4",
        &[DNS_V4],
        IPV4,
    );
    check(
        "ipv6-ipnets",
        "-b 4000,5000 -d 6000,7000, -k eth0,eth1 -x 2001:db8::/32 -i 2001:db8::/32",
        &[],
        IPV6,
    );
    check(
        "loopback-outbound-iprange",
        "-i 127.1.2.3/32 --redirect-dns -g 1,2 -u 3,4",
        &[DNS_V4],
        IPV4,
    );
    check(
        "host-ipv4-loopback-cidr",
        "",
        &["ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR=127.0.0.1/8"],
        IPV4,
    );
}

#[test]
fn ports() {
    check("outbound-ports-include", "-q 32000,31000", &[], IPV4);
    check("ipv6-outbound-ports", "-q 32000,31000", &[], IPV6);
    check("outbound-ports-exclude", "-i * -o 22,8000-8100", &[], IPV4);
    let many: Vec<String> = (1..=20).map(|port| (port * 10).to_string()).collect();
    check(
        "outbound-ports-many",
        &format!("-q {}", many.join(",")),
        &[],
        IPV4,
    );
    check("inbound-ports-include", "-b 32000,31000", &[], IPV4);
    check("inbound-ports-wildcard", "-b *", &[], IPV4);
    check("inbound-wildcard-exclude", "-b * -d 15090,15021", &[], IPV4);
    check("ipv6-inbound-ports", "-b 4000,5000", &[], IPV6);
    check("ipv6-empty-inbound-ports", "", &[], IPV6);
    check(
        "listener-ports",
        "-p 1001 -z 1006 -e 1008 -i * -b *",
        &[],
        IPV4,
    );
}

#[test]
fn tproxy() {
    check(
        "inbound-ports-tproxy",
        "-b 32000,31000 -m TPROXY",
        &[],
        IPV4,
    );
    check("inbound-ports-wildcard-tproxy", "-b * -m TPROXY", &[], IPV4);
    check(
        "tproxy",
        "-m TPROXY -b * -x 1.1.0.0/16 -i 9.9.0.0/16 --redirect-dns -g 1337 -u 1337 -c not-istio-nic --ipv6 on",
        &[DNS_V4],
        IPV4,
    );
    check(
        "tproxy-nothing-inbound",
        "-m TPROXY -i * -t 0x10 -r 200",
        &[],
        IPV4,
    );
}

#[test]
fn dns() {
    check(
        "dns-uid-gid",
        "--redirect-dns -g 1,2 -u 3,4",
        &[DNS_BOTH],
        IPV6,
    );
    check(
        "ipv6-dns-uid-gid",
        "--redirect-dns -g 1,2 -u 3,4",
        &[],
        IPV6,
    );
    check(
        "dns-all",
        "--redirect-dns --capture-all-dns -u 1337 -i *",
        &["DUAL_STACK=true"],
        BOTH,
    );
    check(
        "ipv6-dns-outbound-owner-groups",
        "--redirect-dns --capture-all-dns",
        &["ISTIO_OUTBOUND_OWNER_GROUPS=java,202"],
        IPV6,
    );
    check(
        "ipv6-dns-outbound-owner-groups-exclude",
        "--redirect-dns --capture-all-dns",
        &["ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE=888,ftp"],
        IPV6,
    );
}

#[test]
fn invalid_packets() {
    check("drop-invalid", "-i * -b * --drop-invalid", &[], IPV4);
    check(
        "drop-invalid-tproxy",
        "-b * -m TPROXY --drop-invalid -c eth9",
        &[],
        IPV6,
    );
}

#[test]
fn interfaces() {
    check("basic-exclude-nic", "-c not-istio-nic", &[], IPV4);
    check("excluded-interfaces", "-i * -b * -c eth1,tun+", &[], IPV4);
    check("kube-virt-interfaces", "-k eth1,eth2 -i *", &[], IPV4);
    check(
        "virtual-and-excluded-interfaces",
        "-i * -b * -k vm0,vm1 -c eth1",
        &[],
        IPV4,
    );
    check(
        "ipv6-virt-interfaces",
        "-b 4000,5000 -k eth0,eth1",
        &[],
        IPV6,
    );
    check(
        "ipnets-with-kube-virt-interfaces",
        "-k eth1,eth2 -i 10.0.0.0/8",
        &[],
        IPV4,
    );
}

#[test]
fn owners() {
    check("several-owners", "-u 1,2 -g 3,4-6 -i *", &[], IPV4);
    check(
        "several-owners-equal",
        "-u 1,2 -g 3,4-6 -i * --strict-istio=false",
        &[],
        IPV4,
    );
    check(
        "ipv6-uid-gid",
        "-b 4000,5000 -d 6000,7000 -k eth0,eth1 -g 1,2 -u 3,4 -x 2001:db8::/32 -i 2001:db8::/32",
        &[],
        IPV6,
    );
    check(
        "outbound-owner-groups",
        "",
        &["ISTIO_OUTBOUND_OWNER_GROUPS=java,202"],
        IPV4,
    );
    check(
        "outbound-owner-groups-exclude",
        "",
        &["ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE=888,ftp"],
        IPV4,
    );
}

/// What istio-iptables does not have.
#[test]
fn bypass() {
    check(
        "block-quic",
        "-i * --block-quic -c eth9 -x 10.0.0.0/8",
        &["ISTIO_DUAL_STACK=true"],
        BOTH,
    );
    check(
        "block-quic-ranges",
        "-i 10.0.0.0/8 -k vm0",
        &["BLOCK_QUIC=true", "ISTIO_OUTBOUND_OWNER_GROUPS=202"],
        IPV4,
    );
    check(
        "ipv6-block",
        "-i * -b * -c eth9 --ipv6 block --block-quic",
        &[],
        BOTH,
    );
    check("ipv6-off", "-i * -b * --ipv6 off", &[], IPV6);
}

/// A rule stays unless all its packets meet their end before.
#[test]
fn rules_that_no_packet_reaches() {
    let lo = || Match::Through(crate::rules::Interface::Loopback);
    let kept = |rules: &[(&[Match], Action)]| {
        let mut chain = Chain::empty(ChainName::Output);
        for (matches, action) in rules {
            chain.push(*matches, *action, Reason::Proxy);
        }
        chain.remove_unreachable();
        chain.rules.len()
    };
    let user = || Match::User(7..=7);
    assert_eq!(
        kept(&[
            (&[lo()], Action::Leave),
            (&[lo(), user()], Action::Redirect(1))
        ]),
        1
    );
    assert_eq!(
        kept(&[
            (&[], Action::Goto(ChainName::Outbound)),
            (&[lo()], Action::Drop)
        ]),
        1
    );
    assert_eq!(
        kept(&[(&[lo(), user()], Action::Leave), (&[lo()], Action::Leave)]),
        2
    );
    assert_eq!(
        kept(&[(&[user()], Action::Leave), (&[lo()], Action::Leave)]),
        2
    );
    for goes_on in [
        Action::Mark(1),
        Action::RestoreMark,
        Action::Deliver { port: 1, mark: 2 },
    ] {
        assert_eq!(kept(&[(&[lo()], goes_on), (&[lo()], Action::Leave)]), 2);
    }
    let marked = || Match::MarkIs(1);
    let marks_between: [(&[Match], Action); 3] = [
        (&[marked()], Action::Leave),
        (&[lo()], Action::Mark(1)),
        (&[marked()], Action::Drop),
    ];
    assert_eq!(kept(&marks_between), 3);
}
