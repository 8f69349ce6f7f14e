use egret_config::model::objects::Objects;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};

use super::*;

/// Those of a proxy that listens on these ports of all addresses.
pub(crate) fn listening_on(ports: &[u16], mode: Mode) -> Arc<OwnSockets> {
    let workload = Workload {
        own_ports: ports.to_vec(),
        ..Workload::new(mode, "default")
    };
    let (snapshot, _) = Snapshot::build(&Objects::default(), workload);
    Arc::new(OwnSockets::new(Arc::new(Current::new(snapshot))))
}

fn at(address: &str) -> SocketAddr {
    address.parse().expect("an address")
}

/// The addresses of an upstream socket as the listener that it connects to observes them.
fn accepted(local: &str, remote: &str) -> (ClientAddress, OriginalDestination) {
    (ClientAddress(at(local)), OriginalDestination(at(remote)))
}

#[test]
fn all_addresses_of_this_host_are_refused() {
    let own = listening_on(&[80], Mode::Gateway);
    let mut here = addresses::local().expect("addresses");
    here.retain(|ip| !ip.is_loopback());
    here.insert([127, 0, 0, 1].into());
    for ip in here {
        let refused = own.dialable(SocketAddr::new(ip, 80), AddressSource::Endpoint);
        assert!(matches!(refused, Dialable::Refused(_)), "{ip}");
        let other = own.dialable(SocketAddr::new(ip, 81), AddressSource::Endpoint);
        assert_eq!(other, Dialable::Allowed, "{ip}");
    }
    let elsewhere = own.dialable(at("192.0.2.1:80"), AddressSource::Endpoint);
    assert_eq!(elsewhere, Dialable::Allowed);
}

#[test]
fn the_other_addresses_of_a_name_are_dialled() {
    let own = listening_on(&[80], Mode::Sidecar);
    let (bad, good) = (at("127.0.0.1:80"), at("192.0.2.1:80"));
    let allowed = |addresses: &[SocketAddr]| own.allowed(addresses);
    assert_eq!(allowed(&[good]).expect("allowed"), None);
    assert_eq!(allowed(&[bad, good]).expect("one"), Some(vec![good]));
    let failure = allowed(&[bad]).expect_err("its own");
    assert_eq!(*failure.cause(), Cause::Refused(Refusal::OwnListener));
    let message = failure.to_string();
    assert!(
        message.starts_with("own_listener: 127.0.0.1:80 "),
        "{message}"
    );
}

#[test]
fn an_open_upstream_socket_is_known_by_both_addresses() {
    let own = listening_on(&[], Mode::Sidecar);
    let local = LocalAddress(at("10.0.0.5:40000"));
    let registered = own.register(local, at("[::ffff:192.0.2.1]:80"));
    let other = own.register(local, at("192.0.2.2:80"));
    let (client, to) = accepted("10.0.0.5:40000", "192.0.2.1:80");
    assert!(own.has_upstream(client, to));
    assert!(own.has_upstream_at(client));
    // Neither another port nor the same port with another destination is this socket.
    for (client, to) in [
        accepted("10.0.0.5:40000", "192.0.2.3:80"),
        accepted("10.0.0.5:40064", "192.0.2.1:80"),
    ] {
        assert!(!own.has_upstream(client, to), "{client} {to}");
    }
    for client in ["10.0.0.5:40064", "10.0.0.4:40000"] {
        assert!(!own.has_upstream_at(ClientAddress(at(client))), "{client}");
    }
    drop(registered);
    assert!(!own.has_upstream(client, to));
    assert!(own.has_upstream_at(client));
    drop(other);
    assert!(!own.has_upstream_at(client));
}

#[test]
fn a_lookup_waits_until_a_connecting_socket_is_registered() {
    let own = listening_on(&[], Mode::Sidecar);
    let (client, to) = accepted("10.0.0.5:40000", "192.0.2.1:80");
    let announced = own.connecting();
    assert!(!own.has_upstream(client, to), "the wait has a limit");
    let registered = own.register(LocalAddress(client.0), to.0);
    drop(announced);
    assert!(own.has_upstream(client, to));
    drop(registered);
    assert!(!own.has_upstream(client, to));
}

#[test]
fn a_refused_client_hears_of_both_users() {
    let own = listening_on(&[], Mode::Sidecar);
    let (client, to) = accepted("10.0.0.5:40000", "192.0.2.1:80");
    let failure = own.client_refused(client, to);
    let message = failure.to_string();
    let uid = format!("uid {}", Uid::effective());
    for part in ["own_listener", "uid 1337", &uid, "10.0.0.5:40000"] {
        assert!(message.contains(part), "{message}");
    }
}
