//! MeshConfig `tlsDefaults`, and what they apply to.

use super::*;
use crate::model::tls::{CipherSuite, ClientTls, Curve, Hashed, ServerTls};
use crate::snapshot::gateways::TlsAction;

const STRICT: &str =
    "tlsDefaults: {minProtocolVersion: TLSV1_3, cipherSuites: [ECDHE-RSA-AES256-GCM-SHA384],
    ecdhCurves: [P-384, P-521, X25519]}";

const KEYS: &str = "serverCertificate: /c.pem, privateKey: /k.pem";

fn server(mesh: &str, tls: &str) -> Hashed<ServerTls> {
    let spec = format!(
        "{{selector: {{istio: edge}}, servers: [{{hosts: [a.test], port: {{number: 8443, name: https, protocol: HTTPS}},
           tls: {{{tls}}}}}]}}"
    );
    let world = gateway_in_mesh("edge", mesh, &object("Gateway", "g", &spec));
    let mut chains = world
        .snapshot
        .gateways
        .values()
        .flat_map(|one| one.tls.iter());
    match &chains.next().expect("a server").action {
        TlsAction::Http { tls, .. } => tls.clone(),
        other => panic!("{other:?}"),
    }
}

fn client(mesh: &str, tls: &str) -> Hashed<ClientTls> {
    let service =
        "{hosts: [a.test], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}";
    let rule = format!("{{host: a.test, trafficPolicy: {{tls: {{{tls}}}}}}}");
    let world = sidecar(
        mesh,
        &(entry("a", service) + &object("DestinationRule", "d", &rule)),
    );
    let cluster = world.cluster("outbound|80||a.test");
    cluster.policy.tls.clone().expect("TLS is originated")
}

#[test]
fn a_server_has_its_own_tls_settings_or_the_meshs() {
    let tls = server(STRICT, &format!("mode: SIMPLE, {KEYS}"));
    assert_eq!(tls.only_tls13, Some(true));
    assert_eq!(tls.suites, [CipherSuite::RsaAes256]);
    assert_eq!(tls.curves, [Curve::P384, Curve::X25519]);
    let own = "minProtocolVersion: TLSV1_2, cipherSuites: [ECDHE-ECDSA-AES128-GCM-SHA256]";
    let tls = server(STRICT, &format!("mode: SIMPLE, {KEYS}, {own}"));
    assert_eq!(tls.only_tls13, Some(false));
    assert_eq!(tls.suites, [CipherSuite::EcdsaAes128]);
    assert_eq!(tls.curves, [Curve::P384, Curve::X25519]);
}

#[test]
fn suites_that_leave_none_leave_tls_1_3() {
    let weak = "tlsDefaults: {cipherSuites: [AES128-SHA]}";
    let tls = server(weak, &format!("mode: SIMPLE, {KEYS}"));
    assert_eq!((tls.only_tls13, tls.suites.len()), (Some(true), 0));
    let own = "cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256]";
    let tls = server(weak, &format!("mode: SIMPLE, {KEYS}, {own}"));
    assert_eq!(tls.only_tls13, Some(false));
    assert!(client(weak, "mode: SIMPLE").only_tls13);
}

#[test]
fn clients_take_suites_and_curves_but_no_version() {
    let tls = client(STRICT, "mode: SIMPLE");
    assert_eq!(
        (tls.only_tls13, &tls.suites[..]),
        (false, &[CipherSuite::RsaAes256][..])
    );
    assert_eq!(tls.curves, [Curve::P384, Curve::X25519]);
}

#[test]
fn tls_inside_of_the_mesh_goes_by_no_defaults() {
    let tls = server(STRICT, "mode: ISTIO_MUTUAL");
    assert_eq!(
        (tls.only_tls13, tls.suites.len(), tls.curves.len()),
        (None, 0, 0)
    );
    let tls = client(STRICT, "mode: ISTIO_MUTUAL");
    assert_eq!(
        (tls.only_tls13, tls.suites.len(), tls.curves.len()),
        (false, 0, 0)
    );
}
