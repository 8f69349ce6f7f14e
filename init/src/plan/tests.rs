//! Golden tests: command lines and the rules they give, in nft's syntax.
//!
//! `EGRET_BLESS=1` rewrites the files; the difference is then what a review looks at.

use std::fs;
use std::path::Path;

use super::*;
use crate::args::Request;
use crate::intent::Surroundings;
use crate::render::nftables::render;

mod model;

/// The injector's flags without annotations.
const INJECTED: &str = "-p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x  -b * -d 15090,15021,15020";

/// Makes an intent from a command line, words split at single blanks, and variables `NAME=value`.
fn intent(line: &str, variables: &[&str], addresses: &[&str]) -> Intent {
    let environment = |name: &str| {
        variables
            .iter()
            .find_map(|variable| Some(variable.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    };
    let words = std::iter::once("egret-init").chain(line.split(' ').filter(|_| !line.is_empty()));
    let Request::Apply(flags) = Request::parse(words, &environment).unwrap() else {
        panic!("{line} asks for something else");
    };
    let addresses = addresses
        .iter()
        .map(|address| address.parse().unwrap())
        .collect();
    Intent::new(
        &flags,
        &Surroundings {
            addresses,
            ..Surroundings::default()
        },
    )
    .unwrap()
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
    actual.push_str(&render(&rules));
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

#[test]
fn nothing_asked() {
    check("nothing-asked", "", &[], IPV4);
}

#[test]
fn injected() {
    check("injected", INJECTED, &[], IPV4);
    check("injected-ipv6-only", INJECTED, &[], IPV6);
    check(
        "injected-dual-stack",
        INJECTED,
        &["ISTIO_DUAL_STACK=true"],
        BOTH,
    );
    check("injected-dual-stack-unasked", INJECTED, &[], BOTH);
}

#[test]
fn outbound_ranges() {
    let line = "-i 10.0.0.0/8,192.168.7.7/16,fd00::/8 -x 10.3.0.0/16,10.3.1.0/24,fe80::/10";
    check("ranges", line, &[], IPV4);
    check("ranges-dual-stack", line, &["DUAL_STACK=true"], BOTH);
    check(
        "ranges-with-loopback",
        "-i 127.0.0.0/8,10.0.0.0/8",
        &[],
        IPV4,
    );
    check(
        "all-but-ranges",
        "-i * -x 10.0.0.0/8,fd00::/8 --dual-stack",
        &[],
        BOTH,
    );
}

#[test]
fn ports() {
    check(
        "outbound-ports",
        "-i 10.0.0.0/8 -q 80,443 -o 22,8000:8100",
        &[],
        IPV4,
    );
    check("inbound-ports", "-b 80,8080 -d 9", &[], IPV4);
    check(
        "listener-ports",
        "-p 1001 -z 1006 -e 1008 -i * -b *",
        &[],
        IPV4,
    );
}

#[test]
fn invalid_packets() {
    check("drop-invalid", "-i * -b * --drop-invalid", &[], IPV4);
}

#[test]
fn interfaces() {
    check("excluded-interfaces", "-i * -b * -c eth1,tun+", &[], IPV4);
    check(
        "virtual-interfaces",
        "-i * -b * -k vm0,vm1 -c eth1",
        &[],
        IPV4,
    );
    check(
        "virtual-interfaces-ranges",
        "-i 10.0.0.0/8,fd00::/8 -k vm0 --dual-stack",
        &[],
        BOTH,
    );
}

#[test]
fn owners() {
    check("several-owners", "-u 1,2 -g 3,4-6 -i *", &[], IPV4);
    check(
        "owner-groups",
        "-u 1337 -i *",
        &["ISTIO_OUTBOUND_OWNER_GROUPS=1000,2000"],
        IPV4,
    );
    check(
        "owner-groups-excluded",
        "-u 1337 -i *",
        &["ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE=1000,2000"],
        IPV4,
    );
    check(
        "loopback-range",
        "-u 1337 -i *",
        &["ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR=127.0.0.0/8"],
        IPV4,
    );
}
