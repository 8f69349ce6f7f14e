mod accepted;
mod files;
mod resumed;
mod session;
mod versions;
mod stage;

use std::sync::Arc;

use egret_config::model::tls::{
    Accepted, CipherSuite, ClientTls, ClientTlsMode, ClientVerification, Hashed, KeyFiles, Roots,
    ServerTls,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tokio::io::{AsyncWriteExt, duplex};

use super::*;
use crate::failure::{Cause, Failure};
use crate::tls::originate::{Handshake, Originator};
use crate::tls::terminate::Terminator;
use crate::tls::tests::stage::*;

#[tokio::test]
async fn the_name_sent_is_the_name_verified() {
    let authority = Authority::new();
    let server = server(vec![authority.keys(&["shop.example", "*.wild.example"])]);
    let mut policy = client(authority.roots());
    for host in ["shop.example", "a.wild.example"] {
        let met = meet(&policy, &[], Some(host), &server).await;
        assert_eq!(met.client.expect(host).as_deref(), Some(&b"h2"[..]));
        assert_eq!(met.server.expect(host).as_deref(), Some(host));
    }
    let met = meet(&policy, &[], Some("other.example"), &server).await;
    assert_eq!(
        error_message(met.client),
        "the certificate is for `shop.example`, `*.wild.example`, expected `other.example`"
    );
    policy.sni = Some("other.example".into());
    let met = meet(&policy, &[], Some("shop.example"), &server).await;
    assert!(error_message(met.client).ends_with("expected `other.example`"));
}

#[tokio::test]
async fn alternative_names_replace_the_name_sent() {
    let authority = Authority::new();
    let server = server(vec![authority.keys(&[
        "inner.example",
        "*.wild.example",
        "spiffe://td/ns/a/sa/b",
    ])]);
    let mut policy = client(authority.roots());
    policy.sni = Some("outer.example".into());
    for (names, service_names, fits) in [
        (&["inner.example"][..], &[][..], true),
        (&["wrong.example", "spiffe://td/ns/a/sa/b"], &[], true),
        (&["a.wild.example"], &[], true),
        (&["*.wild.example"], &[], true),
        (&["spiffe://td/ns/a/sa/c"], &[], false),
        (&["outer.example"], &["inner.example"], false),
        (&[], &["inner.example"], true),
        (&[], &["wrong.example"], false),
    ] {
        policy.subject_alt_names = names.iter().map(|name| (*name).into()).collect();
        let met = meet(&policy, service_names, None, &server).await;
        assert_eq!(
            met.client.is_ok(),
            fits,
            "{names:?} {service_names:?} {:?}",
            met.client
        );
    }
}

#[tokio::test]
async fn without_any_name_the_chain_alone_decides() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = server(vec![authority.keys(&["shop.example"])]);
    let met = meet(&client(authority.roots()), &[], None, &server).await;
    assert!(met.client.is_ok());
    assert_eq!(met.server.expect("server"), None);
    let mut policy = client(stranger.roots());
    let met = meet(&policy, &[], None, &server).await;
    assert_eq!(
        error_message(met.client),
        "the certificate of `CN=rcgen self signed cert` is not signed by a trusted authority (the secret's authorities) \
         but by `CN=rcgen self signed cert`"
    );
    policy.skip_verify = true;
    assert!(
        meet(&policy, &[], Some("any.example"), &server)
            .await
            .client
            .is_ok()
    );
}

#[tokio::test]
async fn the_failure_names_the_side_at_fault() {
    let authority = Authority::new();
    let (near, mut far) = duplex(1 << 16);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .await
        .expect("write");
    let originator = Originator::new();
    let failure = originator
        .connect(
            near,
            Handshake {
                tls: &Hashed::new(client(authority.roots())),
                service_names: &Arc::default(),
                host: Some("shop.example"),
                alpn: Alpn::None,
            },
        )
        .await
        .expect_err("no TLS");
    assert!(
        failure.to_string().starts_with("the peer does not use TLS"),
        "{failure}"
    );
    assert!(matches!(failure.cause(), Cause::UpstreamTls(_)));
    let mut policy = client(authority.roots());
    policy.mode = ClientTlsMode::Unusable("secret `a/b` is not there".into());
    let (near, _far) = duplex(64);
    let failure = originator
        .connect(
            near,
            Handshake {
                tls: &Hashed::new(policy),
                service_names: &Arc::default(),
                host: None,
                alpn: Alpn::None,
            },
        )
        .await
        .expect_err("unusable");
    assert_eq!(failure.to_string(), "secret `a/b` is not there");
}

#[tokio::test]
async fn clients_of_a_gateway_are_verified_with_their_names() {
    let authority = Authority::new();
    let mut server = server(vec![authority.keys(&["shop.example"])]);
    let mut policy = client(authority.roots());
    let anonymous = policy.clone();
    policy.mode = ClientTlsMode::Mutual(authority.keys(&["spiffe://td/ns/a/sa/b"]));
    let host = Some("shop.example");

    server.clients = ClientVerification::Required(accepted(&authority, &["spiffe://td/ns/a/sa/b"]));
    assert!(meet(&policy, &[], host, &server).await.server.is_ok());
    let met = meet(&anonymous, &[], host, &server).await;
    assert!(matches!(
        met.server.expect_err("no certificate").cause(),
        Cause::ClientTls
    ));
    assert!(met.client.is_err());

    server.clients = ClientVerification::Required(accepted(&authority, &["spiffe://td/ns/a/sa/c"]));
    let met = meet(&policy, &[], host, &server).await;
    assert_eq!(
        error_message(met.server),
        "the certificate is for `spiffe://td/ns/a/sa/b`, expected `spiffe://td/ns/a/sa/c`"
    );

    server.clients = ClientVerification::Optional(Accepted::signed_by(authority.roots()));
    assert!(meet(&anonymous, &[], host, &server).await.server.is_ok());
}

#[tokio::test]
async fn a_gateway_shows_the_certificate_of_the_sni() {
    let authority = Authority::new();
    let server = server(vec![
        authority.keys(&["first.example"]),
        authority.keys(&["second.example"]),
    ]);
    for host in ["first.example", "second.example"] {
        assert!(
            meet(&client(authority.roots()), &[], Some(host), &server)
                .await
                .client
                .is_ok(),
            "{host}"
        );
    }
    let met = meet(
        &client(authority.roots()),
        &[],
        Some("third.example"),
        &server,
    )
    .await;
    assert!(error_message(met.client).contains("is for `first.example`"));
}

/// What `openssl req -x509` makes: a certificate signed by its own key, and marked as an authority.
fn self_signed(names: &[&str], years: std::ops::Range<i32>) -> (KeyFiles, Roots) {
    let mut params = CertificateParams::new(
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    )
    .expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
    let key = KeyPair::generate().expect("key");
    let pem: Arc<str> = params.self_signed(&key).expect("certificate").pem().into();
    let keys = KeyFiles::Pem {
        certificate: pem.clone(),
        key: key.serialize_pem().into(),
    };
    (keys, Roots::Pem(pem))
}

#[tokio::test]
async fn a_self_signed_authority_is_trusted_as_itself_where_it_is_listed() {
    let host = Some("shop.example");
    let (keys, roots) = self_signed(&["shop.example"], 2020..2100);
    let one = server(vec![keys.clone()]);
    let met = meet(&client(roots.clone()), &[], host, &one).await;
    assert!(met.client.is_ok(), "{:?}", met.client);
    let met = meet(&client(roots.clone()), &[], Some("other.example"), &one).await;
    assert!(error_message(met.client).ends_with("expected `other.example`"));
    let (_, others) = self_signed(&["shop.example"], 2020..2100);
    let met = meet(&client(others), &[], host, &one).await;
    assert!(error_message(met.client).contains("is an authority's, and not one of those trusted"),);
    let (old, old_roots) = self_signed(&["shop.example"], 2020..2021);
    let met = meet(&client(old_roots), &[], host, &server(vec![old])).await;
    let message = error_message(met.client);
    assert!(
        message.starts_with(
            "the certificate of `CN=rcgen self signed cert` expired at 2021-01-01T00:00:00Z, and it is 2"
        ),
        "{message}"
    );

    let mut mutual = one;
    mutual.clients = ClientVerification::Required(Accepted::signed_by(roots.clone()));
    let mut policy = client(roots);
    policy.mode = ClientTlsMode::Mutual(keys);
    assert!(meet(&policy, &[], host, &mutual).await.server.is_ok());
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet_is_reported() {
    let (keys, roots) = self_signed(&["shop.example"], 2090..2100);
    let met = meet(
        &client(roots),
        &[],
        Some("shop.example"),
        &server(vec![keys]),
    )
    .await;
    assert!(error_message(met.client).contains(" is valid from 2090-01-01T00:00:00Z, and it is 2"));
}

#[tokio::test]
async fn suites_of_tls_1_2_are_those_of_the_policy() {
    let authority = Authority::new();
    let mut server = server(vec![authority.keys(&["shop.example"])]);
    server.only_tls12 = true;
    let policy = client(authority.roots());
    for (suites, fits) in [
        (vec![CipherSuite::EcdsaChaCha20], true),
        (vec![CipherSuite::RsaAes128, CipherSuite::EcdsaAes256], true),
        // The certificate's key is of the other kind.
        (vec![CipherSuite::RsaAes128, CipherSuite::RsaAes256], false),
    ] {
        server.suites = suites;
        let met = meet(&policy, &[], Some("shop.example"), &server).await;
        assert_eq!(
            met.client.is_ok(),
            fits,
            "{:?} {:?}",
            server.suites,
            met.client
        );
    }
}
