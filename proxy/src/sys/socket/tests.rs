use std::io::ErrorKind;
use std::net::TcpStream;

use super::*;

fn any(host: &str) -> SocketAddr {
    SocketAddr::new(host.parse().expect("address"), 0)
}

#[test]
fn shared_listeners_share_and_the_probe_sees_them() {
    for host in ["127.0.0.1", "::1", "0.0.0.0", "::"] {
        let first = bind_listener(any(host), ReusePort::Shared).expect(host);
        let address = first.local_addr().expect("address");
        let second = bind_listener(address, ReusePort::Shared).expect(host);
        assert_eq!(
            probe(address).expect_err(host).kind(),
            ErrorKind::AddrInUse,
            "{host}"
        );
        drop((first, second));
        probe(address).expect(host);
    }
}

#[test]
fn the_unspecified_ipv6_address_takes_ipv4_callers() {
    let listener = bind_listener(any("::"), ReusePort::Shared).expect("bind");
    let port = listener.local_addr().expect("address").port();
    TcpStream::connect(("127.0.0.1", port)).expect("connect");
}

#[test]
fn accepted_connections_get_their_options() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let _client = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let (stream, _) = listener.accept().expect("accept");
    prepare_accepted(&stream).expect("options");
    let socket = SockRef::from(&stream);
    assert!(socket.tcp_nodelay().expect("nodelay"));
    assert!(socket.keepalive().expect("keepalive"));
    assert_eq!(
        socket.tcp_keepalive_time().expect("time"),
        Duration::from_secs(180)
    );
}

#[tokio::test]
async fn outgoing_connections_have_the_given_source_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bind");
    let to = listener.local_addr().expect("address");
    let from = Some("127.0.0.6".parse().expect("address"));
    let socket = begin_connect(to, from).expect("socket");
    let local = socket.local_addr().expect("address").as_socket();
    let (stream, accepted) = tokio::join!(connected(socket), listener.accept());
    let (stream, peer) = (stream.expect("connected"), accepted.expect("accept").1);
    assert_eq!(peer.ip().to_string(), "127.0.0.6");
    assert_eq!(local, Some(peer), "known before the connection is there");
    assert!(stream.nodelay().expect("nodelay"));
}
