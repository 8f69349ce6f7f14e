//! The texts of explanations; that they agree with the kernel is tested on a kernel.

use super::*;
use crate::args::Request;
use crate::intent::{HostFacts, Intent};
use crate::plan::plan;

fn rules(line: &str) -> RuleSet {
    let arguments = std::iter::once("egret-init")
        .chain(line.split(' ').filter(|argument| !argument.is_empty()));
    let Request::Apply(flags) = Request::parse(arguments, &|_| None).unwrap() else {
        panic!("{line} asks for something else");
    };
    let host = HostFacts {
        addresses: vec!["10.1.0.5".parse().unwrap(), "fd00::5".parse().unwrap()],
        resolv_conf: Some("nameserver 10.96.0.10".to_owned()),
        ..HostFacts::default()
    };
    plan(&Intent::new(&flags, &host).unwrap())
}

fn sent(line: &str, uid: u32, protocol: Protocol, to: &str) -> String {
    let to: std::net::SocketAddr = to.parse().unwrap();
    let is_for_this_host = to.ip().is_loopback() || to.ip().to_string() == "10.1.0.5";
    let packet = Packet {
        origin: Origin::Process {
            owner: Some((uid, uid)),
            through: if is_for_this_host { "lo" } else { "eth0" }.to_owned(),
        },
        protocol: Some(protocol),
        source: "10.1.0.5".parse().unwrap(),
        destination: to.ip(),
        port: to.port(),
        is_for_this_host,
    };
    explain(&rules(line), &packet).to_string()
}

fn arriving(line: &str, from: &str, to: &str) -> String {
    let to: std::net::SocketAddr = to.parse().unwrap();
    let packet = Packet {
        origin: Origin::Interface(from.to_owned()),
        protocol: Some(Protocol::Tcp),
        source: "10.1.0.9".parse().unwrap(),
        destination: to.ip(),
        port: to.port(),
        is_for_this_host: true,
    };
    explain(&rules(line), &packet).to_string()
}

#[test]
fn what_is_sent() {
    use Protocol::{Tcp, Udp};
    let injected = "-u 1337 -i * -b *";
    for (line, uid, protocol, to, expected) in [
        (
            injected,
            1000,
            Tcp,
            "93.184.216.34:80",
            "captured: goes to the proxy's port 15001\nbecause: all other outbound TCP (row outbound 11)\nrule 2 of chain outbound",
        ),
        (
            injected,
            1337,
            Tcp,
            "93.184.216.34:80",
            "not captured: goes to its original destination\nbecause: the proxy's own connections (row outbound 4c)\nrule 3 of chain output",
        ),
        (
            injected,
            1337,
            Tcp,
            "10.1.0.5:80",
            "captured: goes to the proxy's port 15006\nbecause: application calls its own service through the proxy (row outbound 4a)\nrule 2 of chain output",
        ),
        (
            injected,
            1000,
            Udp,
            "9.9.9.9:443",
            "not captured: goes to its original destination\nbecause: no rule captures this destination (row outbound 12)\nrule 6 of chain output",
        ),
        (
            "-u 1337 -i * --block-quic",
            1000,
            Udp,
            "9.9.9.9:443",
            "refused: the sender gets ICMP port unreachable\nbecause: QUIC would pass by the proxy: clients fall back to TCP\nrule 4 of chain quic",
        ),
        (
            "-u 1337 -c eth0",
            1000,
            Tcp,
            "9.9.9.9:443",
            "not captured: goes to its original destination\nbecause: excluded interface (row outbound 1)\nrule 1 of chain output",
        ),
        (
            injected,
            1000,
            Tcp,
            "[fd00::9]:443",
            "not captured: goes to its original destination\nbecause: IPv6 is off: not captured",
        ),
        (
            "-u 1337 --redirect-dns",
            1000,
            Udp,
            "10.96.0.10:53",
            "captured: goes to the proxy's port 15053\nbecause: questions to name servers (row outbound 7)\nrule 2 of chain outbound",
        ),
        (
            "-u 1337 -m TPROXY -b * -i 10.0.0.0/8 -o 80",
            1337,
            Tcp,
            "10.1.0.5:80",
            "captured: goes to the proxy's port 15006\nbecause: all other inbound TCP (row inbound 6)\nrule 5 of chain arriving",
        ),
    ] {
        assert_eq!(
            sent(line, uid, protocol, to),
            expected,
            "{line}: uid {uid} to {to}"
        );
    }
}

#[test]
fn what_arrives() {
    for (line, from, expected) in [
        (
            "-b *",
            "eth0",
            "captured: goes to the proxy's port 15006\nbecause: all other inbound TCP (row inbound 6)\nrule 2 of chain prerouting",
        ),
        (
            "-b 81",
            "eth0",
            "not captured: goes to its original destination\nbecause: no rule matches (row inbound 7)",
        ),
        (
            "-b *  -c eth0",
            "eth0",
            "not captured: goes to its original destination\nbecause: excluded interface (row inbound 3)\nrule 1 of chain prerouting",
        ),
        (
            "-k vm0 -i *",
            "vm0",
            "captured: goes to the proxy's port 15001\nbecause: TCP from a virtual machine is outbound (row inbound 1)\nrule 1 of chain prerouting",
        ),
        (
            "-b * -m TPROXY",
            "eth0",
            "captured: goes to the proxy's port 15006\nbecause: all other inbound TCP (row inbound 6)\nrule 5 of chain arriving",
        ),
        (
            "-b * -m TPROXY -d 80",
            "eth0",
            "not captured: goes to its original destination\nbecause: excluded inbound ports (row inbound 6)\nrule 4 of chain arriving",
        ),
    ] {
        assert_eq!(
            arriving(line, from, "10.1.0.5:80"),
            expected,
            "{line} from {from}"
        );
    }
}
