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
    let (client, server) = tokio::join!(
        originator.connect(near, handshake),
        terminator.accept(far, &server, Alpn::Either)
    );
    (client.expect("client").1, server.expect("server").facts)
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
    let sent_names = names("spiffe://shop/ns/a", "shop.example,www.shop.example");
    for (only_tls12, version, suite) in [
        (false, "TLSv1.3", "TLS_AES_"),
        (true, "TLSv1.2", "ECDHE-ECDSA-AES"),
    ] {
        terms.only_tls12 = only_tls12;
        let (client, server) = both(policy.clone(), terms.clone()).await;
        assert_eq!(client.version, Some(version));
        let cipher = client.cipher.expect("a suite");
        assert!(cipher.starts_with(suite), "{cipher}");
        assert_eq!(client.server_name.as_deref(), Some("shop.example"));
        assert_eq!((&client.peer, &client.local), (&sent_names, &names("", "")));
        assert!(client.has_peer_certificate && !server.has_peer_certificate);
        assert_eq!(
            (server.version, server.cipher),
            (client.version, client.cipher)
        );
        assert_eq!((&server.local, &server.peer), (&sent_names, &names("", "")));
    }
    terms.clients = ClientVerification::Required(accepted(&authority, &[]));
    policy.mode = ClientTlsMode::Mutual(authority.keys(&["spiffe://mesh/sa/sleep"]));
    let (client, server) = both(policy, terms).await;
    let workload = names("spiffe://mesh/sa/sleep", "");
    assert_eq!((&client.local, &server.peer), (&workload, &workload));
    assert!(server.has_peer_certificate);
}
