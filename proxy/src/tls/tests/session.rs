//! What both ends of a handshake report about it.

use super::*;
use crate::report::facts::{CertificateNames, TlsFacts};

async fn both(client: ClientTls, server: ServerTls) -> (TlsFacts, TlsFacts) {
    let (originator, terminator) = (Originator::new(), Terminator::new());
    let (near, far) = duplex(1 << 16);
    let (client, server) = (Hashed::new(client), Hashed::new(server));
    let handshake = Handshake {
        tls: &client,
        service_names: &Arc::default(),
        host: Some("shop.example"),
        alpn: Alpn::Http1,
    };
    let (ours, theirs) = tokio::join!(
        originator.connect(near, handshake),
        terminator.accept(far, &server, Alpn::Either)
    );
    (ours.expect("client").1, theirs.expect("server").facts)
}

fn names(uris: &str, dns: &str) -> CertificateNames {
    CertificateNames {
        uris: uris.into(),
        dns: dns.into(),
    }
}

#[tokio::test]
async fn both_ends_report_versions_suites_and_names() {
    let authority = Authority::new();
    let mut policy = client(authority.roots());
    let mut terms = server(vec![authority.keys(&[
        "shop.example",
        "www.shop.example",
        "spiffe://shop/ns/a",
    ])]);
    let shown = names("spiffe://shop/ns/a", "shop.example,www.shop.example");
    for (only_tls12, version, suite) in [
        (false, "TLSv1.3", "TLS_AES_"),
        (true, "TLSv1.2", "ECDHE-ECDSA-AES"),
    ] {
        terms.only_tls12 = only_tls12;
        let (ours, theirs) = both(policy.clone(), terms.clone()).await;
        assert_eq!(ours.version, Some(version));
        let cipher = ours.cipher.expect("a suite");
        assert!(cipher.starts_with(suite), "{cipher}");
        assert_eq!(ours.server_name.as_deref(), Some("shop.example"));
        assert_eq!((&ours.peer, &ours.local), (&shown, &names("", "")));
        assert!(ours.has_peer_certificate && !theirs.has_peer_certificate);
        assert_eq!((theirs.version, theirs.cipher), (ours.version, ours.cipher));
        assert_eq!((&theirs.local, &theirs.peer), (&shown, &names("", "")));
    }
    terms.clients = ClientVerification::Required(accepted(&authority, &[]));
    policy.mode = ClientTlsMode::Mutual(authority.keys(&["spiffe://mesh/sa/sleep"]));
    let (ours, theirs) = both(policy, terms).await;
    let workload = names("spiffe://mesh/sa/sleep", "");
    assert_eq!((&ours.local, &theirs.peer), (&workload, &workload));
    assert!(theirs.has_peer_certificate);
}
