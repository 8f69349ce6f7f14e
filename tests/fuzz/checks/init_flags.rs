//! Any text as egret-init's command line (a word a line, those that begin with a dash or follow one) and environment
//! (`NAME=value` lines): it is refused in words, or planned, told about and encoded without a panic, and no value adds
//! lines of its own to what iptables-restore reads.

use std::net::{IpAddr, Ipv4Addr};

use egret_init::accounts::Accounts;
use egret_init::args::{FLAGS, Flags, Request};
use egret_init::explain::{Origin, Packet, explain};
use egret_init::intent::{HostFacts, Intent};
use egret_init::netlink::nftables;
use egret_init::plan::plan;
use egret_init::render;
use egret_init::rules::Protocol;

/// Words and variables beyond these are left out; every range makes rules.
const LINES_MAX: usize = 64;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    // A NUL stands in for a line break inside of a value.
    let lines = || {
        let lines = text.split('\n').take(LINES_MAX);
        lines.map(|line| line.replace('\0', "\n"))
    };
    let is_variable = |line: &str| {
        let name = line.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| !name.is_empty() && !name.starts_with('-') && is_known(name))
    };
    let words = lines().filter(|line| !is_variable(line));
    let variables: Vec<String> = lines().filter(|line| is_variable(line)).collect();
    let environment = |wanted: &str| {
        let mut pairs = variables.iter().filter_map(|line| line.split_once('='));
        pairs.find_map(|(name, value)| (name == wanted).then(|| value.to_owned()))
    };
    let words = std::iter::once("egret-init".to_owned()).chain(words);
    match Request::parse(words, &environment) {
        Ok(Request::Apply(flags) | Request::Cleanup(flags) | Request::Verify(flags)) => {
            wished(&flags);
        }
        Ok(Request::Explain(flags, _)) => wished(&flags),
        Ok(Request::Version) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn is_known(name: &str) -> bool {
    let of_flag = |flag: &egret_init::args::Flag| flag.environment.contains(&name);
    FLAGS.iter().any(of_flag) || name.starts_with("ISTIO_") || name == "ENVOY_USER"
}

fn wished(flags: &Flags) {
    let v4 = IpAddr::from(Ipv4Addr::new(10, 0, 0, 9));
    let v6: IpAddr = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 9].into();
    for addresses in [vec![v4], vec![v4, v6], vec![v6], Vec::new()] {
        let surroundings = HostFacts {
            accounts: Accounts {
                passwd: "root:x:0:0:\nistio-proxy:x:1337:1337:\nbad\n:::\n".to_owned(),
                group: "root:x:0:\nistio-proxy:x:1337:\n".to_owned(),
            },
            addresses,
            resolv_conf: Some("nameserver 10.0.0.10\nnameserver fd00::10\n".to_owned()),
        };
        match Intent::new(flags, &surroundings) {
            Ok(intent) => planned(&intent),
            Err(faults) => {
                assert!(!faults.is_empty());
                for fault in faults {
                    assert!(!fault.to_string().is_empty());
                }
            }
        }
    }
}

fn planned(intent: &Intent) {
    let _ = intent.to_string();
    let _ = intent.warnings();
    let rules = plan(intent);
    for message in nftables::replace(&rules, nftables::Old::Any, Vec::new()) {
        let mut bytes = Vec::new();
        message.write(1, &mut bytes);
        assert_eq!(bytes.len() % 4, 0, "messages are aligned");
    }
    let nft = render::nftables::render(&rules);
    assert!(balanced(&nft), "{nft}");
    for line in render::iptables::render(&rules).lines() {
        let is_line = line.is_empty()
            || ["-", "*", ":", "#", "COMMIT"]
                .iter()
                .any(|start| line.starts_with(start));
        assert!(is_line, "{line:?}");
    }
    for (destination, port) in [
        (IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)), 80),
        (Ipv4Addr::LOCALHOST.into(), 15001),
        ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), 53),
    ] {
        for origin in [
            Origin::Process {
                owner: Some((0, 0)),
                through: String::new(),
            },
            Origin::Interface("eth0".to_owned()),
        ] {
            let packet = Packet {
                origin,
                protocol: Some(if port == 53 {
                    Protocol::Udp
                } else {
                    Protocol::Tcp
                }),
                source: destination,
                destination,
                port,
                is_for_this_host: destination.is_loopback(),
            };
            let _ = explain(&rules, &packet);
        }
    }
}

/// Whether quotes end on the line on which they begin, so that no value leaves its own.
fn balanced(text: &str) -> bool {
    text.lines().all(|line| line.matches('"').count() % 2 == 0)
}
