//! Versions and curves that the two sides of a handshake agree on.

use egret_config::model::tls::Curve;

use super::*;

#[tokio::test]
async fn curves_are_those_of_either_side() {
    let authority = Authority::new();
    let mut server = server(vec![authority.keys(&["shop.example"])]);
    let mut policy = client(authority.roots());
    for (client_curves, server_curves, fits) in [
        (vec![Curve::P384], vec![Curve::P384], true),
        (vec![Curve::P384], vec![], true),
        (vec![], vec![Curve::X25519MlKem768], true),
        (vec![Curve::P256, Curve::X25519], vec![Curve::X25519], true),
        (vec![Curve::X25519], vec![Curve::P256], false),
    ] {
        (policy.curves, server.curves) = (client_curves, server_curves);
        let met = meet(&policy, &[], Some("shop.example"), &server).await;
        let (client_curves, server_curves) = (&policy.curves, &server.curves);
        assert_eq!(
            met.client.is_ok(),
            fits,
            "{client_curves:?} {server_curves:?}"
        );
        assert_eq!(
            met.server.is_ok(),
            fits,
            "{client_curves:?} {server_curves:?}"
        );
    }
}

#[tokio::test]
async fn suites_of_a_client_are_those_of_its_policy() {
    let authority = Authority::new();
    let mut server = server(vec![authority.keys(&["shop.example"])]);
    server.only_tls12 = true;
    let mut policy = client(authority.roots());
    // The key is for ECDSA.
    for (suite, fits) in [
        (CipherSuite::EcdsaAes256, true),
        (CipherSuite::RsaAes256, false),
    ] {
        policy.suites = vec![suite];
        let met = meet(&policy, &[], Some("shop.example"), &server).await;
        assert_eq!(met.client.is_ok(), fits, "{suite:?}");
    }
    policy.suites = vec![];
    policy.only_tls13 = true;
    let met = meet(&policy, &[], Some("shop.example"), &server).await;
    assert!(met.client.is_err(), "{:?}", met.client);
}

#[tokio::test]
async fn a_server_without_an_allowed_version_is_refused() {
    let authority = Authority::new();
    let mut server = server(vec![authority.keys(&["shop.example"])]);
    server.only_tls12 = true;
    server.only_tls13 = Some(true);
    let unusable = Terminator::new().check(&Hashed::new(server));
    let message = unusable.expect_err("no version").to_string();
    assert!(message.contains("no version of TLS is left"), "{message}");
}
