use super::*;

const ALL: Option<&str> = None;

/// Of a proxy that listens on `bind:port`, or on `port` of all addresses, on a host that has 10.0.0.5 and fd00::5.
#[track_caller]
fn check(
    (bind, port): (Option<&str>, u16),
    address: &str,
    source: AddressSource,
    mode: Mode,
    expected: Option<DialRule>,
) {
    let bind = bind.map(|bind| bind.parse().expect("an address"));
    let listeners = [BoundPort { bind, port }];
    let addresses = ["10.0.0.5", "fd00::5"].map(|ip| ip.parse().expect("an address"));
    let addresses = BTreeSet::from(addresses);
    let own = OwnSockets {
        listeners: &listeners,
        addresses: &addresses,
    };
    let address: SocketAddr = address.parse().expect("an address");
    let rule = match dialable(address, source, mode, own) {
        Dialable::Allowed => None,
        Dialable::Refused(refusal) => Some(refusal.rule),
    };
    assert_eq!(
        rule, expected,
        "{address} {source:?} {mode:?}, {listeners:?}"
    );
}

#[test]
fn own_listeners_are_refused_whatever_names_them() {
    const OWN: Option<DialRule> = Some(DialRule::OwnListener);
    for source in [
        AddressSource::OriginalDst,
        AddressSource::Endpoint,
        AddressSource::Name,
        AddressSource::ClientName,
    ] {
        for mode in [Mode::Sidecar, Mode::Gateway] {
            for (listener, address, expected) in [
                ((ALL, 80), "127.0.0.1:80", OWN),
                ((ALL, 80), "127.1.2.3:80", OWN),
                ((ALL, 80), "0.0.0.0:80", OWN),
                ((ALL, 80), "[::1]:80", OWN),
                ((ALL, 80), "[::]:80", OWN),
                ((ALL, 80), "[::ffff:127.0.0.1]:80", OWN),
                ((ALL, 80), "10.0.0.5:80", OWN),
                ((ALL, 80), "[::ffff:10.0.0.5]:80", OWN),
                ((ALL, 80), "[fd00::5]:80", OWN),
                ((ALL, 80), "10.0.0.6:80", None),
                ((ALL, 80), "10.0.0.5:81", None),
                ((Some("0.0.0.0"), 80), "10.0.0.5:80", OWN),
                ((Some("::"), 80), "10.0.0.5:80", OWN),
                ((Some("10.0.0.5"), 80), "10.0.0.5:80", OWN),
                ((Some("10.0.0.5"), 80), "[fd00::5]:80", None),
                ((Some("127.0.0.1"), 9080), "127.0.0.1:9080", OWN),
                ((Some("127.0.0.1"), 9080), "0.0.0.0:9080", OWN),
                ((Some("127.0.0.1"), 9080), "10.0.0.5:9080", None),
            ] {
                check(listener, address, source, mode, expected);
            }
        }
    }
}

#[test]
fn a_gateway_dials_no_loopback_address_of_a_name() {
    const LOOPBACK: Option<DialRule> = Some(DialRule::GatewayLoopback);
    let (name, gateway) = (AddressSource::Name, Mode::Gateway);
    for address in [
        "127.0.0.1:81",
        "127.3.2.1:81",
        "[::1]:81",
        "0.0.0.0:81",
        "[::]:81",
        "[::ffff:127.0.0.1]:81",
    ] {
        check((ALL, 80), address, name, gateway, LOOPBACK);
        // A sidecar shares loopback with its application.
        check((ALL, 80), address, name, Mode::Sidecar, None);
        check((ALL, 80), address, AddressSource::Endpoint, gateway, None);
    }
    for address in ["10.0.0.5:81", "10.0.0.6:81", "[fd00::5]:81"] {
        check((ALL, 80), address, name, gateway, None);
    }
}

#[test]
fn a_name_of_the_client_leads_to_no_address_of_this_host() {
    const CLIENT: Option<DialRule> = Some(DialRule::ClientName);
    for mode in [Mode::Sidecar, Mode::Gateway] {
        for (address, expected) in [
            ("127.0.0.1:81", CLIENT),
            ("[::1]:81", CLIENT),
            ("0.0.0.0:81", CLIENT),
            ("[::]:81", CLIENT),
            ("224.0.0.1:81", CLIENT),
            ("[ff02::1]:81", CLIENT),
            ("[::ffff:127.0.0.1]:81", CLIENT),
            ("10.0.0.6:81", None),
            ("[fd00::6]:81", None),
        ] {
            check(
                (ALL, 80),
                address,
                AddressSource::ClientName,
                mode,
                expected,
            );
        }
    }
}

#[test]
fn a_refusal_names_the_address_and_the_rule() {
    let refusal = DialRefusal {
        address: "127.0.0.1:80".parse().expect("an address"),
        rule: DialRule::OwnListener,
    };
    let text = refusal.to_string();
    assert_eq!(
        text,
        "own_listener: 127.0.0.1:80 is a port that this proxy listens on"
    );
}
