//! Resumed sessions, and ALPN.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// A handshake between peers with an earlier session: its kind and the negotiated application protocol.
async fn again(
    originator: &Originator,
    policy: &ClientTls,
    alpn: Alpn,
    terminator: &Terminator,
    server: &ServerTls,
) -> (rustls::HandshakeKind, Option<Vec<u8>>) {
    let (near, far) = duplex(1 << 16);
    let (policy, server) = (Hashed::new(policy.clone()), Hashed::new(server.clone()));
    let ask = async {
        let handshake = Handshake {
            tls: &policy,
            service_names: &Arc::default(),
            host: Some("shop.example"),
            alpn,
        };
        let stream = originator.connect(near, handshake).await;
        let (mut stream, _) = stream.expect("client");
        // Tickets come after the handshake.
        stream.read_exact(&mut [0]).await.expect("read");
        stream.get_ref().1.handshake_kind().expect("done")
    };
    let answer = async {
        let accepted = terminator.accept(far, &server, Alpn::Either).await;
        let mut stream = accepted.expect("server").stream;
        stream.write_all(b"!").await.expect("write");
        stream.flush().await.expect("flush");
        stream.get_ref().1.alpn_protocol().map(Into::into)
    };
    tokio::join!(ask, answer)
}

#[tokio::test]
async fn a_second_handshake_resumes_the_first() {
    let authority = Authority::new();
    let policy = client(authority.roots());
    let mut server = server(vec![authority.keys(&["shop.example"])]);
    for only_tls12 in [false, true] {
        server.only_tls12 = only_tls12;
        let (originator, terminator) = (Originator::new(), Terminator::new());
        let mut kinds = Vec::new();
        for _ in 0..2 {
            kinds.push(
                again(&originator, &policy, Alpn::None, &terminator, &server)
                    .await
                    .0,
            );
        }
        assert_eq!(
            kinds,
            [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed],
            "only TLS 1.2: {only_tls12}"
        );
    }
}

#[tokio::test]
async fn proxies_of_the_mesh_know_each_other_and_unknown_protocols_do_no_harm() {
    let authority = Authority::new();
    let server = server(vec![authority.keys(&["shop.example"])]);
    let mut policy = client(authority.roots());
    for (in_mesh, alpn, expected) in [
        (true, Alpn::None, None),
        (true, Alpn::Http1, Some(&b"http/1.1"[..])),
        (true, Alpn::Http2, Some(b"h2")),
        (false, Alpn::Http1, None),
        (false, Alpn::Http2, Some(b"h2")),
    ] {
        policy.in_mesh = in_mesh;
        let (originator, terminator) = (Originator::new(), Terminator::new());
        let (_, agreed) = again(&originator, &policy, alpn, &terminator, &server).await;
        assert_eq!(agreed.as_deref(), expected, "{in_mesh} {alpn:?}");
    }
}
