//! The rows: flags, and connections with their fates under them.

use std::net::IpAddr;

use crate::helpers::init_world::Fate::{Proxy, Refused, Untouched};
use crate::helpers::init_world::{Fate, InitWorld, Owner, POD, POD_AT_ETH1, SERVERS, at};

pub(super) const APP: Owner = (1000, 1000);
pub(super) const PROXY: Owner = (1337, 1337);
pub(super) const OUT: Fate = Proxy(15001);
pub(super) const IN: Fate = Proxy(15006);
pub(super) const DNS: Fate = Proxy(15053);

/// Addresses outside, in both families.
pub(super) const FAR: [&str; 2] = ["203.0.113.7", "2001:db8::7"];
/// Addresses that the world outside calls by way of the pod's second interface.
pub(super) const PASSED_ON: [&str; 2] = ["198.51.100.9", "2001:db8:5::9"];
const NEAR: [&str; 2] = ["192.0.2.9", "2001:db8:9::1"];

/// One connection: by whom, to which of two addresses, to which port, and where it goes.
pub(super) enum Try {
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
pub(super) fn rows() -> Vec<(&'static str, Vec<Try>)> {
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
    pub(super) fn check(&self, world: &InitWorld, family: usize, place: &str) {
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
