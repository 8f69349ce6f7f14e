//! Tests of what flags mean.

mod problems;

use std::time::Duration;

use super::*;
use crate::accounts::Accounts;
use crate::args::Request;
use crate::rules::Interface;

fn intent(
    line: &str,
    variables: &[(&str, &str)],
    addresses: &[&str],
) -> Result<Intent, Vec<String>> {
    let environment = |name: &str| {
        variables
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let arguments = std::iter::once("egret-init").chain(line.split_whitespace());
    let Request::Apply(flags) = Request::parse(arguments, &environment).unwrap() else {
        panic!("{line} asks for something else");
    };
    let accounts = Accounts {
        passwd: "root:x:0:0:root:/root:/bin/sh\nbroken\nistio-proxy:x:1400:1401::/:\n".to_owned(),
        group: "root:x:0:\nstaff:x:50:alice,bob\n".to_owned(),
    };
    let addresses = addresses
        .iter()
        .map(|address| address.parse().unwrap())
        .collect();
    Intent::new(
        &flags,
        &HostFacts {
            accounts,
            addresses,
            resolv_conf: environment("RESOLV_CONF"),
        },
    )
    .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn good(line: &str) -> Intent {
    intent(line, &[], &["10.0.0.5"]).unwrap()
}

fn problems(line: &str, variables: &[(&str, &str)]) -> Vec<String> {
    intent(line, variables, &["10.0.0.5"]).unwrap_err()
}

#[test]
fn owners() {
    assert_eq!(
        good("").proxy_users,
        [1400..=1400],
        "the uid of istio-proxy"
    );
    assert_eq!(
        good("").proxy_groups,
        [1400..=1400],
        "the same number, not the user's group"
    );
    assert_eq!(
        intent("", &[("ENVOY_USER", "nobody-here")], &["10.0.0.5"])
            .unwrap()
            .proxy_users,
        [1337..=1337]
    );
    assert_eq!(good("-u 1,2,,3-5").proxy_users, [1..=1, 2..=2, 3..=5]);
    assert_eq!(good("-u 1,2").proxy_groups, [1..=1, 2..=2]);
    assert_eq!(good("-u root -g staff,7").proxy_users, [0..=0]);
    assert_eq!(good("-u root -g staff,7").proxy_groups, [50..=50, 7..=7]);
}

#[test]
fn ports_merge() {
    assert_eq!(
        good("-q 80,443,81,100:200,150-300,,")
            .outbound
            .include_ports,
        [80..=81, 100..=300, 443..=443]
    );
    assert_eq!(good("-o 65535,1:65535").outbound.exclude_ports, [1..=65535]);
}

/// Annotations are often written with a blank after each comma, and istio-iptables accepts it.
#[test]
fn blanks_around_elements() {
    let intent = |line: &[&str], variables: &[(&str, &str)]| {
        let environment = |name: &str| {
            let own = variables.iter().find(|(own, _)| *own == name);
            own.map(|(_, value)| (*value).to_owned())
        };
        let arguments = std::iter::once("egret-init").chain(line.iter().copied());
        let Request::Apply(flags) = Request::parse(arguments, &environment).unwrap() else {
            panic!("{line:?} asks for something else");
        };
        let host = HostFacts {
            addresses: vec!["10.0.0.5".parse().unwrap()],
            ..HostFacts::default()
        };
        Intent::new(&flags, &host)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let padded = intent(
        &[
            "-b",
            "*",
            "-d",
            "15090, 15021,\t15020 ",
            "-o",
            " 22",
            "-q",
            "80 ,90:100",
            "-u",
            "1, 2",
            "-g",
            " 3-4 ",
            "-c",
            "eth1, tun+",
            "-k",
            " lo",
            "-p",
            " 15001",
            "-t",
            "1337 ",
        ],
        &[("ISTIO_OUTBOUND_OWNER_GROUPS", "5, 6")],
    );
    let plain = intent(
        &[
            "-b",
            "*",
            "-d",
            "15090,15021,15020",
            "-o",
            "22",
            "-q",
            "80,90:100",
            "-u",
            "1,2",
            "-g",
            "3-4",
            "-c",
            "eth1,tun+",
            "-k",
            "lo",
        ],
        &[("ISTIO_OUTBOUND_OWNER_GROUPS", "5,6")],
    );
    assert_eq!(padded, plain);
    assert!(padded.is_ok(), "{padded:?}");
    for (line, expected) in [
        (
            ["-q", "80, ,90"],
            "--istio-outbound-ports: `` is no port from 0 to 65535, nor a range such as 80:90",
        ),
        (
            ["-c", "a b"],
            "--istio-exclude-interfaces: `a b` is no interface name of 1 to 15 characters",
        ),
        (
            ["-i", "10.0.0.0/8, 11.0.0.0/8"],
            "--istio-service-cidr: ` 11.0.0.0/8` is no address range such as `10.0.0.0/8` or `fd00::/8`",
        ),
    ] {
        assert_eq!(
            intent(&line, &[]),
            Err(vec![expected.to_owned()]),
            "{line:?}"
        );
    }
}

#[test]
fn open_port_ranges() {
    let ports = |list: &str| good(&format!("-q {list}")).outbound.include_ports;
    assert_eq!(ports("65000:"), [65000..=65535]);
    assert_eq!(ports(":90"), [0..=90]);
    assert_eq!(ports(":"), [0..=65535]);
    assert_eq!(
        problems("-q -1", &[]),
        ["--istio-outbound-ports: `-1` is no port from 0 to 65535, nor a range such as 80:90"]
    );
}

#[test]
fn inbound() {
    assert_eq!(good("-d 1").inbound, Inbound::Nothing);
    assert_eq!(good("-b * -d 1").inbound, Inbound::Except(vec![1..=1]));
    assert_eq!(good("-b 80, -d 1").inbound, Inbound::Only(vec![80..=80]));
    assert_eq!(good("-b ,").inbound, Inbound::Only(vec![]));
}

#[test]
fn interfaces() {
    let expected = [
        Interface::Named("eth1".to_owned()),
        Interface::Prefixed("tun".to_owned()),
        Interface::Loopback,
    ];
    assert_eq!(good("-c eth1,tun+,lo").excluded_interfaces, expected);
}

#[test]
fn groups() {
    let groups = |variables: &[(&str, &str)]| {
        intent("", variables, &["10.0.0.5"])
            .unwrap()
            .outbound
            .groups
    };
    let (include, exclude) = (
        "ISTIO_OUTBOUND_OWNER_GROUPS",
        "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE",
    );
    assert_eq!(groups(&[]), Groups::Except(vec![]));
    assert_eq!(
        groups(&[(exclude, "staff,9")]),
        Groups::Except(vec![50..=50, 9..=9])
    );
    assert_eq!(
        groups(&[(include, "staff"), (exclude, "9")]),
        Groups::Only(vec![50..=50])
    );
    // istio-iptables stops at 64.
    let many: Vec<String> = (1..=100).map(|group| group.to_string()).collect();
    let expected = (1..=100).map(|group| group..=group).collect();
    assert_eq!(
        groups(&[(include, &many.join(","))]),
        Groups::Only(expected)
    );
    for name in [include, exclude] {
        assert_eq!(
            problems("", &[(name, "50,alice")]),
            [format!(
                "{name}: `alice` is neither a number nor a group of this machine"
            )]
        );
    }
    let nobody = intent("", &[(include, "")], &["10.0.0.5"]).unwrap();
    assert_eq!(nobody.outbound.groups, Groups::Only(vec![]));
    assert_eq!(nobody.warnings().len(), 1);
}

#[test]
fn ipv6() {
    let ipv6 = |line: &str, addresses: &[&str]| intent(line, &[], addresses).unwrap().ipv6;
    for (addresses, single, dual) in [
        (&["10.0.0.5"][..], Ipv6::Off, Ipv6::Off),
        (&["fd00::5"][..], Ipv6::On, Ipv6::On),
        (&["10.0.0.5", "fd00::5"][..], Ipv6::Uncaptured, Ipv6::On),
    ] {
        assert_eq!(ipv6("", addresses), single, "{addresses:?}");
        assert_eq!(ipv6("--dual-stack", addresses), dual, "{addresses:?}");
    }
    assert_eq!(
        intent("", &[], &["10.0.0.5", "fd00::5"])
            .unwrap()
            .warnings()
            .len(),
        1
    );
    let nowhere = intent("", &[], &[]).unwrap_err();
    assert!(
        nowhere[0].starts_with("addresses of this pod: none"),
        "{nowhere:?}"
    );
}

/// A command line, and the one fault it has.
#[test]
fn loopback() {
    let name = "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR";
    let loopback = |value| {
        intent("", &[(name, value)], &["10.0.0.5"]).map(|intent| intent.loopback.to_string())
    };
    assert_eq!(loopback("127.0.0.1/8"), Ok("127.0.0.0/8".to_owned()));
    for bad in ["127.0.0.1", "10.0.0.0/8", "127.0.0.0/7", "::1/128", ""] {
        assert_eq!(
            loopback(bad),
            Err(vec![format!(
                "{name}: `{bad}` is no range inside 127.0.0.0/8 with its prefix length"
            )])
        );
    }
}

#[test]
fn tproxy() {
    let tproxy = |mark, table| Mode::Tproxy { mark, table };
    assert_eq!(good("-m TPROXY").mode, tproxy(1337, 133));
    assert_eq!(good("-m TPROXY -t 0x10 -r 256").mode, tproxy(16, 256));
    assert_eq!(good("-t 7").mode, Mode::Redirect);
}

#[test]
fn dns() {
    let dns = |line: &str, resolv_conf: &str| {
        let variables = [("RESOLV_CONF", resolv_conf)];
        let intent = intent(line, &variables, &["10.0.0.5"]).unwrap();
        (intent.dns.clone(), intent.warnings().len())
    };
    let servers = Dns::Servers {
        ipv4: vec!["10.96.0.10/32".parse().unwrap()],
        ipv6: Vec::new(),
    };
    let listed = "nameserver 10.96.0.10";
    assert_eq!(dns("", listed), (Dns::Off, 0));
    assert_eq!(dns("--capture-all-dns", listed), (Dns::Off, 0));
    assert_eq!(dns("--redirect-dns", listed), (servers, 0));
    assert_eq!(dns("--redirect-dns", "search x"), (Dns::NoServers, 1));
    assert_eq!(dns("--redirect-dns --capture-all-dns", ""), (Dns::Every, 0));
}

#[test]
fn settings() {
    let settings = |line: &str| good(line).settings;
    assert_eq!(settings("").backend, Backend::Auto);
    assert_eq!(settings("--native-nftables").backend, Backend::Nftables);
    assert_eq!(settings("--backend iptables").output, Output::Iptables);
    assert_eq!(
        settings("--backend iptables --output nft").output,
        Output::Nft
    );
    assert_eq!(
        settings("--force-iptables-binary legacy").binary,
        Some(Binary::Legacy)
    );
    assert_eq!(
        settings("--probe-timeout 1m").probe_timeout,
        Duration::from_secs(60)
    );
}

#[test]
fn ipv6_by_wish() {
    let ipv6 = |line: &str| intent(line, &[], &["10.0.0.5", "fd00::5"]).unwrap().ipv6;
    assert_eq!(ipv6("--ipv6 on"), Ipv6::On);
    assert_eq!(ipv6("--ipv6 off --dual-stack"), Ipv6::Off);
    assert_eq!(ipv6("--ipv6 block"), Ipv6::Blocked);
}

/// Other values mean REDIRECT for istio-iptables, which hides a misspelt TPROXY.
#[test]
fn mode() {
    assert_eq!(good("-m REDIRECT"), good(""));
    for mode in ["tproxy", "redirect", "NONE", "TPROXY,"] {
        let problems = intent(&format!("-m {mode}"), &[], &["10.0.0.5"]).unwrap_err();
        let expected = format!("`{mode}` is neither REDIRECT nor TPROXY");
        assert!(
            problems[0].contains("--istio-inbound-interception-mode")
                && problems[0].contains(&expected),
            "{problems:?}"
        );
    }
}

#[test]
fn summary() {
    assert_eq!(
        good("-u 1337 -i * -b * -d 15090,15021,15020").to_string(),
        "outbound to port 15001: IPv4 TCP to all addresses; not by the proxy, uid 1337 or gid 1337\n\
         inbound to port 15006: IPv4 TCP to all ports; not to 15020-15021, 15090"
    );
    let many: Vec<String> = (0..20).map(|index| format!("10.{index}.0.0/17")).collect();
    let text = good(&format!(
        "-u 1 -i {} -x 10.0.0.0/24,fd00::/8 -q 80",
        many.join(",")
    ))
    .to_string();
    assert!(
        text.contains("10.7.0.0/17, and 12 more; to ports 80; not to 10.0.0.0/24, fd00::/8;"),
        "{text}"
    );
    assert!(text.ends_with("inbound to port 15006: nothing"), "{text}");
}
